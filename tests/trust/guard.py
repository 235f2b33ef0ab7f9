"""The guard under attack: the calls that it asks about, servers over one directory, and the ways to answer them."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contacts_mcp import contract
from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import Risk
from contacts_mcp.directory import Directory, list_extensions
from contacts_mcp.directory.database import metadata, nonces
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, Guard, GuardMode, MemoryNonceStore, Seal
from contacts_mcp.tools import Backend
from endpoint_cases import CALLS_BY_TOOL, CASES, EndpointCase
from network.servers import STATE_KEYS, quick_folder
from support.clock import Clock
from support.hosts import LEGACY, MODERN, server_over, with_ids
from support.raw_hosts import LineHost, Message, Responder, declines, line_host
from support.trust_summary import Tried

Arguments = dict[str, Any]


Records = dict[str, str]
"""The ids of the four people, of the group `customers` with Ola in it, and of `suppliers` with Kari in it.

Also the receipts of two updates that can be undone: `receipt` of Ola and Kari, and `other receipt` of Per and Liv.
"""


_PEOPLE = (
    ("Ola", "Nordmann", "vip"),
    ("Kari", "Nordmann", "vip"),
    ("Per", "Hansen", "other"),
    ("Liv", "Berg", "other"),
)


async def create_records(api: ContactsClient) -> Records:
    records: Records = {}
    for name, surname, tag in _PEOPLE:
        email = f"{name.lower()}@example.com"
        call = contract.CreateContact(
            name=f"{name} {surname}", type="person", company_name="Dal", tags=[tag], email=email
        )
        records[name.lower()] = (await api.send(call)).id
    for receipt, names in (("receipt", ("ola", "kari")), ("other receipt", ("per", "liv"))):
        records[receipt] = str(uuid4())
        moves = [contract.UpdateContact(contact_id=records[name], company_name="Fjell") for name in names]
        updated = await api.send(contract.BatchContacts(updates=moves, undo=records[receipt]))
        assert updated.undo_until
    for name, member in (("customers", "ola"), ("suppliers", "kari")):
        records[name] = (await api.send(contract.CreateContactGroup(name=name.title()))).id
        await api.send(contract.AddGroupMembers(group_id=records[name], contact_ids=[records[member]]))
    return records


@dataclass(frozen=True)
class GuardedCall:
    """A tool, arguments that need a person's confirmation, and the form that confirms them; `variant` names these.

    `other` are arguments with another target; `changes` are calls that change an existing target. A call that `plans`
    first is made with the fingerprint of its plan. A record's name as a value stands for its id.
    """

    tool: str
    arguments: Arguments
    other: Arguments
    form: Arguments
    changes: tuple[tuple[type[contract.Call[Any]], Arguments], ...] = ()
    plans: bool = False
    variant: str = ""

    @property
    def field(self) -> str:
        return next(iter(self.form))

    @property
    def word(self) -> str:
        return str(self.form[self.field])

    @property
    def accepted(self) -> Message:
        return {"action": "accept", "content": dict(self.form)}

    def erased_id(self, arguments: Arguments) -> str | None:
        """The id of the contact that the call erases. A repeated call then only reports that erasure."""
        return str(arguments["contact_id"]) if self.tool == "gdpr_delete_contact" else None

    def __str__(self) -> str:
        return f"{self.tool}, {self.variant}" if self.variant else self.tool


def _file(*names: str) -> str:
    rows = [f"{name},{name.split()[0].lower()}@example.com,Vidde" for name in names]
    return "\n".join(["name,email,company_name", *rows])


DELETE, CHANGE, MERGE = {"decision": "delete"}, {"decision": "change"}, {"decision": "merge"}
_OLA, _KARI = {"contact_id": "ola"}, {"contact_id": "kari"}
_CUSTOMERS, _SUPPLIERS = {"group_id": "customers"}, {"group_id": "suppliers"}
_NOTES, _COMPANY = {"notes": "på café"}, {"set_company_name": "Vidde"}
_FORMS = {Risk.DESTROY: DELETE, Risk.ERASE: {"typed": "Ola Nordmann"}}
_UPDATE = {"on_match": "update"}
_MERGED = {"keep_id": "ola", "merge_ids": ["kari", "per"]}
_OTHER_MERGED = {"keep_id": "kari", "merge_ids": ["ola", "per"]}
_CLUSTERS = {"clusters": [["ola", "kari"], ["per", "liv"]]}
_OTHER_CLUSTERS = {"clusters": [["kari", "ola"], ["liv", "per"]]}
_RENAME_OLA = ((contract.UpdateContact, {**_OLA, "name": "Somebody Else"}),)
_RENAME_PER = ((contract.UpdateContact, {"contact_id": "per", "name": "Somebody Else"}),)
_CHANGE_COMPANY = ((contract.UpdateContact, {**_KARI, "company_name": "Vik"}),)


def _guarded_call(case: EndpointCase) -> GuardedCall:
    """The call of an endpoint that needs consent."""
    assert case.other is not None, f"{case.tool} needs `other` arguments"
    changes = tuple((CALLS_BY_TOOL[tool], dict(arguments)) for tool, arguments in case.meanwhile)
    return GuardedCall(case.tool, dict(case.arguments), dict(case.other), _FORMS[case.risk], changes)


CALLS = (
    *(_guarded_call(case) for case in CASES if case.risk in _FORMS),
    GuardedCall("merge_contacts", _MERGED, _OTHER_MERGED, MERGE, _RENAME_PER),
    GuardedCall("merge_contacts", _CLUSTERS, _OTHER_CLUSTERS, MERGE, _RENAME_PER, variant="clusters"),
    GuardedCall(
        "update_matching_contacts",
        {"tags": ["vip"], **_COMPANY},
        {"tags": ["other"], **_COMPANY},
        CHANGE,
        _CHANGE_COMPANY,
        plans=True,
    ),
    GuardedCall(
        "update_matching_contacts",
        {"undo": "receipt"},
        {"undo": "other receipt"},
        CHANGE,
        _CHANGE_COMPANY,
        plans=True,
        variant="undo",
    ),
    GuardedCall(
        "import_contacts",
        {"content": _file("Ola Nordmann", "Kari Nordmann"), **_UPDATE},
        {"content": _file("Per Hansen"), **_UPDATE},
        CHANGE,
        _CHANGE_COMPANY,
        plans=True,
    ),
    GuardedCall("update_contact", {**_OLA, **_NOTES}, {**_KARI, **_NOTES}, CHANGE, _RENAME_OLA),
    GuardedCall("remove_group_member", {**_CUSTOMERS, **_OLA}, {**_SUPPLIERS, **_KARI}, CHANGE, _RENAME_OLA),
    GuardedCall("create_contact_group", {"name": "New"}, {"name": "Newer"}, CHANGE),
)
CONFIRMED = ("update_contact", "remove_group_member", "create_contact_group")
"""Writing tools that the operator has guarded."""

_KEPT = [table.name for table in metadata.sorted_tables if table is not nonces]


CODES = ("refused", "not_confirmed", "invalid", "conflict", "not_found")
"""How a refusal begins."""
_PROTOCOL_CODES = (-32602, -32600)
_BYPASS_HINTS = (
    "token two-step twostep mode setting guard CONTACTS_MCP decision typed requestState request_state inputResponses "
    "input_responses elicit v1."
).split()
"""Words that would show a model how to bypass the guard."""


@dataclass
class GuardedServers:
    """Servers over one directory, which share `seal` and `nonce_store` unless `host` is given another seal.

    `asking` and `previewing` are hosts of two such servers, which return questions and tokens.
    """

    path: Path
    records: Records
    directory: Directory
    api: ContactsClient
    clock: Clock = field(default_factory=Clock)
    writes: list[str] = field(default_factory=list)
    """The changes that were requested from the directory."""

    def __post_init__(self) -> None:
        self.seal = Seal(ANSWER_LIFETIME_SECONDS, [STATE_KEYS], self.clock)
        self.nonce_store = MemoryNonceStore(self.clock)
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
        guard = Guard(mode, CONFIRMED, seal=seal or self.seal, nonce_store=self.nonce_store)
        extensions = list_extensions(self.path, has_keys=False)
        server = server_over(backend_for=lambda _: Backend(self.api, known_extensions=extensions), guard=guard)
        async with line_host(server, era, person, forms=forms) as host:
            yield host

    async def arguments(self, call: GuardedCall, *, other: bool = False) -> Arguments:
        """The call's arguments, with the current plan if the call plans first."""
        given = with_ids(call.other if other else call.arguments, self.records)
        if not call.plans:
            return given
        plan = answer(await self.asking.call(call.tool, given))["plan"]
        return {**given, "apply": True, "plan": plan}

    async def change_target(self, call: GuardedCall) -> None:
        for kind, arguments in call.changes:
            await self.api.send(kind(**with_ids(arguments, self.records)))

    async def question(self, tool: str, arguments: Arguments) -> str:
        return state_in(await self.asking.call(tool, arguments))

    async def token(self, tool: str, arguments: Arguments) -> str:
        return state_in(await self.previewing.call(tool, arguments))

    async def state(self, route: "Route", call: GuardedCall, arguments: Arguments) -> str:
        """The state of a question, or the token, that an answer on this route needs."""
        return await (self.token if route.channel == "token" else self.question)(call.tool, arguments)

    def contents(self) -> dict[str, list[Any]]:
        """Every row of the directory, except used nonces, read past all servers."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as database:
            return {table: sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in _KEPT}

    def earlier_erasure(self, contact_id: str) -> Message:
        """What a repeated erasure answers, by the only receipt in the directory, read past all servers."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as database:
            ((number, erased_id, erased_at),) = database.execute("SELECT seq, contact_id, erased_at FROM receipts")
        assert erased_id == contact_id
        at = datetime.fromisoformat(erased_at).astimezone(UTC)
        seen = f"the contact was erased before, at {at:%Y-%m-%d %H:%M:%S} UTC, under receipt {number}"
        record = {"id": contact_id, "receipt": number, "erased_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        return {"erased": True, "seen": f"{seen}; nothing was changed", "records": [record]}


@cache
def _prepared_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder with the directory that every test copies."""
    return tempfile.TemporaryDirectory()


@asynccontextmanager
async def open_directory(path: Path, writes: list[str]) -> AsyncIterator[tuple[Directory, ContactsClient]]:
    """A directory and a client of it; requests that change something are added to `writes`."""
    directory = Directory(path)

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] != "GET":
            writes.append(f"{scope['method']} {scope['path']}")
        await directory.app(scope, receive, send)

    transport = httpx.ASGITransport(noted, raise_app_exceptions=False)
    async with directory, ContactsClient(base_url="http://embedded", transport=transport) as api:
        yield directory, api


@asynccontextmanager
async def open_servers() -> AsyncIterator[GuardedServers]:
    """A directory of a test's own with the scene in it."""
    path = Path(_prepared_folder().name) / "contacts.db"
    scene_file = path.with_suffix(".json")
    if not scene_file.exists():
        async with open_directory(path, []) as (_, api):
            scene_file.write_text(json.dumps(await create_records(api)))
    with quick_folder() as folder:
        mine = shutil.copytree(path.parent, folder / "directory") / path.name
        writes: list[str] = []
        async with open_directory(mine, writes) as (directory, api):
            made = GuardedServers(mine, json.loads(scene_file.read_text()), directory, api, writes=writes)
            async with made.host() as asking, made.host(mode=GuardMode.TWO_STEP, forms=False) as previewing:
                made.asking, made.previewing = asking, previewing
                yield made


def answer(response: Message) -> Any:
    result = response["result"]
    assert not result.get("isError"), result
    return result["structuredContent"]


def state_in(response: Message) -> str:
    """The state of a question, or the token of a preview."""
    return str(response["result"].get("requestState") or answer(response)["confirmation_token"])


def is_done(response: Message) -> bool:
    result = response.get("result", {})
    is_answer = "content" in result and not result.get("isError")
    return is_answer and result["structuredContent"].keys().isdisjoint({"confirmation_token", "reason"})


def check_refusal(response: Message, *given: str) -> None:
    """Assert that a response is an error or a no, and does not hint at a bypass; `given` are the caller's own words."""
    result = response.get("result", {})
    if "error" in response:
        assert response["error"]["code"] in _PROTOCOL_CODES, response
    elif not result.get("isError"):
        assert result["structuredContent"] == {"done": False, "reason": result["structuredContent"]["reason"]}, result
    else:
        (block,) = result["content"]
        assert block["text"].split(":")[0] in CODES, response
    shown = [response.get("error"), result.get("content"), result.get("structuredContent")]
    shown_text = json.dumps(shown, ensure_ascii=False)
    for word in given:
        shown_text = shown_text.replace(word, "")
    assert not [hint for hint in _BYPASS_HINTS if hint in shown_text], response


REFUSED = "guard attacks refused"


class Attack:
    """The answers to an attack, and the content of the directory before it."""

    def __init__(self, servers: GuardedServers) -> None:
        self._servers = servers
        self.answers: list[Message] = []
        self.begin()

    def begin(self) -> None:
        """Save the current state, which must not change from now on."""
        self.before = self._servers.contents()
        self._servers.writes.clear()

    def check(self, *given: str, erased: str | None = None) -> None:
        """Assert that all answers are refusals and nothing was written. `given` are the caller's own words.

        If `erased` is the id of a contact that was erased before, all answers must only report that erasure.
        """
        assert self.answers
        for each in self.answers:
            if erased is None:
                check_refusal(each, *given)
            else:
                assert answer(each) == self._servers.earlier_erasure(erased)
        self.check_nothing_changed()

    def check_nothing_changed(self) -> None:
        assert self._servers.writes == []
        assert self._servers.contents() == self.before


Refused = Callable[..., AbstractContextManager[Attack]]


@pytest.fixture
def refused(servers: GuardedServers, tried: Tried) -> Refused:
    """Assert that the attack in the block was refused, or only told of the erasure of `erased`, and changed nothing."""

    @contextmanager
    def refused(*given: str, erased: str | None = None) -> Iterator[Attack]:
        attack = Attack(servers)
        yield attack
        attack.check(*given, erased=erased)
        tried(REFUSED, len(attack.answers))

    return refused


@pytest.fixture
async def servers() -> AsyncIterator[GuardedServers]:
    async with open_servers() as made:
        yield made


@dataclass(frozen=True)
class Route:
    """How an answer comes: `back` while a legacy call waits, with a second modern call, or as a two-step token.

    A blocking server gives out neither questions nor tokens. It gets answers to the questions of another server
    with the same secrets, as after an operator changes the mode.
    """

    era: str
    mode: GuardMode
    channel: str

    def __str__(self) -> str:
        return f"{'legacy' if self.era == LEGACY else 'modern'} {self.mode} {self.channel}"

    @property
    def forms(self) -> bool:
        return self.channel != "token"

    async def answer(self, host: LineHost, call: GuardedCall, arguments: Arguments, state: Any) -> Message:
        if self.channel == "token":
            return await host.call(call.tool, {**arguments, "confirmation_token": state})
        return await host.call(call.tool, arguments, inputResponses={"confirm": call.accepted}, requestState=state)


LEGACY_ANSWERS = [Route(LEGACY, mode, "back") for mode in (GuardMode.ASK, GuardMode.TWO_STEP)]
SECOND_CALLS = [Route(MODERN, mode, "second call") for mode in (GuardMode.ASK, GuardMode.TWO_STEP, GuardMode.BLOCK)]
TOKENS = [Route(era, GuardMode.TWO_STEP, "token") for era in (LEGACY, MODERN)]


def each_route(*which: Route) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", which, ids=str)


each_call = pytest.mark.parametrize("call", CALLS, ids=str)
each_mode = pytest.mark.parametrize("mode", GuardMode)
