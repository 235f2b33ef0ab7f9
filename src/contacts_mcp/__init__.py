"""An MCP server, a client and an embedded directory for the WAYSCloud Contacts API."""

__version__ = "0.1.0"
