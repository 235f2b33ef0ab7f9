"""Compare our server over HTTP with other servers: calls per second, memory, and CPU time of workers.

    uv run python benchmarks/streamable_http.py [--quick] [--check]

Calls per second are compared three times. With a `constant backend`, our server and a bare one on the same SDK answer
from memory, so that only the protocol and our own code are measured. In the other comparisons each call is also a
request to an API on this machine: against the bare server, which makes it with httpx, and against the server that
FastMCP generates from the API's OpenAPI document. Two servers run by turns in one run, with the same HTTP parser and
event loop. Figures and ratios are medians of the rounds. Traffic stays on this machine.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import median

from common.http_client import Connection, HttpClient, call_at_full_speed, call_at_rate, open_clients
from common.http_servers import (
    HttpServer,
    bare_constant_server,
    bare_server,
    generated_server,
    our_constant_server,
    our_server,
    our_workers,
    start_servers,
)
from common.processes import start_api
from common.report import (
    Row,
    at_least_ratio,
    at_most_ratio,
    build_parser,
    compile_modules,
    describe_machine,
    exit_code,
    to_markdown,
)
from common.stdio_client import Era

_MIN_RATE_RATIO = 0.8
_MIN_ONE_CLIENT_RATIO = 0.9
"""With a constant backend."""
_MIN_GENERATED_RATIO = 1.6
_RATE_WARM_UP_SECONDS = 0.3
_ERAS: tuple[Era, ...] = ("modern", "legacy")
_CLIENT_COUNTS = (1, 32)
_CONSTANT, _HTTP = "constant backend", "backend over HTTP, bare with httpx"
_GENERATED = "backend over HTTP, against FastMCP's generated server"

_MAX_MEMORY_RATIO = 1.10
_CALLS_PER_ERA = 5
"""Calls in each era on each connection."""
_CONCURRENT_SESSIONS = 8
_SETTLE_SECONDS = 1.0
"""How long the server may take to notice that its clients have disconnected."""

_MAX_CPU_RATIO = 1.10
_WORKER_CLIENTS = 32
_WORKER_WARM_UP_SECONDS = 1.0
_LOAD_SHARE = 0.5
"""Of the calls per second that one worker can answer."""

Pairs = Mapping[str, tuple[HttpServer, HttpServer]]
"""Our server and the other one, by their backend."""
Rates = dict[str, list[tuple[float, float]]]
"""Calls per second of our server and of the other one in each round, by their backend."""


def measure_rates(api_url: str, rounds: int, seconds: float) -> list[Row]:
    """Compare the rates by turns: with a backend in memory, and with a backend over HTTP."""
    programs = (our_constant_server(), bare_constant_server(), our_server(api_url), bare_server(api_url))
    with start_servers(*programs) as (ours_constant, bare_constant, ours, bare):
        pairs = {_CONSTANT: (ours_constant, bare_constant), _HTTP: (ours, bare)}
        found = {
            (era, count): asyncio.run(_measure_pairs(pairs, era, count, rounds, seconds))
            for era in _ERAS
            for count in _CLIENT_COUNTS
        }
    return [
        _compare_rates(era, count, backend, rates[backend])
        for backend in (_CONSTANT, _HTTP)
        for (era, count), rates in found.items()
    ]


def measure_against_generated(api_url: str, rounds: int, seconds: float) -> list[Row]:
    """Compare the rates with those of FastMCP's generated server by turns, with many clients."""
    count = max(_CLIENT_COUNTS)
    with start_servers(our_server(api_url), generated_server(api_url)) as (ours, generated):
        pairs = {_GENERATED: (ours, generated)}
        return [
            _compare_rates(
                era, count, _GENERATED, asyncio.run(_measure_pairs(pairs, era, count, rounds, seconds))[_GENERATED]
            )
            for era in _ERAS
        ]


def _compare_rates(era: Era, count: int, backend: str, rates: Sequence[tuple[float, float]]) -> Row:
    """The ratio is the median of the rounds' ratios, since other load on the machine changes between rounds."""
    what = f"get_contact, {era}, {count} client{'s' if count > 1 else ''}, {backend}"
    ours, other = (median(of_one) for of_one in zip(*rates, strict=True))
    ratio = median(of_ours / of_other for of_ours, of_other in rates)
    return at_least_ratio(what, ours, other, _target(count, backend), "calls/s", ratio)


def _target(count: int, backend: str) -> float:
    if backend == _GENERATED:
        return _MIN_GENERATED_RATIO
    return _MIN_ONE_CLIENT_RATIO if (count, backend) == (1, _CONSTANT) else _MIN_RATE_RATIO


async def _measure_pairs(pairs: Pairs, era: Era, count: int, rounds: int, seconds: float) -> Rates:
    """Measure the rates of every server with `count` clients."""
    found: Rates = {backend: [] for backend in pairs}
    async with AsyncExitStack() as stack:
        clients = {
            server: await stack.enter_async_context(open_clients(server.port, era, count))
            for pair in pairs.values()
            for server in pair
        }
        for callers in clients.values():
            await call_at_full_speed(callers, _RATE_WARM_UP_SECONDS)
        for turn in range(rounds):
            for backend, pair in pairs.items():
                order = pair if turn % 2 else pair[::-1]  # so that neither always comes first
                rates = {server: (await call_at_full_speed(clients[server], seconds)).rate for server in order}
                found[backend].append((rates[pair[0]], rates[pair[1]]))
    return found


def measure_memory(first: int, last: int) -> list[Row]:
    """Compare the memory after `last` sessions with that after the `first`. Clients end only half of the sessions."""
    with start_servers(our_constant_server()) as (server,):
        numbers = iter(range(last))
        asyncio.run(_open_sessions(server, numbers, first))
        before = server.memory()
        asyncio.run(_open_sessions(server, numbers, last - first))
        after = server.memory()
    what = f"after {_count_calls(last)} calls and {last:,} sessions, against {_count_calls(first)} and {first:,}"
    return [
        at_most_ratio(f"memory {what}, {kind}", ours / 1024**2, baseline / 1024**2, _MAX_MEMORY_RATIO, "MB")
        for kind, ours, baseline in [("resident", after.resident, before.resident), ("its own", after.own, before.own)]
    ]


async def _open_sessions(server: HttpServer, numbers: Iterator[int], count: int) -> None:
    """Take `count` of the numbers, and open a session for each."""
    taken = iter([next(numbers) for _ in range(count)])

    async def open_one_by_one() -> None:
        for number in taken:
            await _use_session(server.port, end=bool(number % 2))

    await asyncio.gather(*(open_one_by_one() for _ in range(_CONCURRENT_SESSIONS)))
    await asyncio.sleep(_SETTLE_SECONDS)


async def _use_session(port: int, *, end: bool) -> None:
    """Make calls in a session and without one on a connection, then disconnect."""
    connection = await Connection.open(port)
    legacy, modern = HttpClient(connection, "legacy"), HttpClient(connection, "modern")
    for client in (legacy, modern):
        await client.connect()
        for _ in range(_CALLS_PER_ERA):
            await client.call()
    if end:
        await legacy.end_session()
    connection.close()


def _count_calls(sessions: int) -> str:
    return f"{2 * _CALLS_PER_ERA * sessions:,}"


class _CpuTime:
    """The processor time that all processes of a server use for calls."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._seconds = 0.0
        self._calls = 0

    async def add(self, rate: float, seconds: float) -> None:
        """Measure `rate` calls per second. A worker keeps its connections, so each time there are new ones."""
        async with open_clients(self._server.port, "modern", _WORKER_CLIENTS) as clients:
            before = self._server.cpu_seconds()
            self._calls += (await call_at_rate(clients, rate, seconds)).calls
            self._seconds += self._server.cpu_seconds() - before

    @property
    def milliseconds_per_call(self) -> float:
        """Processor time of one call."""
        return 1000 * self._seconds / self._calls


def measure_workers(api_url: str, rounds: int, seconds: float) -> list[Row]:
    """Compare the CPU time per call of two workers with that of one, by turns. The supervisor's time counts too.

    Both get half of the calls per second that one worker can answer. At full speed two workers, the clients and the API
    would compete for two cores, and that would count as the workers' time.
    """
    with start_servers(our_workers(api_url, 2), our_workers(api_url, 1)) as servers:
        *_, limit = [asyncio.run(_find_limit(server)) for server in servers]
        two, one = cpu_times = [_CpuTime(server) for server in servers]
        for _ in range(rounds):
            for cpu_time in cpu_times:
                asyncio.run(cpu_time.add(_LOAD_SHARE * limit, seconds))
    what = f"CPU time per call, modern, {_WORKER_CLIENTS} clients, 2 workers against 1"
    return [at_most_ratio(what, two.milliseconds_per_call, one.milliseconds_per_call, _MAX_CPU_RATIO, "ms")]


async def _find_limit(server: HttpServer) -> float:
    """Return the calls per second that the server can answer."""
    async with open_clients(server.port, "modern", _WORKER_CLIENTS) as clients:
        return (await call_at_full_speed(clients, _WORKER_WARM_UP_SECONDS)).rate


def measure(*, quick: bool) -> list[Row]:
    """Measure all figures; a quick run takes half a minute, a full one five."""
    with start_api() as api_url:
        rows = measure_rates(api_url, rounds=3 if quick else 40, seconds=0.15)
        rows += measure_against_generated(api_url, rounds=3 if quick else 20, seconds=0.3)
        rows += measure_memory(first=50 if quick else 500, last=200 if quick else 5_000)
        return rows + measure_workers(api_url, rounds=2 if quick else 16, seconds=0.5 if quick else 1.0)


def main() -> int:
    """Print the table."""
    options = build_parser("Compare our server over HTTP with a bare one.", "shorter, for a first look").parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that the servers are ended as well
    compile_modules()
    machine = describe_machine()
    rows = measure(quick=options.quick)
    print(to_markdown(rows), machine, sep="\n\n")
    return exit_code(rows, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
