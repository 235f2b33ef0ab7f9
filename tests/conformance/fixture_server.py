"""The suite's fixture server: our server module with the suite's things laid over it, served by our own transport.

`python -m conformance.fixture_server DATABASE`
"""

import sys
import warnings
from pathlib import Path

from mcp.server.lowlevel import NotificationOptions
from mcp.shared.exceptions import MCPDeprecationWarning
from starlette.types import ASGIApp

from conformance.catalog_tools import CATALOG_TOOLS
from conformance.overlay import Overlay
from contacts_mcp.app import Embedded, connect
from contacts_mcp.guard import Guard
from contacts_mcp.prompts import choose_prompts
from contacts_mcp.resources import ResourceCatalog
from contacts_mcp.server import ActiveCalls, Subscriptions, build_server
from contacts_mcp.tools import TOOLS, Backend
from contacts_mcp.transports.http import Limits, http_app, listen, run
from contacts_mcp.transports.http.access import Open

_ALL_LISTS = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)


def fixture_app(database: Path) -> ASGIApp:
    """The product with the suite's tools in its catalog, and over that what no catalog can hold."""
    connection = connect(Embedded(database, "for the suite"))
    calls, subscriptions = ActiveCalls(), Subscriptions(_ALL_LISTS)
    server = build_server(
        version="0",
        instructions="",
        tools=(*TOOLS, *CATALOG_TOOLS),
        backend_for=lambda caller: Backend(connection.sender_for(caller)),
        guard=Guard(),
        lifespan=connection.lifespan,
        active_calls=calls,
        resources=ResourceCatalog(TOOLS),
        prompts=choose_prompts(TOOLS),
        subscriptions=subscriptions,
    )
    Overlay(server, subscriptions).lay()
    return http_app(
        server,
        Open(),
        check_ready=connection.check_ready,
        calls=calls,
        close_subscriptions=subscriptions.close,
        limits=Limits(per_minute=0),  # the suite is in a hurry
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore", MCPDeprecationWarning)  # the suite asks for what is deprecated
    with listen("127.0.0.1", 0) as listening:
        sys.stderr.write(f"listening on http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
        run(fixture_app(Path(sys.argv[1])), listening)
