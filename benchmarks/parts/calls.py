"""What a call costs over stdio in the steady state, and how many go on at once."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import httpx
from host import Host
from launch import BARE, Program, platform, started
from page import CONTACT_ID
from table import Row, at_least, at_most

_ROUND_TRIPS = 1.3
_IN_FLIGHT = 16
_GAIN = 12
_WARM_UP = 50
_ARGUMENTS = {"contact_id": CONTACT_ID}


@contextmanager
def connected(program: Program) -> Iterator[Host]:
    """A host whose server has been asked once for everything it opens late."""
    with started(program) as child:
        host = Host(child, "modern")
        host.connect()
        host.call("get_contact", _ARGUMENTS)
        yield host


def measure_calls(api: str, blocks: int, block: int) -> list[Row]:
    """Compare our get_contact with a bare call plus 1.3 raw round trips to the same API, block by block."""
    with connected(platform(api)) as ours, connected(BARE) as bare, asyncio.Runner() as runner:
        client = runner.run(_open_client())
        takers: dict[str, Callable[[int], list[float]]] = {
            "ours": lambda count: _time_calls(ours, count),
            "bare": lambda count: _time_calls(bare, count),
            "httpx": lambda count: runner.run(_time_gets(client, f"{api}/v1/contacts/{CONTACT_ID}", count)),
        }
        taken: dict[str, list[float]] = {name: [] for name in takers}
        for take in takers.values():
            take(_WARM_UP)
        for _ in range(blocks):
            for name, take in takers.items():
                taken[name] += take(block)
        runner.run(client.aclose())
    ms = {name: 1000 * median(seconds) for name, seconds in taken.items()}
    what = f"get_contact over stdio (baseline: bare {ms['bare']:.2f} ms + {_ROUND_TRIPS} x httpx {ms['httpx']:.2f} ms)"
    return [at_most(what, ms["ours"], ms["bare"] + _ROUND_TRIPS * ms["httpx"], 1, "ms")]


def measure_concurrency(api: str, alone: int, together: int) -> list[Row]:
    """Compare the rate with 16 calls in flight with that of one at a time, at an API that takes its time."""
    with connected(platform(api)) as host:
        _rate(host, _IN_FLIGHT, _IN_FLIGHT)  # opens the connections
        one = _rate(host, alone, 1)
        many = _rate(host, together, _IN_FLIGHT)
    return [at_least(f"{_IN_FLIGHT} in flight against one at a time, API of 50 ms", many, one, _GAIN, "calls/s")]


def _time_calls(host: Host, count: int) -> list[float]:
    """Seconds of each of a number of calls, one after the other."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        host.call("get_contact", _ARGUMENTS)
        taken.append(time.perf_counter() - begun)
    return taken


async def _open_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(headers={"X-API-Key": "wayscloud_pat_bench_x"}, trust_env=False)


async def _time_gets(client: httpx.AsyncClient, url: str, count: int) -> list[float]:
    """Seconds of each of a number of GETs over one open connection."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        (await client.get(url)).raise_for_status()
        taken.append(time.perf_counter() - begun)
    return taken


def _rate(host: Host, count: int, in_flight: int) -> float:
    """Calls per second with so many always under way."""
    begun = time.perf_counter()
    for _ in range(in_flight):
        host.begin_call("get_contact", _ARGUMENTS)
    for _ in range(count - in_flight):
        host.end_call()
        host.begin_call("get_contact", _ARGUMENTS)
    for _ in range(in_flight):
        host.end_call()
    return count / (time.perf_counter() - begun)
