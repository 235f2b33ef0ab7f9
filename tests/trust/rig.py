"""Servers with one guard's secrets over one directory, and what counts as a refusal of theirs."""

import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from contacts_mcp.client import ContactsClient
from contacts_mcp.directory import Directory
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, Guard, GuardMode, MemoryNonceStore, Seal
from network.servers import STATE_KEYS, quick_folder
from support.hosts import MODERN, server_over
from support.raw_hosts import LineHost, Message, Responder, declines, line_host
from trust.guarded_calls import CONFIRMED, Arguments, GuardedCall, Scene, contents, set_up

CODES = ("refused", "not_confirmed", "invalid", "conflict", "not_found")
"""How a refusal begins."""
_PROTOCOL_CODES = (-32602, -32600)
_GOES_ROUND = (
    "token two-step twostep mode setting guard CONTACTS_MCP decision typed requestState request_state inputResponses "
    "input_responses elicit v1."
).split()
"""What a model could try next, were it told."""


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Rig:
    """One directory; `seal` and `ledger` are those of every server over it, unless another is asked for.

    `asking` and `previewing` are hosts of two such servers, for whoever wants a question or a token.
    """

    path: Path
    scene: Scene
    directory: Directory
    api: ContactsClient
    clock: Clock = field(default_factory=Clock)
    writes: list[str] = field(default_factory=list)
    """The changes that were asked of the directory."""

    def __post_init__(self) -> None:
        self.seal = Seal(ANSWER_LIFETIME_SECONDS, [STATE_KEYS], self.clock)
        self.ledger = MemoryNonceStore(self.clock)
        self.asking: LineHost
        self.previewing: LineHost

    @asynccontextmanager
    async def host(
        self,
        era: str = MODERN,
        mode: GuardMode = GuardMode.ASK,
        person: Responder = declines,
        *,
        forms: bool = True,
        seal: Seal | None = None,
    ) -> AsyncIterator[LineHost]:
        guard = Guard(mode, CONFIRMED, seal=seal or self.seal, nonce_store=self.ledger)
        async with line_host(server_over(self.api, guard=guard), era, person, forms=forms) as host:
            yield host

    async def arguments(self, call: GuardedCall, *, other: bool = False) -> Arguments:
        """The call's arguments; of a call that plans first with the plan that is there now."""
        given = (call.other if other else call.arguments)(self.scene)
        if not call.plans:
            return given
        plan = answer(await self.asking.call(call.tool, given))["plan"]
        return {**given, "apply": True, "plan": plan}

    async def question(self, tool: str, arguments: Arguments) -> str:
        """The state of a question that a server asks about a call."""
        return str((await self.asking.call(tool, arguments))["result"]["requestState"])

    async def token(self, tool: str, arguments: Arguments) -> str:
        """The token of a preview of a call."""
        return str(answer(await self.previewing.call(tool, arguments))["confirmation_token"])

    def contents(self) -> dict[str, list[Any]]:
        """Everything in the directory, read past all servers."""
        return contents(self.path)


@cache
def _prepared() -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """A folder for a directory that every test begins with a copy of."""
    folder = tempfile.TemporaryDirectory()
    return Path(folder.name) / "contacts.db", folder


@asynccontextmanager
async def opened(path: Path, writes: list[str]) -> AsyncIterator[tuple[Directory, ContactsClient]]:
    """A directory and a client of it that notes what it is asked to change."""
    directory = Directory(path)

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] != "GET":
            writes.append(f"{scope['method']} {scope['path']}")
        await directory.app(scope, receive, send)

    transport = httpx.ASGITransport(noted, raise_app_exceptions=False)
    async with directory, ContactsClient(base_url="http://embedded", transport=transport) as api:
        yield directory, api


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """A directory of a test's own with the scene in it."""
    path, _ = _prepared()
    scene_file = path.with_suffix(".json")
    if not scene_file.exists():
        async with opened(path, []) as (_, api):
            scene_file.write_text(json.dumps(vars(await set_up(api))))
    with quick_folder() as folder:
        mine = shutil.copytree(path.parent, folder / "directory") / path.name
        writes: list[str] = []
        async with opened(mine, writes) as (directory, api):
            made = Rig(mine, Scene(**json.loads(scene_file.read_text())), directory, api, writes=writes)
            async with made.host() as asking, made.host(mode=GuardMode.TWO_STEP, forms=False) as previewing:
                made.asking, made.previewing = asking, previewing
                yield made


def answer(response: Message) -> Any:
    """What a call answered that must not fail."""
    result = response["result"]
    assert not result.get("isError"), result
    return result["structuredContent"]


def is_done(response: Message) -> bool:
    """Whether a call did what it was to do."""
    result = response.get("result", {})
    return "content" in result and not result.get("isError") and "confirmation_token" not in result["structuredContent"]


def line_of(response: Message) -> str:
    """What the model reads of a refusal."""
    if "error" in response:
        assert response["error"]["code"] in _PROTOCOL_CODES, response
        return str(response["error"]["message"])
    result = response["result"]
    assert result.get("isError"), result
    (block,) = result["content"]
    return str(block["text"])


def check_refusal(response: Message, *given: str) -> None:
    """It is a refusal with a code, and teaches nobody to go round a person; `given` are words that the caller used."""
    line = line_of(response)
    assert "error" in response or line.split(":")[0] in CODES, line
    result = response.get("result", {})
    shown = [response.get("error"), result.get("content"), result.get("structuredContent")]
    told = json.dumps(shown, ensure_ascii=False)
    for word in given:
        told = told.replace(word, "")
    assert not [hint for hint in _GOES_ROUND if hint in told], line
