"""`contacts-mcp directory serve`."""

import gc
from typing import Annotated

import typer

from contacts_mcp.cli.directory._place import At, place_of, work_on
from contacts_mcp.directory import Location
from contacts_mcp.settings import load_settings


def serve(
    directory: At = None,
    host: Annotated[str, typer.Option(help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any.", min=0, max=65_535)] = 8080,
    rate: Annotated[int, typer.Option(help="Requests of one key a minute; 0 for any number.", min=0)] = 1_200,
) -> None:
    """Serve the Contacts API over HTTP to callers with keys, until SIGTERM or SIGINT."""
    from contacts_mcp.app import announce, configure_logging, forbid_core_dumps

    forbid_core_dumps()
    settings = load_settings()
    place = place_of(directory, settings)
    keys = _working_keys(place)
    from contacts_mcp.directory import Directory
    from contacts_mcp.transports.http import listen, run

    configure_logging(settings, default="json")
    app = Directory(place, keys=True, rate=rate).app
    gc.freeze()  # what was imported stays
    gc.enable()
    with listen(host, port) as listening:
        address = f"[{host}]" if ":" in host else host
        opened = f"{keys} key{'' if keys == 1 else 's'}"
        announce(f"Contacts API for {opened}; listening on http://{address}:{listening.getsockname()[1]}")
        run(app, listening)


def _working_keys(place: Location) -> int:
    """How many keys open the directory. Raises ValueError where there is none: nobody could use the service."""
    keys = work_on(place, lambda directory: directory.keys())
    working = sum(key.revoked_at is None for key in keys)
    if not working:
        raise ValueError("no key opens this directory yet; make one with `contacts-mcp directory keys create NAME`")
    return working
