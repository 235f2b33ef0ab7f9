"""Health pages for a supervisor, and an orderly end within seconds."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import anyio
from sse_starlette.sse import AppStatus
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contacts_mcp.contract import ContactsError
from contacts_mcp.operating_system import STOP_SIGNALS
from contacts_mcp.readiness import PART_WORKS, render_readiness
from contacts_mcp.server import ActiveCalls

HEALTH_PATH, READINESS_PATH = "/healthz", "/readyz"
READINESS_TIMEOUT_SECONDS = 3.0
_READINESS_TTL_SECONDS = 5.0
"""How long an answer of the backend is reused, so that probes cost it little."""
_CALLS_TIMEOUT_SECONDS = 2.5
"""How long running calls may take to finish after SIGTERM."""
_FLUSH_SECONDS = 0.3
"""How long the last answers may take to leave."""

ReadinessCheck = Callable[[], Awaitable[None]]
"""Raises a ContactsError if a part of the server cannot be used."""


class Shutdown:
    """What happens from SIGTERM on: subscriptions end, calls finish or are cancelled, then all streams end.

    ASGI servers tell an app to stop only after every connection has ended, which an event stream never does by itself.
    So the signal is handled here as well. A call that does not finish in time is cancelled, and tells its caller.
    """

    def __init__(self, calls: ActiveCalls, close_subscriptions: Callable[[], None]) -> None:
        self.has_begun = False
        self._calls = calls
        self._close_subscriptions = close_subscriptions

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        """Handle SIGTERM and SIGINT after the ASGI server has; only a process's main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        drains = AppStatus.enable_automatic_graceful_drain
        AppStatus.enable_automatic_graceful_drain = False  # it would cut off answers that are on their way
        loop, signalled = asyncio.get_running_loop(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop, signalled)
            previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}

            def handle(number: int, frame: FrameType | None) -> None:
                handler: Any = previous[number]
                if callable(handler):
                    handler(number, frame)
                loop.call_soon_threadsafe(signalled.set)

            for number in STOP_SIGNALS:
                signal.signal(number, handle)
            try:
                yield
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)
                AppStatus.should_exit, AppStatus.enable_automatic_graceful_drain = False, drains
                tasks.cancel_scope.cancel()

    async def _stop(self, signalled: anyio.Event) -> None:
        await signalled.wait()
        self.has_begun = True
        self._close_subscriptions()
        with anyio.move_on_after(_CALLS_TIMEOUT_SECONDS):
            await self._calls.wait_until_idle()
        self._calls.cancel_all()
        await anyio.sleep(_FLUSH_SECONDS)
        AppStatus.should_exit = True


class HealthPages:
    """Two pages without authentication: the process is alive if it answers, and ready if all its parts work."""

    def __init__(
        self, checks: Mapping[str, ReadinessCheck], shutdown: Shutdown, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._shutdown = shutdown
        self._clock = clock
        self._parts: dict[str, str] = {}
        self._fresh_until = 0.0
        self._lock = anyio.Lock()

    def routes(self) -> list[Route]:
        return [
            Route(HEALTH_PATH, self._get_health, methods=["GET"]),
            Route(READINESS_PATH, self._get_readiness, methods=["GET"]),
        ]

    async def _get_health(self, _request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def _get_readiness(self, request: Request) -> Response:
        if self._shutdown.has_begun:
            return render_readiness({}, request, "stopping")
        return render_readiness(await self._examine(), request)

    async def _examine(self) -> dict[str, str]:
        """Return the state of each part; an answer is reused for seconds."""
        async with self._lock:
            if self._clock() >= self._fresh_until:
                parts = dict.fromkeys(self._checks, PART_WORKS)
                async with anyio.create_task_group() as tasks:
                    for name, check in self._checks.items():
                        tasks.start_soon(self._examine_part, parts, name, check)
                self._parts = parts
                self._fresh_until = self._clock() + _READINESS_TTL_SECONDS
            return self._parts

    async def _examine_part(self, parts: dict[str, str], name: str, check: ReadinessCheck) -> None:
        """Store the code of a part's fault, without its message, which may hold an address."""
        try:
            with anyio.fail_after(READINESS_TIMEOUT_SECONDS):
                await check()
        except (ContactsError, TimeoutError) as exc:
            parts[name] = exc.code if isinstance(exc, ContactsError) else "unreachable"
