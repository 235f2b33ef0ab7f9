"""Clients that call as fast as they are answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from host import Era
from http_client import Client


@dataclass(frozen=True, slots=True)
class Burst:
    """Calls that were made together, and the seconds they took."""

    calls: int
    seconds: float

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds


@asynccontextmanager
async def connected(port: int, era: Era, count: int) -> AsyncIterator[Sequence[Client]]:
    """So many clients of a server, each with a connection of its own.

    They come one by one: of those that come at once, one worker would take all.
    """
    clients = [await Client.connected(port, era) for _ in range(count)]
    try:
        yield clients
        if era == "legacy":
            await asyncio.gather(*(client.end() for client in clients))
    finally:
        for client in clients:
            client.leave()


async def burst(clients: Sequence[Client], seconds: float) -> Burst:
    """Let each client call for so long, one call after the other."""
    begun = time.perf_counter()
    counts = await asyncio.gather(*(_calls(client, begun + seconds) for client in clients))
    return Burst(sum(counts), time.perf_counter() - begun)


async def _calls(client: Client, until: float) -> int:
    made = 0
    while time.perf_counter() < until:
        await client.call()
        made += 1
    return made


async def pace(clients: Sequence[Client], rate: float, seconds: float) -> Burst:
    """Have the clients make so many calls per second, in turn, for so long."""
    begun = time.perf_counter()
    calls = [begun + number / rate for number in range(int(rate * seconds))]
    await asyncio.gather(*(_on_time(client, calls[turn :: len(clients)]) for turn, client in enumerate(clients)))
    return Burst(len(calls), time.perf_counter() - begun)


async def _on_time(client: Client, times: Sequence[float]) -> None:
    for due in times:
        await asyncio.sleep(due - time.perf_counter())
        await client.call()
