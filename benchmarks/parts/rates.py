"""How many calls per second our server answers over HTTP, for each that a bare one answers."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import median

from host import Era
from load import burst, connected
from services import Service, bare, bare_constant, ours, ours_constant, serving
from table import Row, at_least

_LIMIT = 0.8
_WARM_UP = 0.3
"""Seconds of calls before those that count."""
_ERAS: tuple[Era, ...] = ("modern", "legacy")
_CLIENTS = (1, 32)
_PAIRS = ("constant backend", "backend over HTTP, bare with httpx")

Pairs = Mapping[str, tuple[Service, Service]]
"""Our server and the bare one, by what is behind them."""
Rates = dict[str, list[tuple[float, float]]]
"""Calls per second of each, round by round."""


def measure_rates(api: str, rounds: int, seconds: float) -> list[Row]:
    """Compare rates by turns: with a backend inside the process, and with one that is asked over HTTP."""
    with serving(ours_constant(), bare_constant(), ours(api), bare(api)) as (first, second, third, fourth):
        pairs = dict(zip(_PAIRS, [(first, second), (third, fourth)], strict=True))
        found = {
            (era, count): asyncio.run(_rates(pairs, era, count, rounds, seconds)) for era in _ERAS for count in _CLIENTS
        }
    return [
        _row(f"get_contact, {era}, {count} client{'s' if count > 1 else ''}, {backend}", rates[backend])
        for backend in _PAIRS
        for (era, count), rates in found.items()
    ]


def _row(what: str, rates: Sequence[tuple[float, float]]) -> Row:
    """The ratio is the median of those of the rounds, since what else runs on the machine changes between them."""
    mine, its = (median(of_one) for of_one in zip(*rates, strict=True))
    return at_least(what, mine, its, _LIMIT, "calls/s", median(of_ours / of_bare for of_ours, of_bare in rates))


async def _rates(pairs: Pairs, era: Era, count: int, rounds: int, seconds: float) -> Rates:
    """The rates of every server, with so many clients at once."""
    found: Rates = {backend: [] for backend in pairs}
    async with AsyncExitStack() as stack:
        clients = {
            service: await stack.enter_async_context(connected(service.port, era, count))
            for pair in pairs.values()
            for service in pair
        }
        for callers in clients.values():
            await burst(callers, _WARM_UP)
        for turn in range(rounds):
            for backend, pair in pairs.items():
                order = pair if turn % 2 else pair[::-1]  # whoever comes first does not always do
                rate = {service: (await burst(clients[service], seconds)).rate for service in order}
                found[backend].append((rate[pair[0]], rate[pair[1]]))
    return found
