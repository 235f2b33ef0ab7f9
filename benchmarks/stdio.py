"""Compare our server over stdio with a bare server on the same SDK: starts, memory, calls, and tokens of the tools.

    uv run python benchmarks/stdio.py [--quick] [--check]

Both servers run by turns in one run, since the machine's speed changes from minute to minute. Figures are medians.
Traffic stays on this machine.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

import bpe_openai
import httpx
from common.api_samples import CONTACT_ID
from common.processes import API_KEY, BARE_SERVER, EMBEDDED_SERVER, Program, platform_server, start, start_api
from common.report import (
    Row,
    at_least_ratio,
    at_most_ratio,
    below_count,
    build_parser,
    compile_modules,
    describe_machine,
    exit_code,
    to_markdown,
)
from common.stdio_client import Era, StdioClient

_MAX_FIRST_START_RATIO = 1.15
_MAX_START_RATIO = 0.2
_MAX_FIRST_CALL_RATIO = 1.1
_MAX_MEMORY_RATIO = 1.1
_MAX_END_RATIO = 0.5
_ERAS: tuple[Era, ...] = ("modern", "legacy")

_MAX_CALL_RATIO = 1.15
"""To a bare call and one request to the API with httpx."""
_MAX_EMBEDDED_RATIO = 0.8
_CONTACTS, _PER_PAGE = 60, 50
_IN_FLIGHT = 16
_MIN_CONCURRENCY_GAIN = 12
_WARM_UP_CALLS = 50
_ARGUMENTS = {"contact_id": CONTACT_ID}

_MAX_TOKENS = 3_200
_MODEL_KEYS = ("name", "description", "inputSchema")
"""What a host passes to the model. Titles, annotations and output schemas stay in the host."""


@dataclass(frozen=True, slots=True)
class Start:
    """One start: the seconds from the spawn to the first answers, the memory then, and the seconds of the end."""

    list_seconds: float
    call_seconds: float
    resident_bytes: int
    end_seconds: float


def measure_starts(api_url: str, repetitions: int) -> list[Row]:
    """Compare starts of our server, with and without a key, with starts of the bare one, by turns.

    The starts of a program have one home, so that all but the first are quick; `first` are starts without a snapshot.
    """
    slow = {"CONTACTS_MCP_QUICK_START": "0"}
    programs = {"bare": BARE_SERVER, "no key": EMBEDDED_SERVER, "key": platform_server(api_url)}
    programs["first"] = Program(EMBEDDED_SERVER.module, EMBEDDED_SERVER.arguments, slow)
    starts: dict[tuple[str, Era], list[Start]] = {(name, era): [] for era in _ERAS for name in programs}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(repetitions + 1):
            for (name, era), found in starts.items():
                home = Path(folder, name)
                home.mkdir(exist_ok=True)
                measured = _start(programs[name], era, home)
                if turn:  # the first turn fills the disk's cache, and writes the snapshots
                    found.append(measured)
    return [*_compare_times(starts), *_compare_memory(starts), *_compare_ends(starts)]


def _start(program: Program, era: Era, home: Path) -> Start:
    with start(program, home) as child:
        client = StdioClient(child, era)
        client.connect()
        client.list_tools()
        listed = time.perf_counter() - child.started
        client.send_call("get_contact", _ARGUMENTS)
        client.receive_any()  # a new directory does not have this contact
        called, resident_bytes = time.perf_counter() - child.started, child.resident_bytes()
        return Start(listed, called, resident_bytes, child.close_input())


def _compare_times(starts: dict[tuple[str, Era], list[Start]]) -> list[Row]:
    rows = []
    for what, limit, get in (
        ("first tools/list", _MAX_START_RATIO, attrgetter("list_seconds")),
        ("first call answered", _MAX_FIRST_CALL_RATIO, attrgetter("call_seconds")),
    ):
        ms = {key: 1000 * median(map(get, found)) for key, found in starts.items()}
        for name, era in starts:
            if name != "bare" and (name != "first" or limit == _MAX_START_RATIO):
                allowed = _MAX_FIRST_START_RATIO if name == "first" else limit
                shown = "without a snapshot" if name == "first" else name
                rows.append(
                    at_most_ratio(f"spawn to {what}, {era}, {shown}", ms[name, era], ms["bare", era], allowed, "ms")
                )
    return rows


def _compare_memory(starts: dict[tuple[str, Era], list[Start]]) -> list[Row]:
    mb = {key: median(measured.resident_bytes for measured in found) / 1024**2 for key, found in starts.items()}
    bare = mb["bare", "modern"]
    return [
        at_most_ratio(f"resident after the first call, {name}", mb[name, "modern"], bare, _MAX_MEMORY_RATIO, "MB")
        for name in ("no key", "key")
    ]


def _compare_ends(starts: dict[tuple[str, Era], list[Start]]) -> list[Row]:
    ms = {key: 1000 * median(measured.end_seconds for measured in found) for key, found in starts.items()}
    bare = ms["bare", "modern"]
    return [
        at_most_ratio(f"closed input to exit, {name}", ms[name, "modern"], bare, _MAX_END_RATIO, "ms")
        for name in ("no key", "key")
    ]


@contextmanager
def connect(program: Program) -> Iterator[StdioClient]:
    """Yield a client whose server has answered one call, for which it opens its backend."""
    with start(program) as child:
        client = StdioClient(child, "modern")
        client.connect()
        client.call("get_contact", _ARGUMENTS)
        yield client


def measure_calls(api_url: str, blocks: int, block: int) -> list[Row]:
    """Compare our get_contact with a bare call and one request to the same API with httpx, block by block."""
    with connect(platform_server(api_url)) as ours, connect(BARE_SERVER) as bare, asyncio.Runner() as runner:
        http = runner.run(_open_http_client())
        timers: dict[str, Callable[[int], list[float]]] = {
            "ours": lambda count: _time_calls(ours, count),
            "bare": lambda count: _time_calls(bare, count),
            "httpx": lambda count: runner.run(_time_requests(http, f"{api_url}/v1/contacts/{CONTACT_ID}", count)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in timers}
        for measure_block in timers.values():
            measure_block(_WARM_UP_CALLS)
        for _ in range(blocks):
            for name, measure_block in timers.items():
                seconds[name] += measure_block(block)
        runner.run(http.aclose())
    ms = {name: 1000 * median(measured) for name, measured in seconds.items()}
    what = f"get_contact over stdio (baseline: bare {ms['bare']:.2f} ms + httpx {ms['httpx']:.2f} ms)"
    return [at_most_ratio(what, ms["ours"], ms["bare"] + ms["httpx"], _MAX_CALL_RATIO, "ms")]


def measure_embedded(blocks: int, block: int) -> list[Row]:
    """Compare calls on the embedded directory with the same calls on an API that stores as many contacts, by turns."""
    with (
        start_api(stores=True) as api_url,
        start(EMBEDDED_SERVER) as embedded,
        start(platform_server(api_url)) as remote,
    ):
        clients = {"embedded": StdioClient(embedded, "modern"), "remote": StdioClient(remote, "modern")}
        ids = {name: _fill(client) for name, client in clients.items()}
        seconds: dict[tuple[str, str], list[float]] = {}
        for turn in range(blocks + 1):
            for name, client in clients.items():
                for tool, arguments in (
                    ("get_contact", {"contact_id": ids[name]}),
                    ("list_contacts", {"per_page": _PER_PAGE}),
                ):
                    measured = _time_calls(client, block, tool, arguments)
                    if turn:  # the first turn warms up
                        seconds.setdefault((tool, name), []).extend(measured)
    ms = {key: 1000 * median(measured) for key, measured in seconds.items()}
    return [
        at_most_ratio(
            f"{tool}, embedded against remote", ms[tool, "embedded"], ms[tool, "remote"], _MAX_EMBEDDED_RATIO, "ms"
        )
        for tool in ("get_contact", "list_contacts")
    ]


def _fill(client: StdioClient) -> str:
    """Create contacts, and return the id of the last one."""
    client.connect()
    for number in range(_CONTACTS):
        given = {"name": f"Person {number}", "phone_number": f"+479000{number:04}", "allow_duplicate": True}
        answer = client.request("tools/call", {"name": "create_contact", "arguments": given})
    id_: str = answer["structuredContent"]["id"]
    return id_


def measure_concurrency(api_url: str, sequential_calls: int, concurrent_calls: int) -> list[Row]:
    """Compare the rate of 16 calls in flight with the rate of one at a time, with an API that takes 50 ms."""
    with connect(platform_server(api_url)) as client:
        _measure_rate(client, _IN_FLIGHT, _IN_FLIGHT)  # opens the connections
        sequential = _measure_rate(client, sequential_calls, 1)
        concurrent = _measure_rate(client, concurrent_calls, _IN_FLIGHT)
    what = f"{_IN_FLIGHT} in flight against one at a time, API of 50 ms"
    return [at_least_ratio(what, concurrent, sequential, _MIN_CONCURRENCY_GAIN, "calls/s")]


def _time_calls(
    client: StdioClient, count: int, tool: str = "get_contact", arguments: dict[str, Any] = _ARGUMENTS
) -> list[float]:
    """Return the seconds of each of `count` calls, made one after the other."""
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        client.call(tool, arguments)
        seconds.append(time.perf_counter() - started)
    return seconds


async def _open_http_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(headers={"X-API-Key": API_KEY}, trust_env=False)


async def _time_requests(client: httpx.AsyncClient, url: str, count: int) -> list[float]:
    """Return the seconds of each of `count` requests over one open connection."""
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        (await client.get(url)).raise_for_status()
        seconds.append(time.perf_counter() - started)
    return seconds


def _measure_rate(client: StdioClient, count: int, in_flight: int) -> float:
    """Return calls per second with `in_flight` calls at any time."""
    started = time.perf_counter()
    for _ in range(in_flight):
        client.send_call("get_contact", _ARGUMENTS)
    for _ in range(count - in_flight):
        client.receive_answer()
        client.send_call("get_contact", _ARGUMENTS)
    for _ in range(in_flight):
        client.receive_answer()
    return count / (time.perf_counter() - started)


def measure_tokens() -> list[Row]:
    """Count the tokens (o200k) of the tool list as a model reads it."""
    with start(EMBEDDED_SERVER) as child:
        client = StdioClient(child, "modern")
        client.connect()
        tools = client.list_tools()
    text = json.dumps(
        [{key: tool[key] for key in _MODEL_KEYS} for tool in tools], ensure_ascii=False, separators=(",", ":")
    )
    count = len(bpe_openai.get_encoding("o200k_base").encode(text))
    return [below_count(f"tokens of the {len(tools)} tools (o200k)", count, _MAX_TOKENS)]


def measure(*, quick: bool) -> list[Row]:
    """Measure all figures; a quick run has a third of the repetitions."""
    with start_api() as api_url:
        rows = measure_starts(api_url, repetitions=5 if quick else 15)
        rows += measure_calls(api_url, blocks=10 if quick else 30, block=20)
    rows += measure_embedded(blocks=5 if quick else 15, block=20)
    with start_api(delay_ms=50) as api_url:
        rows += measure_concurrency(
            api_url, sequential_calls=10 if quick else 30, concurrent_calls=160 if quick else 480
        )
    return rows + measure_tokens()


def main() -> int:
    """Print the table."""
    description = "Compare our server over stdio with a bare one."
    options = build_parser(description, "fewer repetitions, for a first look").parse_args()
    compile_modules()
    machine = describe_machine()
    rows = measure(quick=options.quick)
    print(to_markdown(rows), machine, sep="\n\n")
    return exit_code(rows, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
