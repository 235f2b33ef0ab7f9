"""What a call costs in processor time where two workers share the calls.

Both servers get the same calls at the same rate, half of what one worker can answer. At full speed two workers, the
clients and the API would fight for two cores, and what that costs would count as the workers' own.
"""

import asyncio

from load import Burst, burst, connected, pace
from services import Service, serving, workers
from table import Row, at_most

_LIMIT = 1.10
_CLIENTS = 32
_WARM_UP = 1.0
_SHARE = 0.5
"""Of the calls that one worker can answer."""


class _Account:
    """Processor time of all processes of a server, and the calls it was used for."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seconds = 0.0
        self._calls = 0

    async def add(self, rate: float, seconds: float) -> None:
        """Have so many calls made per second, for so long.

        A worker keeps the connections that it took, so there are new ones each time.
        """
        async with connected(self._service.port, "modern", _CLIENTS) as clients:
            before = self._service.cpu_seconds()
            self._calls += (await pace(clients, rate, seconds)).calls
            self._seconds += self._service.cpu_seconds() - before

    @property
    def milliseconds(self) -> float:
        """Processor time of one call."""
        return 1000 * self._seconds / self._calls


def measure_workers(api: str, rounds: int, seconds: float) -> list[Row]:
    """Compare two workers with one, by turns; the supervisor's time counts as well."""
    with serving(workers(api, 2), workers(api, 1)) as services:
        *_, limit = [asyncio.run(_at_full_speed(service)).rate for service in services]
        two, one = accounts = [_Account(service) for service in services]
        for _ in range(rounds):
            for account in accounts:
                asyncio.run(account.add(_SHARE * limit, seconds))
    what = f"CPU time per call, modern, {_CLIENTS} clients, 2 workers against 1"
    return [at_most(what, two.milliseconds, one.milliseconds, _LIMIT, "ms")]


async def _at_full_speed(service: Service) -> Burst:
    async with connected(service.port, "modern", _CLIENTS) as clients:
        return await burst(clients, _WARM_UP)
