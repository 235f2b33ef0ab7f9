"""`contacts-mcp demo`: the real server as a child over stdio, driven by the SDK's client through a short story."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.prompt import Prompt

_SAMPLE: tuple[dict[str, Any], ...] = (
    {"name": "Ola Nordmann", "phone_number": "+4799999999", "email": "ola@example.com", "tags": ["vip", "oslo"]},
    {"name": "Kari Nordmann", "phone_number": "+4790000001", "email": "kari@example.com", "tags": ["oslo"]},
    {"name": "Bjørn Håkonsen", "phone_number": "+4790000002", "tags": ["vip"]},
    {"name": "Søren Kjær", "email": "soren@example.dk", "company_name": "Kjær Bageri"},
    {"name": "Fjord Consulting", "type": "company", "email": "post@example.no", "tags": ["customer"]},
)
_KEEP = "keep"


class _Interrupted(Exception):
    """Ctrl-C at the question; as an ordinary exception it ends the tasks around it in order."""


def tell(place: str | None) -> int:
    """Tell the story, which needs no account and leaves nothing behind but in a `place` it was given; the exit code."""
    code = 0
    try:
        anyio.run(_story, Console(highlight=False), place)
    except* _Interrupted:
        code = 130
    except* SystemExit:  # rich's word for a reader who left, as `| head` does
        code = 1
    return code


async def _story(console: Console, place: str | None) -> None:
    with TemporaryDirectory(prefix="contacts-mcp-demo-") as folder:
        async with _host(console, place or str(Path(folder) / "contacts.db")) as client:
            teller = _Teller(console, client)
            if await _is_used(teller):
                console.print("There are contacts in it already; the demo wants an empty directory.")
                raise SystemExit(1)
            await _fill(teller)
            await _group(teller, await _find(teller))
            await _try_to_delete(teller)
    left = "its contacts stay where you wanted them" if place else "the temporary directory is gone"
    console.print(f"\nThat was all of it; {left}. Next: see 'Use with an assistant' in the README.")


@asynccontextmanager
async def _host(console: Console, place: str) -> AsyncIterator[Client]:
    """A host like Claude Desktop, as far as the server can tell: it starts the server and can ask a person."""
    args = ["-m", "contacts_mcp", "serve", "--directory", place, "--audit", "stderr"]  # nothing of it is to be kept
    server = StdioServerParameters(command=sys.executable, args=args)

    async def ask(context: object, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
        return await _ask_person(console, params)

    with open(os.devnull, "w") as quiet:  # noqa: ASYNC230, PTH123 - nothing is waited for there
        async with Client(stdio_client(server, errlog=quiet), elicitation_callback=ask) as client:
            yield client


class _Teller:
    """Calls tools and shows each call and its answer."""

    def __init__(self, console: Console, client: Client) -> None:
        self.console = console
        self._client = client

    def say(self, line: str) -> None:
        self.console.print(f"\n[bold]{escape(line)}[/]")

    async def call(self, tool: str, *, shown: bool = True, **arguments: Any) -> dict[str, Any]:
        if shown:
            self._show("cyan", f"→ {tool}", _json(arguments))
        result = await self._client.call_tool(tool, arguments)
        text = "".join(block.text for block in result.content if isinstance(block, TextContent))
        if shown:
            self._show("yellow" if result.is_error else "green", "←", *_lines(result.structured_content or text))
        return result.structured_content or {}

    def _show(self, colour: str, mark: str, line: str, *rows: str) -> None:
        self.console.print(f"[{colour}]{mark}[/] {escape(line)}", soft_wrap=True)
        for row in rows:
            self.console.print(f"    {escape(row)}", soft_wrap=True)


def _lines(answer: dict[str, Any] | str) -> list[str]:
    """An answer as the model gets it, but with the rows of a list on lines of their own."""
    if isinstance(answer, str):
        return [answer]
    rows = [row for value in answer.values() if isinstance(value, list) for row in value if isinstance(row, dict)]
    around = {name: value for name, value in answer.items() if not rows or not isinstance(value, list)}
    return [_json(around), *map(_json, rows)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


async def _is_used(teller: _Teller) -> bool:
    return bool((await teller.call("list_contacts", shown=False, per_page=1)).get("total"))


async def _fill(teller: _Teller) -> None:
    teller.say(f"A new directory, filled with {len(_SAMPLE)} sample contacts. Somebody asks: add Ingrid Moe.")
    for contact in _SAMPLE:
        await teller.call("create_contact", shown=False, **contact)
    await teller.call("create_contact", name="Ingrid Moe", phone_number="900 00 003", tags=["vip"])


async def _find(teller: _Teller) -> list[str]:
    teller.say("Who was Bjorn again? Spelling, accents and the order of words do not matter.")
    await teller.call("list_contacts", search="hakonsen bjorn")
    teller.say("And who is a VIP?")
    found = await teller.call("list_contacts", tags=["vip"])
    return [contact["id"] for contact in found["contacts"]]


async def _group(teller: _Teller, ids: list[str]) -> None:
    teller.say("They become an SMS audience.")
    group = await teller.call("create_contact_group", name="VIP customers", description="Invited to the launch")
    await teller.call("add_group_members", group_id=group["id"], contact_ids=ids)
    await teller.call("list_group_members", group_id=group["id"])


async def _try_to_delete(teller: _Teller) -> None:
    teller.say("Now the assistant wants to delete Ola. The guard asks the person first, not the model.")
    found = await teller.call("list_contacts", shown=False, search="ola nordmann")
    ola = found["contacts"][0]["id"]
    await teller.call("delete_contact", contact_id=ola)
    teller.say("What does the directory say?")
    await teller.call("get_contact", contact_id=ola)


async def _ask_person(console: Console, params: ElicitRequestParams) -> ElicitResult:
    """Put the guard's question to whoever sits at the terminal; where there is nobody, keep."""
    if not isinstance(params, ElicitRequestFormParams):
        return ElicitResult(action="decline")
    console.print(Panel(escape(params.message), title="The guard asks", border_style="red", expand=False))
    ((name, field),) = params.requested_schema["properties"].items()
    if not sys.stdin.isatty():
        console.print("(no terminal to answer at, so the answer is: keep)")
        return ElicitResult(action="accept", content={name: _KEEP})
    prompt = Prompt(field["title"], choices=field.get("enum"), console=console)
    try:
        with _interruptible():
            answer = str(prompt(default=_KEEP))  # nothing else is to go on while the person thinks
    except EOFError:
        answer = _KEEP
    except KeyboardInterrupt:
        raise _Interrupted from None
    return ElicitResult(action="accept", content={name: answer})


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the prompt and with it the demo: it cannot be cancelled as a task can."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
