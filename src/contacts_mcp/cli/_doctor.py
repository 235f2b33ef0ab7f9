"""`contacts-mcp doctor`: what is set up, does it work, and what to do where it does not."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import typer

from contacts_mcp import __version__
from contacts_mcp.app import Embedded, Platform, build_app, choose_backend, connect
from contacts_mcp.audit import Trail, TrailUnavailable, verify
from contacts_mcp.contract import ContactPage, ContactsError, ListContacts
from contacts_mcp.directory import PostgresServer
from contacts_mcp.server import LOCAL_CALLER
from contacts_mcp.settings import Auth, Settings
from contacts_mcp.tools import TOOLS, choose_tools

if TYPE_CHECKING:
    from contacts_mcp.app import NetworkApp

_TIME_LIMIT = 20.0


def examine(load: Callable[[], Settings], home: Path) -> int:
    """Print one line for each thing looked at, the settings that `load` reads first; 0 where all is well, else 1."""
    _good("version", f"contacts-mcp {__version__}, Python {sys.version.split()[0]}")
    try:
        settings = load()
        if settings.auth is not Auth.NONE or settings.public_host:
            from contacts_mcp.app import build_network_app

            return _examine_network(build_network_app(settings, home))
        backend = choose_backend(settings, home)
        app = build_app(settings, backend, own_file=True)
    except ValueError as exc:
        return _bad("settings", str(exc), "correct the setting, then run `contacts-mcp doctor` again")
    _good("backend", str(backend))
    _good("credential" if isinstance(backend, Platform) else "because", backend.origin())
    _good("tools", _tools(settings))
    _good("guard", settings.guard + (f", and for {', '.join(settings.confirm)}" if settings.confirm else ""))
    _good(
        "files", f"in {settings.files}" if settings.files else "no folder, so no paths are taken (CONTACTS_MCP_FILES)"
    )
    return max(_examine_trail(app.trail), _reach(backend))


def _examine_trail(trail: Trail) -> int:
    """Whether it can be written, and whether what is in its file is as it was written."""
    try:
        anyio.run(trail.probe)
    except TrailUnavailable as exc:
        return _bad(
            "trail", f"it cannot be written: {exc.why}", "fix this, or set CONTACTS_MCP_AUDIT to another destination"
        )
    if trail.path is None:
        _good("trail", str(trail))
        return 0
    found = verify(trail.path)
    if found.faults:
        return _bad("trail", f"{trail.path}: {found.faults[0]}", "run `contacts-mcp audit verify` for all faults")
    _good("trail", f"{trail}; {found.records:,} records, the chain is unbroken")
    return 0


def _examine_network(network: "NetworkApp") -> int:
    """A server that could not be used over standard input and output: each caller brings what it works with."""
    _good("network", network.summary)
    return max(_examine_trail(network.trail), _reach_network(network))


def _reach_network(network: "NetworkApp") -> int:
    try:
        fault = anyio.run(_fault_of_network, network)
    except TimeoutError:
        return _bad("connection", f"no answer within {_TIME_LIMIT:.0f} seconds", "check the network and the addresses")
    if fault is not None:
        return _bad("connection", fault.message, fault.next_step)
    _good("connection", "whatever the server needs answers")
    return 0


async def _fault_of_network(network: "NetworkApp") -> ContactsError | None:
    with anyio.fail_after(_TIME_LIMIT):
        async with network.server.lifespan(network.server):
            try:
                await network.check_ready()
            except ContactsError as exc:  # a task group of the lifespan would wrap it
                return exc
    return None


def _tools(settings: Settings) -> str:
    chosen = choose_tools(read_only=settings.read_only, only=settings.tools)
    if len(chosen) == len(TOOLS):
        return f"all {len(TOOLS)}"
    return f"{len(chosen)} of {len(TOOLS)}: {', '.join(tool.name for tool in chosen)}"


def _reach(backend: Platform | Embedded) -> int:
    try:
        found = anyio.run(_first_contact, backend)
    except ContactsError as exc:
        return _bad("connection", exc.message, _next_step(backend, exc))
    except TimeoutError:
        return _bad("connection", f"no answer within {_TIME_LIMIT:.0f} seconds", "check the network and the address")
    count = "" if found.total is None else f"; {found.total} contacts"
    _good("connection", f"it answers{count}")
    return 0


async def _first_contact(backend: Platform | Embedded) -> ContactPage:
    connection = connect(backend)
    with anyio.fail_after(_TIME_LIMIT):
        async with connection.lifespan():
            return await connection.sender_for(LOCAL_CALLER).send(ListContacts(per_page=1))


def _next_step(backend: Platform | Embedded, exc: ContactsError) -> str:
    if isinstance(backend, Platform) and exc.code in ("authentication_failed", "permission_denied"):
        return f"put a valid key into {backend.credential.source}"
    if isinstance(backend, Platform):
        return "check the network and WAYSCLOUD_API_URL, then run `contacts-mcp doctor` again"
    if isinstance(backend.database, PostgresServer):
        return "check the server and the address, or choose another with --directory"
    return "check the file and its folder, or choose another with --directory"


def _good(what: str, is_so: str) -> None:
    typer.echo(f"✓ {what}: {is_so}")


def _bad(what: str, is_so: str, next_step: str) -> int:
    typer.echo(f"✗ {what}: {is_so}")
    typer.echo(f"  → {next_step}")
    return 1
