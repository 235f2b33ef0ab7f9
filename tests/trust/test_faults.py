"""Every fault of the service, with every tool and kind of call, over both transports: answers and errors are true.

`pytest -m trust -rP tests/trust/test_faults.py` shows the result of each fault, call by call.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from contacts_mcp.app import Platform
from contacts_mcp.client import Credential
from contacts_mcp.contract import Risk
from contacts_mcp.tools import ENDPOINTS, WORKFLOWS, Tool
from contacts_mcp.tools._plan import PlanArguments
from network.servers import quick_folder
from support.hosts import LEGACY, MISSING_ID, MODERN, Host, Person, answer_of, host, text_of
from support.processes import API_KEY, HttpServer, ListeningServer, ProcessResources, clean_environment, free_ports
from support.services import ResponseAction, ScriptedServer, drip, silence
from support.trust_summary import Tried
from trust import outcomes
from trust.faults import EXTENSIONS_PATH, FAULTS, MARKER, Duration, Fault, FaultPosition, FaultyService
from trust.outcomes import TriedCall
from trust.short_waits import JOB_ATTEMPTS, JOB_WAIT_SECONDS, READ_TIMEOUT_SECONDS, TIME_LIMIT_SECONDS, shorten_waits

_TESTS = Path(__file__).parents[1]
_SERVER_MODULE = ("trust.short_waits", "serve")
_NETWORK = ("--transport", "http", "--port", "0")
_MARGIN = 5.0
"""Seconds for a busy machine."""
_ATTEMPTS = 5
"""Attempts to make a call without a fault that is faster than the shortened waits."""
_MAX_NEW_DESCRIPTORS, _MAX_NEW_KIBIBYTES = 4, 64 * 1024
"""Additional descriptors and threads, and memory, that a process may hold after faults."""
_DIRECTORY_KEY = "wayscloud_contacts_test1_THISISANOTHERSECRETTHATMUSTNEVERSHOW"
_SECRETS = (MARKER, API_KEY, _DIRECTORY_KEY, outcomes.PRIVATE_DOMAIN, "Nordmann")


@dataclass(frozen=True)
class Connection:
    """How a host is connected to the server, and whether the service offers extensions of the API.

    `key` is that of the platform, or of a directory service.
    """

    transport: str
    era: str
    extensions: bool
    key: str = API_KEY

    def __str__(self) -> str:
        of_directory = ", a directory" if self.key == _DIRECTORY_KEY else ""
        return f"{self.transport} {self.era} {'with' if self.extensions else 'without'} extensions{of_directory}"

    @property
    def is_main(self) -> bool:
        """Whether faults happen at every position, and not only at the action."""
        return (self.transport, self.era) in (("stdio", MODERN), ("http", LEGACY))


_MAIN_CONNECTIONS = (Connection("stdio", MODERN, extensions=True), Connection("http", LEGACY, extensions=False))
_OTHER_CONNECTIONS = (Connection("stdio", LEGACY, extensions=False), Connection("http", MODERN, extensions=True))
"""For tools that ask a person: faults also meet the second round of a question."""
_PLANNING = [tool for tool in WORKFLOWS if issubclass(tool.arguments, PlanArguments)]


def _connections_by_call() -> Iterator[Any]:
    """Every call with its connections. One that needs an extension is made to a directory service."""
    asking = [call for call in outcomes.CALLS if call.tool.risk in (Risk.DESTROY, Risk.ERASE)]
    for call, connections in (*product(outcomes.CALLS, [_MAIN_CONNECTIONS]), *product(asking, [_OTHER_CONNECTIONS])):
        used = connections
        if call.extension:
            used = tuple(replace(each, extensions=True, key=_DIRECTORY_KEY) for each in connections)
        yield pytest.param(call, used, id=f"{call}, {' and '.join(map(str, used))}")


class RunningHost(Host):
    """A host of a server in a process of its own, whose standard error so far is `written()`."""

    def __init__(self, client: Client, written: Callable[[], str]) -> None:
        super().__init__(client)
        self.written = written

    @property
    def resources(self) -> ProcessResources:
        found = re.search(r"^process (\d+)$", self.written(), re.MULTILINE)
        assert found, self.written()
        return ProcessResources.of(int(found[1]))


@asynccontextmanager
async def running(connection: Connection, home: Path, address: str, person: Person) -> AsyncIterator[RunningHost]:
    """A server for the service at `address`, with debug logging."""
    settings = {"WAYSCLOUD_API_KEY": connection.key, "WAYSCLOUD_API_URL": address, "CONTACTS_MCP_RATE": "0"}
    settings |= {"CONTACTS_MCP_LOG_LEVEL": "DEBUG", "CONTACTS_MCP_WRITE_BUDGET": "0"}
    with ExitStack() as opened:
        if connection.transport == "http":
            server = ListeningServer(home, *_SERVER_MODULE, *_NETWORK, cwd=_TESTS, **settings)
            target: Any = f"{opened.enter_context(server).url}/mcp"
            log = server.log
        else:
            log = home / "stderr"
            environment = clean_environment(home, **settings)
            process = StdioServerParameters(
                command=sys.executable, args=["-m", *_SERVER_MODULE], env=environment, cwd=_TESTS
            )
            target = stdio_client(process, errlog=opened.enter_context(log.open("w")))
        async with Client(target, mode=connection.era, elicitation_callback=person) as client:
            yield RunningHost(client, log.read_text)


@asynccontextmanager
async def service(extensions: bool) -> AsyncIterator[tuple[FaultyService, ScriptedServer]]:
    with quick_folder() as folder, free_ports(2) as (port, other):
        async with (
            ScriptedServer(other) as redirect_target,
            FaultyService(folder, port, redirect_target.url, extensions=extensions) as upstream,
        ):
            yield upstream, redirect_target


def test_every_call_has_arguments() -> None:
    given = outcomes.arguments_by_call(dict.fromkeys(outcomes.NAMES, MISSING_ID))

    assert given.keys() == {str(call) for call in outcomes.CALLS}


@pytest.mark.parametrize(("call", "connections"), list(_connections_by_call()))
async def test_answer_is_true_after_every_fault(
    tmp_path: Path, call: TriedCall, connections: Sequence[Connection], tried: Tried
) -> None:
    """The answer is right or a true error, and in time; no unsafe repetition, no leak, no growth."""
    matrices = await asyncio.gather(
        *(_try_all_faults(call, connection, tmp_path / str(connection)) for connection in connections)
    )

    sys.stdout.write("\n".join(matrix.shown() for matrix in matrices))
    wrong = [each for matrix in matrices for each in matrix.wrong]
    assert not wrong, "\n".join(wrong)
    tried("faults x tools survived", sum(len(matrix.outcomes) for matrix in matrices))


async def _try_all_faults(call: TriedCall, connection: Connection, home: Path) -> "_Matrix":
    home.mkdir()
    async with service(connection.extensions) as (upstream, redirect_target):
        async with running(connection, home, upstream.url, outcomes.person_who_agrees(call.tool)) as server:
            matrix = _Matrix(f"{call}, {connection}", call, upstream, lambda: nullcontext(server))
            await matrix.begin()
            resources = server.resources
            for fault, position in product(FAULTS, matrix.positions if connection.is_main else [matrix.action]):
                await matrix.try_fault(fault, position)
            await upstream.break_idle()
            if await matrix.reference_call() != matrix.normal:
                matrix.report("afterwards the call is another")
            matrix.report(*resources.grown(server.resources, _MAX_NEW_KIBIBYTES, _MAX_NEW_DESCRIPTORS))
        matrix.report(*(f"{secret} is in the log" for secret in _SECRETS if secret in server.written()))
        matrix.report(*(f"{seen.path} was asked elsewhere" for seen in redirect_target.seen))
    return matrix


@pytest.mark.parametrize("tool", _PLANNING, ids=[tool.name for tool in _PLANNING])
async def test_plan_is_the_same_if_extensions_cannot_be_read(
    tool: Tool, tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server reads the extensions once, so each fault gets a server of its own in this process."""
    shorten_waits(monkeypatch.setattr)
    async with service(extensions=True) as (upstream, _):
        platform = Platform(Credential.key(API_KEY, "a test"), upstream.url)
        matrix = _Matrix(
            tool.name, TriedCall(tool), upstream, lambda: host(platform, MODERN, outcomes.person_who_agrees(tool))
        )
        await matrix.begin()
        asked = [seen.path for seen in matrix.normal.seen].index(EXTENSIONS_PATH)
        for fault in FAULTS:
            await matrix.try_fault(fault, FaultPosition("what is offered", asked, Duration.REPEATED))

    sys.stdout.write(matrix.shown())
    assert not matrix.wrong, "\n".join(matrix.wrong)
    assert set(matrix.outcomes.values()) == {"ok"}
    tried("faults x tools survived", len(matrix.outcomes))


@pytest.mark.parametrize("action", [silence, drip])
async def test_call_of_a_silent_service_ends_before_clients_give_up(
    tmp_path: Path, action: ResponseAction, tried: Tried
) -> None:
    """With unpatched waits: every endpoint tool at once, after 25 seconds. The first write may have been made."""
    ids = dict.fromkeys(outcomes.NAMES, MISSING_ID)
    asked = [(tool, outcomes.arguments_by_call(ids)[tool.name]) for tool in ENDPOINTS]
    async with ScriptedServer() as upstream:
        upstream.answers(action)
        with HttpServer(tmp_path, WAYSCLOUD_API_KEY=API_KEY, WAYSCLOUD_API_URL=upstream.url) as network:
            async with Client(f"{network.url}/mcp", mode=MODERN, elicitation_callback=Person()) as client:
                began = time.monotonic()
                async with asyncio.timeout(25 + _MARGIN):
                    lines = await asyncio.gather(*(Host(client).error(tool.name, **given) for tool, given in asked))
                seconds = time.monotonic() - began

    assert {line.partition(":")[0] for line in lines} == {"unreachable", "records_unknown", "outcome_unknown"}
    assert all(("nothing was changed" in line) is not line.startswith("outcome_unknown") for line in lines)
    assert seconds > 24
    tried("faults x tools survived", len(asked))


class _Matrix:
    """One call with all faults; `wrong` lists the violations by fault."""

    def __init__(
        self,
        name: str,
        call: TriedCall,
        upstream: FaultyService,
        connect: Callable[[], AbstractAsyncContextManager[Host]],
    ) -> None:
        self._name = name
        self._call, self._tool = call, call.tool
        self._upstream = upstream
        self._connect = connect
        self.outcomes: dict[tuple[Fault, FaultPosition], str] = {}
        self.wrong: list[str] = []

    def report(self, *find_violations: str) -> None:
        self.wrong += [f"{self._name}: {each}" for each in find_violations]

    async def begin(self) -> None:
        """Fill the directory, and record the result of the call without a fault."""
        async with self._upstream.client() as api:
            ids = await outcomes.create_records(api)
        self._upstream.save()
        self._before = self._upstream.state()
        self._known = set(ids.values())
        self._arguments = outcomes.arguments_by_call(ids)[str(self._call)]
        if issubclass(self._tool.arguments, PlanArguments):
            self._arguments |= {"apply": True, "plan": (await self._answer())["plan"]}
        await self.reference_call()  # reads the extensions, which only the first call does
        self.normal = await self.reference_call()
        while len(self.normal.seen) > len((again := await self.reference_call()).seen):
            self.normal = again  # on a busy machine it may have taken one more attempt
        self._limit = TIME_LIMIT_SECONDS * len(self.normal.seen) + _MARGIN
        if self._tool in WORKFLOWS:
            self._limit = JOB_ATTEMPTS * self._limit + JOB_WAIT_SECONDS

    @property
    def positions(self) -> Sequence[FaultPosition]:
        """The requests at which a fault can matter: the first request, the first write and the last one.

        A tool that only reads has its first request and its last. From one of them on it may last.
        """
        writes = self._writes
        kind = "write" if writes else "request"
        first = writes[0] if writes else 0
        named = {0: "first request", self.action.number: self.action.what, first: f"first {kind}"}
        return [
            *(FaultPosition(what, number) for number, what in named.items()),
            FaultPosition(named[first], first, Duration.ON),
        ]

    @property
    def action(self) -> FaultPosition:
        """The last write, or the last request of a tool that only reads."""
        last = len(self.normal.seen) - 1
        return FaultPosition("last write", self._writes[-1]) if self._writes else FaultPosition("last request", last)

    @property
    def _writes(self) -> Sequence[int]:
        return [number for number, seen in enumerate(self.normal.seen) if seen.method != "GET"]

    async def reference_call(self) -> outcomes.ReferenceCall:
        answer = outcomes.comparable(await self._answer(), self._known)
        return outcomes.ReferenceCall(
            str(self._call), answer, tuple(self._upstream.seen), self._before, self._upstream.state()
        )

    async def _answer(self) -> dict[str, Any]:
        """The answer without a fault, and fast enough that no request is repeated on a busy machine."""
        for _ in range(_ATTEMPTS):
            self._upstream.restore()
            self._upstream.seen.clear()
            began = time.monotonic()
            async with self._connect() as connected:
                result = await connected.raw(self._tool.name, **self._arguments)
            if time.monotonic() - began < READ_TIMEOUT_SECONDS:
                break
            await self._upstream.settle()
        return answer_of(result)

    async def try_fault(self, fault: Fault, position: FaultPosition) -> None:
        """Make the call with a fault, and check that its answer is true."""
        self._upstream.restore()
        async with self._connect() as connected, self._upstream.inject(fault, position):
            async with asyncio.timeout(self._limit):
                result = await connected.raw(self._tool.name, **self._arguments)
            upstream = self._upstream
            has_happened, refused, seen = upstream.has_happened, upstream.refused, tuple(upstream.seen)
        answer = outcomes.comparable(result.structured_content, self._known)
        case = outcomes.FaultyCall(result, answer, seen, refused, fault.gone, upstream.state())
        found = list(outcomes.find_violations(self.normal, case))
        if not has_happened:
            found.append("it did not happen")
        if any(each in (shown := result.model_dump_json()) for each in (MARKER, API_KEY, _DIRECTORY_KEY)):
            found.append(f"it is shown: {shown}")
        self.report(*(f"{fault.name} at the {position}: {each}" for each in found))
        self.outcomes[fault, position] = text_of(result).partition(":")[0] if result.is_error else "ok"

    def shown(self) -> str:
        """The result of each fault, as a table."""
        positions = list(dict.fromkeys(position for _, position in self.outcomes))
        head = [self._name, *map(str, positions)]
        rows = [[fault.name, *(self.outcomes[fault, position] for position in positions)] for fault in FAULTS]
        return "".join(
            f"{row[0]:<50}{''.join(f'{cell:<24}' for cell in row[1:])}".rstrip() + "\n" for row in [head, *rows]
        )
