"""Builds servers from settings: the only package that wires the others together."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.app._hangup import Reload, hangup_handler
from contacts_mcp.app._logs import announce, configure_logging
from contacts_mcp.app._process import require_shared_keys
from contacts_mcp.operating_system import forbid_core_dumps

if TYPE_CHECKING:
    from contacts_mcp.app._approvals import Reviewer, open_reviewer
    from contacts_mcp.app._backends import Embedded, Platform, choose_backend
    from contacts_mcp.app._connections import connect, credential_reload
    from contacts_mcp.app._consent import choose_rungs, require_shared_approvals
    from contacts_mcp.app._network import NetworkApp, build_network_app, require_reachable
    from contacts_mcp.app._open import ConsoleApp, build_console
    from contacts_mcp.app._pages import has_network_pages
    from contacts_mcp.app._quick_start import record_answers
    from contacts_mcp.app._server import App, build_app
    from contacts_mcp.app._shared_state import open_shared_state

__all__ = [
    "App",
    "ConsoleApp",
    "Embedded",
    "NetworkApp",
    "Platform",
    "Reload",
    "Reviewer",
    "announce",
    "build_app",
    "build_console",
    "build_network_app",
    "choose_backend",
    "choose_rungs",
    "configure_logging",
    "connect",
    "credential_reload",
    "forbid_core_dumps",
    "hangup_handler",
    "has_network_pages",
    "open_reviewer",
    "open_shared_state",
    "record_answers",
    "require_reachable",
    "require_shared_approvals",
    "require_shared_keys",
]
_LAZY = {
    "_approvals": ("Reviewer", "open_reviewer"),
    "_backends": ("Embedded", "Platform", "choose_backend"),
    "_connections": ("connect", "credential_reload"),
    "_consent": ("choose_rungs", "require_shared_approvals"),
    "_network": ("NetworkApp", "build_network_app", "require_reachable"),
    "_open": ("ConsoleApp", "build_console"),
    "_pages": ("has_network_pages",),
    "_quick_start": ("record_answers",),
    "_server": ("App", "build_app"),
    "_shared_state": ("open_shared_state",),
}


def __getattr__(name: str) -> Any:
    """Import a module on first use: a directory service needs no MCP, and a server over stdio no network."""
    for module, names in _LAZY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
