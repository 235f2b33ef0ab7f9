"""The MCP server: protocol handlers over the catalog. It knows nothing about contacts."""

from contacts_mcp.server._caller import CALLER_SCOPE_KEY, LOCAL_CALLER, REQUEST_ID_SCOPE_KEY, BackendFactory, Caller
from contacts_mcp.server._calls import CALLS, Calls
from contacts_mcp.server._server import Lifespan, build_server
from contacts_mcp.server._subscriptions import Subscriptions
from contacts_mcp.server._trail import CURRENT_REQUEST_ID, CallRecorder

__all__ = [
    "CALLER_SCOPE_KEY",
    "CALLS",
    "CURRENT_REQUEST_ID",
    "LOCAL_CALLER",
    "REQUEST_ID_SCOPE_KEY",
    "BackendFactory",
    "CallRecorder",
    "Caller",
    "Calls",
    "Lifespan",
    "Subscriptions",
    "build_server",
]
