"""The MCP server: protocol handlers over the catalog. It knows nothing about contacts."""

from contacts_mcp.server._caller import CALLER, LOCAL, REQUEST_ID, Caller
from contacts_mcp.server._calls import CALLS, Calls
from contacts_mcp.server._handlers import build_server

__all__ = ["CALLER", "CALLS", "LOCAL", "REQUEST_ID", "Caller", "Calls", "build_server"]
