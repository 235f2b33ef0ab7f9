"""Contacts and groups as MCP resources: reading them by URI, which of them a tool changes, completing their ids."""

from contacts_mcp.resources._catalog import CONTACT_URI, GROUP_URI, MEMBERS_URI, ResourceCatalog
from contacts_mcp.resources._completions import Completer, Completions, CompletionValues
from contacts_mcp.resources._effects import TOOL_EFFECTS, affected_resources

__all__ = [
    "CONTACT_URI",
    "GROUP_URI",
    "MEMBERS_URI",
    "TOOL_EFFECTS",
    "Completer",
    "CompletionValues",
    "Completions",
    "ResourceCatalog",
    "affected_resources",
]
