"""How many calls one caller may have running at once, on every transport."""

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from contacts_mcp.contract import RateLimited
from contacts_mcp.server import CALLER_SCOPE_KEY, ActiveCalls, Caller


def request_of(principal: str) -> Any:
    """The context of a request that a network transport has authenticated."""
    return SimpleNamespace(request=SimpleNamespace(scope={CALLER_SCOPE_KEY: Caller(principal)}))


async def test_call_above_the_limit_is_refused_and_says_how_long_to_wait() -> None:
    calls = ActiveCalls(3)
    with ExitStack() as running:
        for _ in range(3):
            running.enter_context(calls.running(request_of("kari")))
        with (
            pytest.raises(RateLimited, match="3 of your calls are still running") as refused,
            calls.running(request_of("kari")),
        ):
            pass

    assert refused.value.retry_after == 1
    with calls.running(request_of("kari")):
        pass


async def test_calls_of_one_caller_do_not_affect_another() -> None:
    calls = ActiveCalls(1)
    with calls.running(request_of("kari")), calls.running(request_of("ola")):
        pass


async def test_failed_call_makes_room_for_another() -> None:
    calls = ActiveCalls(1)
    for _ in range(3):
        with pytest.raises(ValueError), calls.running(request_of("kari")):
            raise ValueError


async def test_cancelled_call_makes_room_for_another() -> None:
    calls = ActiveCalls(1)
    async with anyio.create_task_group() as tasks:

        async def call() -> None:
            with calls.running(request_of("kari")):
                await anyio.sleep_forever()

        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        calls.cancel_all()
        await calls.wait_until_idle()

    with calls.running(request_of("kari")):
        pass


async def test_without_a_limit_any_number_of_calls_may_run() -> None:
    calls = ActiveCalls()
    with ExitStack() as running:
        for _ in range(100):
            running.enter_context(calls.running(request_of("kari")))
