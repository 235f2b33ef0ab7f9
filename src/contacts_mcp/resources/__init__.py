"""The directory beyond tools: what can be read by address, what changes touch, what may have been meant."""

from contacts_mcp.resources._addresses import CONTACT, GROUP, MEMBERS
from contacts_mcp.resources._library import Library
from contacts_mcp.resources._suggestions import Source, Suggestions
from contacts_mcp.resources._touched import TOUCHES, Touched

__all__ = ["CONTACT", "GROUP", "MEMBERS", "TOUCHES", "Library", "Source", "Suggestions", "Touched"]
