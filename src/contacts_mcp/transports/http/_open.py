"""No telling apart: whoever is on this machine is the one caller."""

from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from contacts_mcp.client import is_loopback
from contacts_mcp.server import LOCAL, Caller
from contacts_mcp.transports.http._refusals import Refusal


class Open:
    """Lets in every request that reaches this machine's own addresses, whatever server the app runs in."""

    async def admit(self, connection: HTTPConnection) -> Caller:
        """The local caller. Raises Refusal (403) where the request came by an address that others can reach."""
        host, port = connection.scope.get("server") or ("", 0)
        if port is not None and not is_loopback(str(host)):  # a Unix socket has no port
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                "forbidden: without authentication this server answers on loopback alone; "
                "the operator has to set CONTACTS_MCP_AUTH to key or oauth",
            )
        return LOCAL

    async def permit(self, caller: Caller, body: bytes) -> None:
        """The local caller may ask everything."""

    def routes(self) -> list[BaseRoute]:
        """There is nothing to tell."""
        return []
