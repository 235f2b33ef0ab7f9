"""The time limit of a call counts the time in which it waits for the service, however many requests wait."""

import anyio
import pytest

from contacts_mcp.contract import TIME_LIMIT_SECONDS, Call, ListContactGroups
from contacts_mcp.tools._time_limit import TimeLimit
from support.clock import Clock


class _Service:
    """A client whose requests wait until they are released; `left` is the time that each of them got."""

    def __init__(self) -> None:
        self.left: list[float] = []
        self.released = anyio.Event()

    async def send(self, _call: Call[None], _report: object = None) -> None:
        self.left.append(anyio.current_effective_deadline() - anyio.current_time())
        await self.released.wait()


async def _send_at_once(limit: TimeLimit, service: _Service, number: int, clock: Clock, seconds: float) -> None:
    """Send requests that all wait for this time."""
    service.released = anyio.Event()
    before = len(service.left)
    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(limit.send, ListContactGroups())
        while len(service.left) < before + number:
            await anyio.lowlevel.checkpoint()
        clock.now += seconds
        service.released.set()


async def test_requests_that_wait_at_the_same_time_count_once() -> None:
    service, clock = _Service(), Clock()
    limit = TimeLimit(service, clock)  # type: ignore[arg-type]

    await _send_at_once(limit, service, 8, clock, 3.0)
    await _send_at_once(limit, service, 1, clock, 2.0)
    await _send_at_once(limit, service, 1, clock, 0.0)

    assert service.left[8:] == pytest.approx([TIME_LIMIT_SECONDS - 3, TIME_LIMIT_SECONDS - 5], abs=0.5)


async def test_request_that_begins_while_another_waits_gets_only_the_time_that_is_left() -> None:
    service, clock = _Service(), Clock()
    limit = TimeLimit(service, clock)  # type: ignore[arg-type]

    async with anyio.create_task_group() as tasks:
        for number in range(1, 4):
            tasks.start_soon(limit.send, ListContactGroups())
            while len(service.left) < number:
                await anyio.lowlevel.checkpoint()
            clock.now += 4.0
        service.released.set()

    assert service.left == pytest.approx([TIME_LIMIT_SECONDS - seconds for seconds in (0, 4, 8)], abs=0.5)


async def test_time_between_requests_does_not_count() -> None:
    """In it a person answers a question."""
    service, clock = _Service(), Clock()
    limit = TimeLimit(service, clock)  # type: ignore[arg-type]

    await _send_at_once(limit, service, 1, clock, 5.0)
    clock.now += 300.0
    await _send_at_once(limit, service, 1, clock, 0.0)

    assert service.left[1] == pytest.approx(TIME_LIMIT_SECONDS - 5, abs=0.5)
