"""Who calls: what consent and sessions are bound to, whose directory is worked on, and what is allowed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext

from contacts_mcp.client import Credential
from contacts_mcp.contract import Risk
from contacts_mcp.tools import Backend

CALLER_SCOPE_KEY = "contacts_mcp.caller"
"""Where a network transport keeps the Caller in the ASGI scope of a request it has let in."""
REQUEST_ID_SCOPE_KEY = "contacts_mcp.request_id"
"""Where it keeps the id by which the logs and the caller know the request."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller. `principal` never holds a key; `credential` is the caller's own, where callers bring one."""

    principal: str
    risks: frozenset[Risk] = frozenset(Risk)
    credential: Credential | None = field(default=None, repr=False)

    @property
    def tenant(self) -> str:
        """Whose directory it is: each key has its own, all others share the server's."""
        return self.principal if self.credential else ""


BackendFactory = Callable[[Caller], Backend]
"""The backend that a caller works on."""

LOCAL_CALLER = Caller("local")
"""The one caller of a server on standard input and output."""


def caller_of(ctx: ServerRequestContext[Any, Any]) -> Caller:
    """The caller of a request. Over a network a request without one was let in by nobody: KeyError."""
    caller: Caller = LOCAL_CALLER if ctx.request is None else ctx.request.scope[CALLER_SCOPE_KEY]
    return caller


def request_id_of(ctx: ServerRequestContext[Any, Any]) -> str:
    """The id by which the logs know the request: the transport's, else the protocol's."""
    return str(ctx.request_id) if ctx.request is None else str(ctx.request.scope[REQUEST_ID_SCOPE_KEY])
