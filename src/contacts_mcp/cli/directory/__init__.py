"""`contacts-mcp directory`: a directory as a service of its own, and what its operator does."""

from contacts_mcp.cli.directory._commands import directory_cli

__all__ = ["directory_cli"]
