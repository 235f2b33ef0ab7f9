"""A legacy session as a listener: told on its standing channel, for as long as its connection lasts."""

import asyncio
import contextvars

from mcp.server.connection import Connection
from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from contacts_mcp.server._caller import Caller
from contacts_mcp.server._connection import connection_of
from contacts_mcp.server._elicitation import Context
from contacts_mcp.server._tenants import Tenant, Tenants

_KEY = "contacts_mcp.session"


class Session:
    """Tells one connection of its tenant's changes, in a task of its own: a client that does not read waits alone."""

    def __init__(self, connection: Connection, tenant: Tenant, principal: str) -> None:
        self.watched: set[str] = set()
        self._connection = connection
        self._tenant = tenant
        self._principal = principal
        self._waiting: dict[ServerEvent, None] = {}  # the same twice says no more than once
        self._telling: asyncio.Task[None] | None = None

    def watch(self, uri: str) -> None:
        """Tell of this address from now on. Raises MCPError where the tenant watches too many."""
        if uri not in self.watched:
            self._tenant.watch([uri], self._principal)
            self.watched.add(uri)

    def unwatch(self, uri: str) -> None:
        """Tell of this address no more."""
        if uri in self.watched:
            self.watched.remove(uri)
            self._tenant.unwatch([uri], self._principal)

    def hear(self, event: ServerEvent) -> None:
        """Note an event, and see to it that somebody passes it on."""
        if isinstance(event, ResourceUpdated) and event.uri not in self.watched:
            return
        self._waiting[event] = None
        if self._telling is None:
            # Not in the context of whoever made the change: it is none of this client's business.
            self._telling = asyncio.create_task(self._tell(), context=contextvars.Context())

    def close(self) -> None:
        """Forget everything; the connection is at its end."""
        if self._telling:
            self._telling.cancel()
        self._tenant.unwatch(self.watched, self._principal)
        self.watched.clear()

    async def _tell(self) -> None:
        try:
            while self._waiting:
                event = next(iter(self._waiting))
                del self._waiting[event]
                await self._send(event)
        finally:
            self._telling = None

    async def _send(self, event: ServerEvent) -> None:
        match event:
            case ResourceUpdated(uri):
                await self._connection.send_resource_updated(uri)
            case ResourcesListChanged():
                await self._connection.send_resource_list_changed()
            case ToolsListChanged():
                await self._connection.send_tool_list_changed()
            case PromptsListChanged():
                await self._connection.send_prompt_list_changed()


def session_of(ctx: Context, caller: Caller, tenants: Tenants) -> Session:
    """The session of a request: the first request opens it, the end of the connection closes it."""
    connection = connection_of(ctx)
    session: Session | None = connection.state.get(_KEY)
    if session is None:
        listeners = connection.exit_stack.enter_context(tenants.listening(caller.tenant))
        session = connection.state[_KEY] = Session(connection, listeners, caller.principal)
        connection.exit_stack.callback(session.close)
        connection.exit_stack.callback(listeners.subscribe(session.hear))
    return session
