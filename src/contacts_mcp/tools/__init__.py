"""The catalog: tools are data (name, text, schemas, risk, run), most of them derived from the contract's calls."""

from contacts_mcp.tools._arguments import parse_arguments
from contacts_mcp.tools._catalog import TOOLS, UnknownTools, choose_tools, require_confirmable
from contacts_mcp.tools._exports import export_files
from contacts_mcp.tools._render import render
from contacts_mcp.tools._targets import read_target
from contacts_mcp.tools._tool import Backend, Sender, Tool

__all__ = [
    "TOOLS",
    "Backend",
    "Sender",
    "Tool",
    "UnknownTools",
    "choose_tools",
    "export_files",
    "parse_arguments",
    "read_target",
    "render",
    "require_confirmable",
]
