"""A page for the person at this computer, on a port that exists only while a question waits for them.

The browser gets an address that is valid once, for two minutes. It is exchanged at once for a cookie, and goes to the
browser alone: never to the model, a log or the audit trail. Starlette and uvicorn are imported when a page is opened.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from contacts_mcp.approval_page._browser import open_in_browser
from contacts_mcp.contract import ContactsError
from contacts_mcp.guard import Approval
from contacts_mcp.server import LOCAL_CALLER, ApprovalDesk

if TYPE_CHECKING:
    from contacts_mcp.approval_page._loopback_app import LoopbackApp
    from contacts_mcp.approval_page._loopback_server import LoopbackServer

BOOTSTRAP_SECONDS = 120.0
"""How long the address can be opened, and after which a page that was opened before is opened again if needed."""
MAX_OPENINGS_PER_MINUTE = 6
_LINGER_SECONDS = 60.0
"""How long the port stays after the last decision, so that its page can be read."""
_MINUTE_SECONDS = 60.0
_CHECK_SECONDS = 1.0
_CLOSE_SECONDS = 2.0


class LoopbackPage:
    """Opens pages for approvals in the browser of this computer.

    `desk` takes the decisions, of the local caller. `open_browser` returns whether it could open an address.
    """

    def __init__(
        self,
        desk: ApprovalDesk,
        open_browser: Callable[[str], Awaitable[bool]] = open_in_browser,
        *,
        linger_seconds: float = _LINGER_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._desk = desk
        self._open_browser = open_browser
        self._linger_seconds = linger_seconds
        self._clock = clock
        self._lock = anyio.Lock()
        self._opened_at: dict[str, float] = {}
        self._openings: deque[float] = deque(maxlen=MAX_OPENINGS_PER_MINUTE)
        self._running: _Running | None = None

    @property
    def port(self) -> int | None:
        """The port, while there is one."""
        return self._running.server.port if self._running else None

    async def open(self, approval: Approval) -> bool:
        """Open an approval's page, unless it was opened a moment ago. Returns False if that is not possible."""
        async with self._lock:
            now = self._clock()
            if self._running and now - self._opened_at.get(approval.id, -BOOTSTRAP_SECONDS) < BOOTSTRAP_SECONDS:
                return True
            if len(self._openings) == MAX_OPENINGS_PER_MINUTE and now - self._openings[0] < _MINUTE_SECONDS:
                return False
            self._openings.append(now)
            try:
                running = self._running = self._running or self._start()
            except OSError:
                return False
            address = f"{running.server.origin}{running.app.make_bootstrap(approval)}"
            is_open = await self._open_browser(address)
            if is_open:
                self._opened_at[approval.id] = now
            return is_open

    async def aclose(self) -> None:
        """Close the port, whatever waits."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_SECONDS):
            async with self._lock:
                if self._running:
                    self._running.watcher.cancel()
                    await self._stop(self._running)

    def _start(self) -> "_Running":
        from contacts_mcp.approval_page._loopback_app import LoopbackApp
        from contacts_mcp.approval_page._loopback_server import LoopbackServer

        listening = socket.create_server(("127.0.0.1", 0), backlog=16)
        app = LoopbackApp(self._desk, listening.getsockname()[1], self._clock, BOOTSTRAP_SECONDS)
        return _Running(app, LoopbackServer(app, listening), asyncio.create_task(self._close_when_done()))

    async def _close_when_done(self) -> None:
        """Close the port a while after the last question was decided or has expired."""
        done_since: float | None = None
        while True:
            await anyio.sleep(_CHECK_SECONDS)
            now = self._clock()
            done_since = None if await self._is_awaited() else done_since or now
            if done_since is None or now - done_since < self._linger_seconds:
                continue
            async with self._lock:
                if self._running and not await self._is_awaited():
                    await self._stop(self._running)
                    return

    async def _is_awaited(self) -> bool:
        """Whether a question whose page was opened here still waits."""
        try:
            pending = await self._desk.list_pending(LOCAL_CALLER, of_all=False)
        except ContactsError:
            return True
        return any(each.id in self._opened_at for each in pending)

    async def _stop(self, running: "_Running") -> None:
        await running.server.stop()
        self._running = None
        self._opened_at.clear()


class _Running:
    """The parts of a page that can be reached."""

    def __init__(self, app: "LoopbackApp", server: "LoopbackServer", watcher: "asyncio.Task[None]") -> None:
        self.app = app
        self.server = server
        self.watcher = watcher
