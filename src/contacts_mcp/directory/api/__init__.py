"""The Contacts API over HTTP."""

from contacts_mcp.directory.api.app import build_app

__all__ = ["build_app"]
