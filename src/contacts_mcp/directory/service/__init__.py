"""The Contacts API as a service of its own: the same routes behind keys and limits, described and watched."""

from contacts_mcp.directory.service.app import build_service

__all__ = ["build_service"]
