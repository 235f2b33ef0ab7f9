"""`contacts-mcp demo`: a client plays an assistant that works with the real server over stdio."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.prompt import Prompt
from rich.table import Column, Table
from rich.text import Text

from contacts_mcp.approval_page import has_browser
from contacts_mcp.cli._console import SafeConsole
from contacts_mcp.cli._options import interruptible
from contacts_mcp.operating_system import data_folder

_SAMPLE: tuple[dict[str, Any], ...] = (
    {"name": "Ola Nordmann", "phone_number": "+4799999999", "email": "ola@example.com", "tags": ["vip", "oslo"]},
    {"name": "Kari Nordmann", "phone_number": "+4790000001", "email": "kari@example.com", "tags": ["oslo"]},
    {"name": "Bjørn Håkonsen", "phone_number": "+4790000002", "tags": ["vip"]},
    {"name": "Søren Kjær", "email": "soren@example.dk", "company_name": "Kjær Bageri"},
    {"name": "Fjord Consulting", "type": "company", "email": "post@example.no", "tags": ["customer"]},
)
_KEEP = "keep"
_INDENT = 2
_BOX_COLUMNS = 4
_POLL_SECONDS = 0.2
_OF_THE_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "BROWSER")
"""Variables without which a server on Linux finds no browser; a host has to pass them on."""
_UNLIMITED = 1_000
"""Columns that are enough for any table of the demo."""

AskPerson = Callable[["Screen", str, list[str]], str]
"""Ask the person to choose one of the words; return the word they chose."""


class _Interrupted(Exception):
    """The person pressed Ctrl-C at the question."""


class Screen:
    """Where the demo writes: sentences and tables for a person, or every message as a line of JSON."""

    def __init__(self, console: Console, as_json: bool = False) -> None:
        self.console = console
        self.as_json = as_json
        self._names: dict[str, str] = {}

    def write(self, part: RenderableType) -> None:
        """Write for a person; `--json` leaves these lines out."""
        if not self.as_json:
            self.console.print(part)

    def write_message(self, kind: str, message: BaseModel | dict[str, Any]) -> None:
        """Write a message as the client sent or received it; only `--json` shows these."""
        if self.as_json:
            content = to_jsonable_python({kind: message}, by_alias=True, exclude_none=True)
            self.console.print(json.dumps(content, ensure_ascii=False), soft_wrap=True, markup=False, highlight=False)

    def write_call(self, tool: str, arguments: dict[str, Any]) -> None:
        """Write a tool call as one line, with the names of records instead of their ids."""
        shown = ", ".join(f"{name}={self._describe(value)}" for name, value in arguments.items())
        line = Table.grid(Column(), Column(), padding=(0, 1))
        line.add_row("  →", Text(f"{tool}({shown})"), style="cyan")
        self.write(line)
        self.write_message("call", {"name": tool, "arguments": arguments})

    def remember_names(self, answer: dict[str, Any]) -> None:
        """Learn the names of the records in an answer."""
        rows = chain.from_iterable(value for value in answer.values() if isinstance(value, list))
        records = [answer, *(row for row in rows if isinstance(row, dict))]
        self._names.update((record["id"], record["name"]) for record in records if {"id", "name"} <= record.keys())

    def _describe(self, value: object) -> str:
        if isinstance(value, str) and value in self._names:
            return f"<{self._names[value]}>"
        if isinstance(value, list) and value and value[0] in self._names:
            return f"<{len(value)} contacts>"
        return json.dumps(value, ensure_ascii=False)


class _Assistant:
    """Calls tools as a model would, and shows each call."""

    def __init__(self, screen: Screen, client: Client) -> None:
        self.screen = screen
        self._client = client

    async def call(self, tool: str, *, hidden: bool = False, **arguments: Any) -> CallToolResult:
        if not hidden:
            self.screen.write_call(tool, arguments)
        result = await self._client.call_tool(tool, arguments)
        self.screen.remember_names(result.structured_content or {})
        if not hidden:
            self.screen.write_message("result", result)
        return result


def run_demo(directory: str | None, as_json: bool) -> int:
    """Run the demo and return the exit code. It needs no account, and deletes its directory unless it was given one."""
    code = 0
    try:
        with interruptible():
            anyio.run(play, Screen(SafeConsole(highlight=False), as_json), directory, _ask_at_terminal)
    except* _Interrupted:
        code = 130
    except* SystemExit:  # rich raises it when the reader of a pipe has left, as `| head` does
        code = 1
    return code


async def play(screen: Screen, directory: str | None, ask_person: AskPerson) -> None:
    """Run each scene of the demo."""
    with TemporaryDirectory(prefix="contacts-mcp-demo-") as folder:
        is_kept = directory is not None
        directory = directory or str(Path(folder) / "contacts.db")
        async with _connect(screen, directory, folder, ask_person) as assistant:
            if (await assistant.call("list_contacts", hidden=True, per_page=1)).structured_content.get("total"):
                screen.console.print("The directory holds contacts already. The demo needs an empty one.")
                raise SystemExit(1)
            await _add_a_contact(assistant)
            await _find_a_contact(assistant)
            await _build_a_group(assistant)
            await _try_to_delete(assistant)
        async with _connect(screen, directory, folder, None) as assistant:
            await _try_without_forms(assistant, _Reviewing(screen, directory, folder))
    left = "Its contacts stay in the directory that you named." if is_kept else "The temporary directory is deleted."
    screen.write(Text(f"\nThat was the demo. {left}\nNext: connect your assistant, as the README shows."))


@asynccontextmanager
async def _connect(
    screen: Screen, directory: str, folder: str, ask_person: AskPerson | None
) -> AsyncIterator[_Assistant]:
    """Start the server as a host does, with a form to ask the person, or without forms if there is no `ask_person`.

    It writes only to `folder`, and to the directory if that is elsewhere.
    """
    args = ["-m", "contacts_mcp", "serve", "--directory", directory, "--audit", "stderr"]
    environment = {**data_folder(folder), "CONTACTS_MCP_APPROVAL": "form,page" if _has_page() else "form,terminal"}
    environment["CONTACTS_MCP_QUICK_START"] = "0"  # nothing is left behind
    environment |= {name: os.environ[name] for name in _OF_THE_DESKTOP if name in os.environ}
    server = StdioServerParameters(command=sys.executable, args=args, env=environment)

    async def elicit(context: object, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
        assert ask_person
        try:
            return _answer_question(screen, params, ask_person)
        except _Interrupted:  # in the legacy era the SDK would answer the server with an error, and go on
            running.cancel()
            return ElicitResult(action="cancel")

    with open(os.devnull, "w") as quiet, anyio.CancelScope() as running:  # noqa: ASYNC230, PTH123 - does not block
        callback = elicit if ask_person else None
        async with Client(stdio_client(server, errlog=quiet), elicitation_callback=callback) as client:
            yield _Assistant(screen, client)
    if running.cancelled_caught:
        raise _Interrupted


def _has_page() -> bool:
    """Whether a person is there and has a browser on this computer."""
    return sys.stdin.isatty() and has_browser()


@dataclass(frozen=True, slots=True)
class _Reviewing:
    """Runs `contacts-mcp approvals` beside the server of the demo."""

    screen: Screen
    directory: str
    folder: str

    async def wait_until_asked(self) -> None:
        """Wait until a call waits for a person."""
        while not json.loads(await self._run("--json")):  # noqa: ASYNC110 - another process asks
            await anyio.sleep(_POLL_SECONDS)

    async def decide(self) -> bool:
        """Let the person decide in this terminal. Returns False without one, or if every line is JSON."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()) or self.screen.as_json:
            return False
        self.screen.console.file.flush()
        await self._run(stdin=None, stdout=None)
        return True

    async def _run(self, *options: str, stdin: int | None = DEVNULL, stdout: int | None = PIPE) -> bytes:
        command = [sys.executable, "-m", "contacts_mcp", "approvals", "--directory", self.directory, *options]
        environment = {**os.environ, **data_folder(self.folder), "CONTACTS_MCP_APPROVAL": "form,terminal"}
        process = await anyio.run_process(
            command, stdin=stdin, stdout=stdout, stderr=None, env=environment, check=False
        )
        return process.stdout


async def _add_a_contact(assistant: _Assistant) -> None:
    for contact in _SAMPLE:
        await assistant.call("create_contact", hidden=True, **contact)
    assistant.screen.write(Text(f"A new directory with {len(_SAMPLE)} sample contacts."))
    _user_says(assistant, "Add Ingrid Moe, phone 900 00 003. She is a VIP.")
    result = await assistant.call("create_contact", name="Ingrid Moe", phone_number="900 00 003", tags=["vip"])
    assistant.screen.write(_Contacts([result.structured_content]))
    for remark in result.structured_content.get("information", []):
        assistant.screen.write(_answer(remark, "green"))
    for warning in result.structured_content.get("warnings", []):
        assistant.screen.write(_answer(f"Warning: {warning}", "yellow"))


async def _find_a_contact(assistant: _Assistant) -> None:
    _user_says(assistant, "Who was Bjorn again?", "Accents, spelling and the order of words do not matter.")
    found = await assistant.call("list_contacts", search="hakonsen bjorn")
    assistant.screen.write(_Contacts(found.structured_content["contacts"]))


async def _build_a_group(assistant: _Assistant) -> None:
    _user_says(assistant, "Put all VIPs into a group, so that we can invite them by SMS.")
    found = await assistant.call("list_contacts", tags=["vip"])
    assistant.screen.write(_Contacts(found.structured_content["contacts"]))
    group = await assistant.call("create_contact_group", name="VIP customers")
    ids = [contact["id"] for contact in found.structured_content["contacts"]]
    await assistant.call("add_group_members", group_id=group.structured_content["id"], contact_ids=ids)
    members = await assistant.call("list_group_members", group_id=group.structured_content["id"])
    assistant.screen.write(_answer(f"The group has {members.structured_content['total']} members.", "green"))


async def _try_to_delete(assistant: _Assistant) -> None:
    _user_says(
        assistant, "Delete Ola Nordmann.", "The server asks the person before it deletes. The model cannot answer."
    )
    found = await assistant.call("list_contacts", hidden=True, search="ola nordmann")
    ola = found.structured_content["contacts"][0]["id"]
    deleted = await assistant.call("delete_contact", contact_id=ola)
    outcome = deleted.structured_content
    assistant.screen.write(
        _answer("Deleted Ola Nordmann.", "green") if outcome["done"] else _answer(outcome["reason"], "yellow")
    )
    assistant.screen.write(Text("\nIs Ola Nordmann still in the directory?", style="bold"))
    read = await assistant.call("get_contact", contact_id=ola)
    assistant.screen.write(_error(read) if read.is_error else _Contacts([read.structured_content]))


async def _try_without_forms(assistant: _Assistant, reviewing: _Reviewing) -> None:
    """Delete a contact in a host that shows no forms: the person decides on a page, or in a terminal."""
    screen, is_page = assistant.screen, _has_page()
    _user_says(
        assistant,
        "Delete Søren Kjær.",
        "This host shows no forms, like Claude Desktop. "
        + ("A page opens in your browser." if is_page else "The person decides in a terminal: contacts-mcp approvals"),
    )
    found = await assistant.call("list_contacts", hidden=True, search="søren kjær")
    soren = found.structured_content["contacts"][0]["id"]
    deleted: dict[str, Any] = {}

    async def delete() -> None:
        deleted.update((await assistant.call("delete_contact", contact_id=soren)).structured_content)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        if not is_page:
            await reviewing.wait_until_asked()
            if not await reviewing.decide():
                tasks.cancel_scope.cancel()
    if deleted:
        sentence, style = ("Deleted Søren Kjær.", "green") if deleted["done"] else (deleted["reason"], "yellow")
        screen.write(_answer(sentence, style))
    else:
        screen.write(_answer("(There is no terminal, so nothing is decided, and nothing is deleted.)", "yellow"))


def _answer_question(screen: Screen, params: ElicitRequestParams, ask_person: AskPerson) -> ElicitResult:
    """Show the guard's question and return the person's answer."""
    screen.write_message("question", params)
    if not isinstance(params, ElicitRequestFormParams):
        return ElicitResult(action="decline")
    screen.write(_Question(params.message))
    ((name, field),) = params.requested_schema["properties"].items()
    answer = ElicitResult(action="accept", content={name: ask_person(screen, field["title"], field.get("enum", []))})
    screen.write_message("answer", answer)
    return answer


def _ask_at_terminal(screen: Screen, title: str, choices: list[str]) -> str:
    """Ask at the terminal; without one the answer is to keep the contact."""
    if not sys.stdin.isatty():
        screen.write(_answer(f"(There is no terminal, so the answer is: {_KEEP})", "yellow"))
        return _KEEP
    console = SafeConsole(stderr=True) if screen.as_json else screen.console
    # The prompt blocks the event loop, which could not end it at Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return Prompt(title, choices=choices, console=console)(default=_KEEP)
    except EOFError:
        return _KEEP
    except KeyboardInterrupt:
        raise _Interrupted from None
    finally:
        signal.signal(signal.SIGINT, before)


def _user_says(assistant: _Assistant, sentence: str, remark: str = "") -> None:
    assistant.screen.write(Text(f"\nUser: {sentence}", style="bold"))
    if remark:
        assistant.screen.write(_indented(Text(remark, style="italic")))


def _answer(sentence: str, style: str) -> Padding:
    return _indented(Text(sentence, style=style))


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, _INDENT), expand=False)


def _error(result: CallToolResult) -> Padding:
    return _answer(" ".join(block.text for block in result.content if isinstance(block, TextContent)), "yellow")


class _Question:
    """A question in a box, or without one if the box would break a word, such as an id."""

    def __init__(self, message: str) -> None:
        self._message = Text(message)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        title = "The guard asks"
        if Measurement.get(console, options, self._message).minimum <= options.max_width - _BOX_COLUMNS:
            yield Panel(self._message, title=title, border_style="red", expand=False)
        else:
            yield Text(f"{title}:", style="red")
            yield self._message


class _Contacts:
    """Contacts as a table, or as one paragraph for each if the table would break or shorten a value."""

    def __init__(self, contacts: list[dict[str, Any]]) -> None:
        self._rows = [
            (each["name"], each.get("phone_number") or "", each.get("email") or "", ", ".join(each.get("tags", [])))
            for each in contacts
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table("Name", "Phone", "E-mail", "Tags", box=SIMPLE_HEAD, show_edge=False, header_style="green")
        for row in self._rows:
            table.add_row(*map(Text, row))
        if Measurement.get(console, options.update(max_width=_UNLIMITED), table).maximum <= options.max_width - _INDENT:
            yield _indented(table)
            return
        for name, *values in self._rows:
            yield _indented(Text(name, style="bold"))
            for value in filter(None, values):
                yield Padding(Text(value), (0, 0, 0, 2 * _INDENT), expand=False)
