"""Serve the MCP server over a network, with authentication (`access`) and limits."""

from contacts_mcp.transports.http._app import CONSOLE_PATH, Limits, http_app
from contacts_mcp.transports.http._lifecycle import ReadinessCheck

__all__ = ["CONSOLE_PATH", "Limits", "ReadinessCheck", "http_app"]
