"""Builds servers from settings: the only package that wires the others together."""

from typing import TYPE_CHECKING, Any

from contacts_mcp.app._backends import Embedded, Platform, choose_backend, connect
from contacts_mcp.app._logs import announce, configure_logging
from contacts_mcp.app._process import forbid_core_dumps, require_shared_keys
from contacts_mcp.app._server import App, build_app, trail_file

if TYPE_CHECKING:
    from contacts_mcp.app._network import NetworkApp, build_network_app, require_reachable

__all__ = [
    "App",
    "Embedded",
    "NetworkApp",
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
    """Import what serves a network only if it is used."""
    if name not in ("NetworkApp", "build_network_app", "require_reachable"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.app import _network

    return getattr(_network, name)
