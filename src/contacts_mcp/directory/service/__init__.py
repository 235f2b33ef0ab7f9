"""The Contacts API as a network service: the same routes with API keys, rate limits, documentation and health."""

from contacts_mcp.directory.service._app import build_service

__all__ = ["build_service"]
