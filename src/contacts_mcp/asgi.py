"""`contacts_mcp.asgi:app` for any ASGI server: the same settings as `contacts-mcp serve`, from the environment."""

from pathlib import Path

from contacts_mcp.app import announce, build_network_app, configure_logging, require_shared_keys
from contacts_mcp.settings import load_settings

_settings = load_settings()
configure_logging(_settings, default="json")
require_shared_keys(_settings)
_network = build_network_app(_settings, Path.home())
announce(_network.summary)

app = _network.asgi
"""Streamable HTTP on `/mcp`, the older SSE on `/sse`, `/healthz` and `/readyz`."""
