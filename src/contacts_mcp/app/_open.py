"""`contacts-mcp open`: a server for the console of the person at this computer, which ends when no page is open."""

import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from starlette.types import ASGIApp

from contacts_mcp.app._backends import choose_backend
from contacts_mcp.app._consent import require_shared_approvals
from contacts_mcp.app._console import sentence_case, shorten_home
from contacts_mcp.app._links import choose_links
from contacts_mcp.app._server import build_app
from contacts_mcp.app._shared_state import open_shared_state
from contacts_mcp.audit import AuditDestinations
from contacts_mcp.console import LoopbackConsole
from contacts_mcp.settings import Settings
from contacts_mcp.transports.http import Limits, http_app
from contacts_mcp.transports.http.access import ConsoleOnlyAccess

IDLE_SECONDS = 10 * 60.0
"""How long the server waits for a page. Browsers wake the timers of a hidden page once a minute, or less often."""
_RATE = 12_000
"""Calls a minute. A person's pages send several for one click, and a list asks while they scroll."""

OnStart = Callable[[str], Coroutine[Any, Any, None]]
"""Gets the address by which a browser gets in, once, when the server takes requests."""


@dataclass(frozen=True, slots=True)
class ConsoleApp:
    """The ASGI app of a console; `summary` says in one line what it works on."""

    asgi: ASGIApp
    summary: str


def build_console(
    settings: Settings, home: Path, port: int, on_start: OnStart, console: LoopbackConsole | None = None
) -> ConsoleApp:
    """Build the console for a port of this computer. It ends the process by SIGINT when no page was open for a while.

    Raises ValueError as build_app.
    """
    if settings.audit is None:  # a person's terminal is no place for the records
        settings = settings.model_copy(update={"audit": AuditDestinations(file=settings.locate_trail())})
    backend = choose_backend(settings, home)
    console = console or LoopbackConsole(sentence_case(shorten_home(str(backend), home)))
    shared_state, warning = open_shared_state(settings, backend)
    require_shared_approvals(settings, backend, shared_state)
    links = choose_links(settings, backend)
    app = build_app(settings, backend, shared_state=shared_state, links=links, console=True)
    origin = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(on_start, f"{origin}{console.make_bootstrap()}")
            tasks.start_soon(_end_when_idle, console)
            yield
            tasks.cancel_scope.cancel()

    asgi = http_app(
        app.server,
        ConsoleOnlyAccess(),
        checks=app.checks(),
        calls=app.active_calls,
        close_subscriptions=app.subscriptions.close,
        hosts=[f"127.0.0.1:{port}"],
        limits=Limits(settings.max_calls, _RATE),
        links=links,
        console=console.site.app,
        telemetry=running,
    )
    summary = "; ".join(filter(None, (app.summary, warning)))
    return ConsoleApp(console.below_base(asgi), summary)


async def _end_when_idle(console: LoopbackConsole) -> None:
    while (left := IDLE_SECONDS - console.idle_seconds) > 0:  # noqa: ASYNC110 - each request moves the end
        await anyio.sleep(left)
    signal.raise_signal(signal.SIGINT)
