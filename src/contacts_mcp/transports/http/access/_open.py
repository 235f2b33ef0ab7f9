"""No telling apart: whoever is on this machine is the one caller."""

from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from contacts_mcp.client import is_loopback
from contacts_mcp.server import LOCAL_CALLER, Caller
from contacts_mcp.transports.http._refusals import Refusal

_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})


class Open:
    """Lets in every request that reaches this machine's own addresses, whatever server the app runs in."""

    async def admit(self, connection: HTTPConnection) -> Caller:
        """The local caller. Raises Refusal (403) where the request may come from somebody else.

        A proxy on this machine reaches it by loopback, whoever it does that for.
        """
        if any(name in _FORWARDED for name, _ in connection.scope["headers"]):
            raise _forbidden("a proxy passed this request on for somebody else")
        host, port = connection.scope.get("server") or ("", 0)
        if port is not None and not is_loopback(str(host)):  # a Unix socket has no port
            raise _forbidden("it came by an address that others can reach")
        return LOCAL_CALLER

    async def permit(self, caller: Caller, body: bytes) -> None:
        """The local caller may ask everything."""

    async def check_ready(self) -> None:
        """Nobody else is needed for it."""

    def routes(self) -> list[BaseRoute]:
        """There is nothing to tell."""
        return []


def _forbidden(why: str) -> Refusal:
    return Refusal(
        HTTPStatus.FORBIDDEN,
        f"forbidden: without authentication this server serves its own machine alone, and {why}; "
        "the operator has to set CONTACTS_MCP_AUTH to key or oauth",
    )
