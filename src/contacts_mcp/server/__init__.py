"""The MCP server: protocol handlers over the catalog. It knows nothing about contacts."""

from contacts_mcp.server._caller import CALLER, LOCAL, REQUEST_ID, BackendOf, Caller
from contacts_mcp.server._calls import CALLS, Calls
from contacts_mcp.server._server import Lifespan, build_server
from contacts_mcp.server._subscriptions import Subscriptions
from contacts_mcp.server._trail import REQUEST, Recorder

__all__ = [
    "CALLER",
    "CALLS",
    "LOCAL",
    "REQUEST",
    "REQUEST_ID",
    "BackendOf",
    "Caller",
    "Calls",
    "Lifespan",
    "Recorder",
    "Subscriptions",
    "build_server",
]
