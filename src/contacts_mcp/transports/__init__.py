"""The transports over which hosts reach the MCP server: standard input and output, and `http` for a network."""

from contacts_mcp.transports._stdio import serve_stdio

__all__ = ["serve_stdio"]
