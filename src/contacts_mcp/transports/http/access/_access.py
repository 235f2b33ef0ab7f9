"""Who may call: what every way of telling callers apart offers."""

from typing import Protocol

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from contacts_mcp.server import Caller


class Access(Protocol):
    """One way of telling callers apart: open on loopback, by key, or by token."""

    async def admit(self, connection: HTTPConnection) -> Caller:
        """The caller of a request. Raises Refusal (401, 403, 503) for one that is not let in."""
        ...

    async def permit(self, caller: Caller, body: bytes) -> None:
        """Look at what is asked, a JSON-RPC message. Raises Refusal (403) where the caller may not ask it."""
        ...

    async def check_ready(self) -> None:
        """Raise a ContactsError where callers cannot be told apart now, because somebody else is away."""
        ...

    def routes(self) -> list[BaseRoute]:
        """Pages that tell a client, before it is let in, how to be."""
        ...
