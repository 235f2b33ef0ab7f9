"""The catalog: tools are data (name, text, schemas, risk, run), most of them derived from the contract's calls."""

from contacts_mcp.tools._answers import FileAnswer
from contacts_mcp.tools._arguments import parse_arguments
from contacts_mcp.tools._backend import NO_FOLDER_CONFIGURED, NO_PATHS_OVER_NETWORK, Backend, Sender
from contacts_mcp.tools._budget import WriteBudget, WriteBudgets
from contacts_mcp.tools._catalog import (
    ENDPOINTS,
    TOOLS,
    TOOLSETS,
    WORKFLOWS,
    UnknownTools,
    choose_tools,
    require_confirmable,
)
from contacts_mcp.tools._downloads import ADDRESS as DOWNLOAD_URI_TEMPLATE
from contacts_mcp.tools._downloads import Download, Downloads
from contacts_mcp.tools._exports import export_files
from contacts_mcp.tools._render import render
from contacts_mcp.tools._targets import read_target
from contacts_mcp.tools._tool import PreparedCall, Tool, run_directly

__all__ = [
    "DOWNLOAD_URI_TEMPLATE",
    "ENDPOINTS",
    "NO_FOLDER_CONFIGURED",
    "NO_PATHS_OVER_NETWORK",
    "TOOLS",
    "TOOLSETS",
    "WORKFLOWS",
    "Backend",
    "Download",
    "Downloads",
    "FileAnswer",
    "PreparedCall",
    "Sender",
    "Tool",
    "UnknownTools",
    "WriteBudget",
    "WriteBudgets",
    "choose_tools",
    "export_files",
    "parse_arguments",
    "read_target",
    "render",
    "require_confirmable",
    "run_directly",
]
