"""The MCP server: protocol handlers over the catalog. It knows nothing about contacts."""

from contacts_mcp.server._handlers import build_server

__all__ = ["build_server"]
