"""What a supervisor asks: whether the process is alive, and whether it can serve."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from contacts_mcp.contract import ContactsError
from contacts_mcp.transports.http._stopping import Stopping

HEALTH, READINESS = "/healthz", "/readyz"
_FRESH = 5.0
"""Seconds for which an answer of the backend is passed on, so that probes cost it little."""
_PATIENCE = 3.0

ReadinessCheck = Callable[[], Awaitable[None]]


class Health:
    """Two pages without a key: alive is whoever answers, ready is whoever also reaches the backend.

    `reach` raises a ContactsError where the backend cannot be worked with.
    """

    def __init__(
        self, check_ready: ReadinessCheck, stopping: Stopping, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._check_ready = check_ready
        self._stopping = stopping
        self._clock = clock
        self._fault: str | None = None
        self._until = 0.0
        self._asking = anyio.Lock()

    def routes(self) -> list[Route]:
        return [Route(HEALTH, self._alive, methods=["GET"]), Route(READINESS, self._ready, methods=["GET"])]

    async def _alive(self, _request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def _ready(self, _request: Request) -> JSONResponse:
        fault = "stopping" if self._stopping.begun else await self._look()
        if fault is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": fault}, HTTPStatus.SERVICE_UNAVAILABLE)

    async def _look(self) -> str | None:
        """The code of what is wrong with the backend: not its words, which may hold an address."""
        async with self._asking:
            if self._clock() >= self._until:
                self._fault = await self._fault_now()
                self._until = self._clock() + _FRESH
            return self._fault

    async def _fault_now(self) -> str | None:
        try:
            with anyio.fail_after(_PATIENCE):
                await self._check_ready()
        except ContactsError as exc:
            return exc.code
        except TimeoutError:
            return "unreachable"
        return None
