"""The only place where parts are wired together: settings in, a server with its backend out."""

from typing import TYPE_CHECKING, Any

from contacts_mcp.app._audit import trail_file
from contacts_mcp.app._backends import Embedded, OwnKeys, Platform, choose_backend
from contacts_mcp.app._cores import forbid_core_dumps
from contacts_mcp.app._late import connect
from contacts_mcp.app._logs import announce, configure_logging
from contacts_mcp.app._server import App, build_app
from contacts_mcp.app._workers import require_shared_keys

if TYPE_CHECKING:
    from contacts_mcp.app._network import NetworkApp, build_network_app, require_reachable

__all__ = [
    "App",
    "Embedded",
    "NetworkApp",
    "OwnKeys",
    "Platform",
    "announce",
    "build_app",
    "build_network_app",
    "choose_backend",
    "configure_logging",
    "connect",
    "forbid_core_dumps",
    "require_reachable",
    "require_shared_keys",
    "trail_file",
]


def __getattr__(name: str) -> Any:
    """What serves a network is imported where one is served."""
    if name not in ("NetworkApp", "build_network_app", "require_reachable"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.app import _network

    return getattr(_network, name)
