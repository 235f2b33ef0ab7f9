"""A server over a backend, for any transport, with its guard and its audit trail."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp.server.lowlevel import Server

from contacts_mcp import __version__
from contacts_mcp.app._backends import Embedded, Platform
from contacts_mcp.app._caller_backends import backend_factory
from contacts_mcp.app._connections import Connection, DirectoryConnection, connect
from contacts_mcp.app._consent import approval_lifetime, build_guard, choose_rungs, open_redis, open_webhook
from contacts_mcp.app._console import build_console_tools
from contacts_mcp.app._garbage import collect_when_idle
from contacts_mcp.app._instructions import write_instructions
from contacts_mcp.app._output import flush_stderr
from contacts_mcp.app._pages import choose_loopback_page, has_network_pages, page_url
from contacts_mcp.app._shared_state import SharedState
from contacts_mcp.approval_page import LoopbackPage
from contacts_mcp.audit import AuditDestinations, LogOutput, OtlpOutput, Trail, TrailFile
from contacts_mcp.file_links import FileLinks
from contacts_mcp.guard import RedisStore
from contacts_mcp.prompts import choose_prompts
from contacts_mcp.resources import Completions, ResourceCatalog
from contacts_mcp.server import ActiveCalls, ApprovalDesk, CallRecorder, Lifespan, Subscriptions, Ways, build_server
from contacts_mcp.settings import InvalidSettings, Settings, env_name
from contacts_mcp.tools import TOOLS, choose_panel_tools, choose_tools, require_confirmable
from contacts_mcp.wording import count


@dataclass(frozen=True, slots=True)
class App:
    """A server and its parts; `summary` says in one line what it works on."""

    server: Server[Any]
    connection: Connection
    active_calls: ActiveCalls
    subscriptions: Subscriptions
    trail: Trail
    recorder: CallRecorder
    redis: RedisStore | None
    desk: ApprovalDesk
    summary: str

    def checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the check of each part that calls need; it raises a ContactsError if the part cannot be used."""
        backend = "directory" if isinstance(self.connection, DirectoryConnection) else "platform"
        shared = {"shared_state": self.redis.check_ready} if self.redis is not None else {}
        return {backend: self.connection.check_ready, "trail": self.trail.probe, **shared}


def build_app(
    settings: Settings,
    backend: Platform | Embedded,
    *,
    max_calls: int | None = None,
    paths: bool = True,
    own_file: bool = False,
    shared_state: SharedState | None = None,
    create: bool = True,
    links: FileLinks | None = None,
    console: bool = False,
) -> App:
    """Build a server over a backend, which is imported and opened by the first call.

    At most `max_calls` calls of one caller run at once (None: no limit). With `paths`, callers may name files on this
    machine. With `own_file`, the trail has a file of this user if the settings do not name its destinations. With
    `shared_state`, confirmations and exports are also valid in the other processes that share it.
    Without `create`, a directory that does not exist is not created. With `links`, files can be sent and fetched by
    links, which a network transport serves. With `console`, it has the tools of the console, for its page only.
    Raises ValueError if a setting names an unknown tool, has a read confirmed, or enables no tool.
    """
    tools = choose_tools(
        read_only=settings.read_only,
        only=settings.tools,
        exclude=settings.exclude_tools,
        extensions=backend.may_have_extensions,
    )
    if not tools:
        raise ValueError("the settings enable no tool; check CONTACTS_MCP_TOOLS and CONTACTS_MCP_READ_ONLY")
    require_confirmable(settings.confirm)
    undo_secrets = [key.get_secret_value() for key in settings.state_keys]
    connection = connect(backend, create=create, undo_secrets=undo_secrets)
    redis = open_redis(settings)
    trail = _trail(settings, own_file=own_file)
    recorder = CallRecorder(trail, {tool.name: tool.risk for tool in TOOLS})
    rungs, webhook = choose_rungs(settings), open_webhook(settings)
    active_calls, subscriptions = ActiveCalls(max_calls), Subscriptions()
    backend_for = backend_factory(
        settings, connection, paths=paths, make_downloads=shared_state.downloads if shared_state else None, links=links
    )
    guard = build_guard(settings, connection, redis, shared_state)
    desk = ApprovalDesk(guard, tools, backend_for, needs_other_person=settings.four_eyes)
    page = choose_loopback_page(settings, rungs, desk)
    ways = Ways(
        rungs,
        open_page=page.open if page else None,
        page_url=page_url if has_network_pages(settings, rungs) else None,
        announce=webhook.announce if webhook else None,
        lifetime_seconds=approval_lifetime(settings, rungs),
    )
    extra_tools = build_console_tools(settings, rungs, desk, connection, trail, active_calls) if console else None
    server = build_server(
        version=__version__,
        instructions=write_instructions(backend.kind, tools),
        tools=tools,
        backend_for=backend_for,
        guard=guard,
        ways=ways,
        panel_tools=choose_panel_tools(tools, settings.exclude_tools),
        lifespan=_lifespan(connection, redis, trail, active_calls, page),
        active_calls=active_calls,
        resources=ResourceCatalog(tools),
        prompts=choose_prompts(tools),
        completions=Completions(tools),
        subscriptions=subscriptions,
        recorder=recorder,
        open_world=isinstance(backend, Platform),
        extra_tools=extra_tools,
    )
    summary = f"{backend} ({backend.origin()}); {count(len(tools), 'tool')}; guard: {settings.guard}"
    return App(server, connection, active_calls, subscriptions, trail, recorder, redis, desk, summary)


def _trail(settings: Settings, *, own_file: bool) -> Trail:
    """Build the trail; its first record opens the file.

    The default is standard error, because a container's file system may be read-only; with `own_file` this user's
    file as well.
    """
    destinations = settings.audit or AuditDestinations(stderr=True)
    has_file = destinations.file is not None or (own_file and settings.audit is None)
    file = TrailFile(settings.locate_trail) if has_file else None
    log = LogOutput(flush_stderr, is_copy=has_file or destinations.otlp)
    return Trail(file, [*([log] if destinations.stderr else []), *([_otlp()] if destinations.otlp else [])])


def _otlp() -> OtlpOutput:
    from contacts_mcp.app import _telemetry

    setting = f"{env_name('audit')} with otlp"
    if not _telemetry.is_exported("LOGS", os.environ):
        raise InvalidSettings(
            f"{setting} needs a collector: set OTEL_EXPORTER_OTLP_ENDPOINT, and do not set OTEL_SDK_DISABLED"
        )
    _telemetry.require_installed(setting)
    return OtlpOutput(_telemetry.resource)


def _lifespan(
    connection: Connection, redis: RedisStore | None, trail: Trail, active_calls: ActiveCalls, page: LoopbackPage | None
) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_server: object) -> AsyncIterator[None]:
        try:
            async with connection.lifespan(), collect_when_idle(active_calls):
                yield
        finally:
            if page is not None:
                await page.aclose()
            if trail.has_unsent:
                from contacts_mcp.app._telemetry import close_in_time

                await close_in_time([trail.close])
            if redis is not None:
                await redis.aclose()

    return lifespan
