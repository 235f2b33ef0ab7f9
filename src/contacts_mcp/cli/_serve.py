"""`contacts-mcp serve`."""

import gc
from pathlib import Path

import anyio

from contacts_mcp.app import announce, build_app, choose_backend, configure_logging, forbid_core_dumps
from contacts_mcp.settings import Settings
from contacts_mcp.transports import serve_stdio


def serve_host(settings: Settings) -> None:
    """Serve one host until it is done; the first line on standard error says which backend it is."""
    forbid_core_dumps()
    app = build_app(settings, choose_backend(settings, Path.home()), own_file=True)
    configure_logging(settings, default="text")
    announce(app.summary)
    gc.freeze()  # what was imported stays
    gc.enable()
    anyio.run(serve_stdio, app.server)


def serve_network(settings: Settings, host: str, port: int) -> None:
    """Serve whoever is let in, until SIGTERM or SIGINT."""
    from contacts_mcp.app import build_network_app, require_reachable
    from contacts_mcp.transports.http import listen, run

    forbid_core_dumps()
    require_reachable(settings, host)
    network = build_network_app(settings, Path.home())
    configure_logging(settings, default="json")
    gc.freeze()  # what was imported stays
    gc.enable()
    with listen(host, port) as listening:
        address = f"[{host}]" if ":" in host else host
        announce(f"{network.summary}; listening on http://{address}:{listening.getsockname()[1]}/mcp and /sse")
        run(network.asgi, listening)
