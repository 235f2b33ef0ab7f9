"""The command line: flags to settings, settings to the app."""

from contacts_mcp.cli._commands import main

__all__ = ["main"]
