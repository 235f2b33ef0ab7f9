"""The web console: a page for people who operate a directory, which speaks MCP to the server that serves it."""

from contacts_mcp.console._approval_tools import ApprovalTools
from contacts_mcp.console._directory_tools import DirectoryTools, ReceiptReader
from contacts_mcp.console._loopback import BOOTSTRAP_SECONDS, LoopbackConsole
from contacts_mcp.console._site import ConsoleSite
from contacts_mcp.console._trail_tools import TrailTools

__all__ = [
    "BOOTSTRAP_SECONDS",
    "ApprovalTools",
    "ConsoleSite",
    "DirectoryTools",
    "LoopbackConsole",
    "ReceiptReader",
    "TrailTools",
]
