"""What our server still holds after many sessions, of which half were never ended by their clients."""

import asyncio
from collections.abc import Iterator

from connection import Connection
from http_client import Client
from services import Service, ours_constant, serving
from table import Row, at_most

_LIMIT = 1.10
_CALLS = 5
"""Calls in each era, on each of the connections."""
_AT_ONCE = 8
_SETTLED = 1.0
"""Seconds until the server has noticed who is gone."""


def measure_memory(first: int, last: int) -> list[Row]:
    """Compare what is held after `last` sessions with what was held after the `first` of them."""
    with serving(ours_constant()) as (service,):
        numbers = iter(range(last))
        asyncio.run(_open_and_drop(service, numbers, first))
        before = service.memory()
        asyncio.run(_open_and_drop(service, numbers, last - first))
        after = service.memory()
    what = f"after {_calls(last)} calls and {last:,} sessions, against {_calls(first)} and {first:,}"
    return [
        at_most(f"memory {what}, resident", _megabytes(after.resident), _megabytes(before.resident), _LIMIT, "MB"),
        at_most(f"memory {what}, its own", _megabytes(after.own), _megabytes(before.own), _LIMIT, "MB"),
    ]


async def _open_and_drop(service: Service, numbers: Iterator[int], count: int) -> None:
    """Take so many of the numbers, and open a session for each."""
    mine = iter([next(numbers) for _ in range(count)])

    async def one_by_one() -> None:
        for number in mine:
            await _session(service.port, ended=bool(number % 2))

    await asyncio.gather(*(one_by_one() for _ in range(_AT_ONCE)))
    await asyncio.sleep(_SETTLED)


async def _session(port: int, *, ended: bool) -> None:
    """One connection: a session and its calls, and as many calls that need none. Then the client is gone."""
    connection = await Connection.open(port)
    legacy, modern = Client(connection, "legacy"), Client(connection, "modern")
    for client in (legacy, modern):
        await client.connect()
        for _ in range(_CALLS):
            await client.call()
    if ended:
        await legacy.end()
    connection.close()


def _calls(sessions: int) -> str:
    return f"{2 * _CALLS * sessions:,}"


def _megabytes(count: int) -> float:
    return count / 1024**2
