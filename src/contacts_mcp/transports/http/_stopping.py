"""Stopping within seconds, with streams open and calls under way.

ASGI servers tell an app that it has to stop only after every connection has ended, which an event stream never does
by itself. So the signal is heard here as well: subscriptions end, calls get a grace to finish, those that do not are
ended and tell their callers, and then every stream ends and the server has nothing left to wait for.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import anyio
from sse_starlette.sse import AppStatus

from contacts_mcp.server import ActiveCalls

GRACE = 2.5
"""Seconds that calls under way get to finish."""
_LAST_WORDS = 0.3
"""Seconds that the last answers get to leave."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """What happens from SIGTERM on. `close_subscriptions` ends what waits for events alone."""

    def __init__(self, calls: ActiveCalls, close_subscriptions: Callable[[], None], grace: float = GRACE) -> None:
        self.begun = False
        self._calls = calls
        self._farewell = close_subscriptions
        self._grace = grace

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        """Hear SIGTERM and SIGINT, after the ASGI server has; only a process's main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        drains = AppStatus.enable_automatic_graceful_drain
        AppStatus.enable_automatic_graceful_drain = False  # it would cut off answers that are on their way
        loop, asked = asyncio.get_running_loop(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop, asked)
            before = {number: signal.getsignal(number) for number in _SIGNALS}

            def heard(number: int, frame: FrameType | None) -> None:
                handler: Any = before[signal.Signals(number)]
                if callable(handler):
                    handler(number, frame)
                loop.call_soon_threadsafe(asked.set)

            for number in _SIGNALS:
                signal.signal(number, heard)
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                AppStatus.should_exit, AppStatus.enable_automatic_graceful_drain = False, drains
                tasks.cancel_scope.cancel()

    async def _stop(self, asked: anyio.Event) -> None:
        await asked.wait()
        self.begun = True
        self._farewell()
        with anyio.move_on_after(self._grace):
            await self._calls.wait_until_idle()
        self._calls.cancel_all()
        await anyio.sleep(_LAST_WORDS)
        AppStatus.should_exit = True
