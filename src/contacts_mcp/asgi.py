"""`contacts_mcp.asgi:app` for any ASGI server, with settings from the environment.

Run uvicorn with `--http contacts_mcp.asgi:Http`: its own protocol, with limits of sizes and times.
"""

import sys
from pathlib import Path

from starlette.types import ASGIApp

from contacts_mcp.app import announce, build_network_app, configure_logging, forbid_core_dumps, require_shared_keys
from contacts_mcp.http_protocol import LimitedProtocol as Http
from contacts_mcp.settings import load_settings
from contacts_mcp.text import escape_invisible

__all__ = ["Http", "app"]
_DO_NOT_RESTART = 3
"""Exit code that tells uvicorn and gunicorn not to start the worker again."""


def _build() -> ASGIApp:
    forbid_core_dumps()
    settings = load_settings()
    configure_logging(settings, default="json")
    network = build_network_app(settings, Path.home())
    announce(network.summary)
    return require_shared_keys(settings, network.asgi)


try:
    app = _build()
    """Streamable HTTP at `/mcp`, SSE at `/sse`, health checks at `/healthz` and `/readyz`."""
except (ValueError, OSError) as exc:
    sys.stderr.write(f"contacts-mcp: {escape_invisible(str(exc))}\n")
    raise SystemExit(_DO_NOT_RESTART) from None
