"""`contacts-mcp doctor`: show what is configured, check that it works, and say what to do if it does not."""

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any, TypeVar

import anyio

from contacts_mcp import __version__
from contacts_mcp.app import Embedded, Platform, build_app, choose_backend, connect
from contacts_mcp.audit import Trail, TrailUnavailable, verify
from contacts_mcp.cli._host_files import find_host_files
from contacts_mcp.cli._output import print_line
from contacts_mcp.contract import ContactsError, ListContacts, Unreachable
from contacts_mcp.directory import PostgresServer
from contacts_mcp.settings import Auth, Settings
from contacts_mcp.tools import TOOLS, choose_tools
from contacts_mcp.wording import count

_TIMEOUT_SECONDS = 20.0

T = TypeVar("T")


def examine(load: Callable[[], Settings], home: Path) -> int:
    """Print one line per check, beginning with the settings from `load`; return 0 if all are well, else 1."""
    _passed("version", f"contacts-mcp {__version__}, Python {sys.version.split()[0]}")
    try:
        settings = load()
        if settings.auth is not Auth.NONE or settings.public_host:
            from contacts_mcp.app import build_network_app

            network = build_network_app(settings, home)
            _passed("network", network.summary)
            lifespan = network.server.lifespan(network.server)
            return max(_examine_trail(network.trail), _examine_network(lifespan, network.check_ready))
        backend = choose_backend(settings, home)
        app = build_app(settings, backend, own_file=True)
    except ValueError as exc:
        return _failed("settings", str(exc), f"correct the setting{_where(home)}, then run `contacts-mcp doctor` again")
    _passed("backend", str(backend))
    _passed("credential" if isinstance(backend, Platform) else "because", backend.origin())
    _passed("tools", _summarize_tools(settings))
    _passed("guard", settings.guard + (f", also for {', '.join(settings.confirm)}" if settings.confirm else ""))
    _passed(
        "files",
        f"in {settings.files}" if settings.files else "no folder, so tools accept no paths (set CONTACTS_MCP_FILES)",
    )
    return max(_examine_trail(app.trail), _examine_backend(backend))


def _where(home: Path) -> str:
    """Name the hosts' files that may hold a setting."""
    files = find_host_files(home, Path.cwd())
    return f" in the shell, or in the host's file: {', '.join(files)}" if files else ""


def _summarize_tools(settings: Settings) -> str:
    chosen = choose_tools(read_only=settings.read_only, only=settings.tools)
    if len(chosen) == len(TOOLS):
        return f"all {len(TOOLS)}"
    return f"{len(chosen)} of {len(TOOLS)}: {', '.join(tool.name for tool in chosen)}"


def _examine_trail(trail: Trail) -> int:
    try:
        anyio.run(trail.probe)
    except TrailUnavailable as exc:
        return _failed(
            "trail", f"it cannot be written: {exc.why}", "fix this, or set CONTACTS_MCP_AUDIT to another destination"
        )
    if trail.path is not None:
        return _examine_trail_file(trail.path, str(trail))
    _passed("trail", str(trail))
    return 0


def _examine_trail_file(path: Path, shown: str) -> int:
    try:
        found = verify([path])
    except FileNotFoundError:
        if not _can_create(path):
            return _failed("trail", f"{path} cannot be created", "create its folder, or choose another file")
        _passed("trail", f"{shown}; the first record creates the file")
        return 0
    if found.faults:
        return _failed("trail", f"{path}: {found.faults[0]}", "run `contacts-mcp audit verify` for all faults")
    _passed("trail", f"{shown}; {count(found.records, 'record')}, the chain is unbroken")
    return 0


def _is_missing(backend: Platform | Embedded) -> bool:
    """Whether opening a directory would create it, in a folder where that is possible: a doctor writes nothing."""
    if not isinstance(backend, Embedded) or not isinstance(backend.database, Path) or backend.database.exists():
        return False
    return _can_create(backend.database)


def _can_create(path: Path) -> bool:
    """Whether the nearest folder that exists takes a new file or folder."""
    folder = next(each for each in path.absolute().parents if each.exists())
    return folder.is_dir() and os.access(folder, os.W_OK) and disk_usage(folder).free > 0


def _examine_network(lifespan: AbstractAsyncContextManager[Any], check_ready: Callable[[], Awaitable[None]]) -> int:
    answer = anyio.run(_attempt, lifespan, check_ready)
    if isinstance(answer, ContactsError):
        return _failed("connection", answer.message, answer.advice)
    _passed("connection", "all services that the server needs answer")
    return 0


def _examine_backend(backend: Platform | Embedded) -> int:
    if _is_missing(backend):
        _passed("connection", "there is no directory yet; the first call creates it")
        return 0
    connection = connect(backend)
    page = anyio.run(_attempt, connection.lifespan(), partial(connection.send, ListContacts(per_page=1)))
    if isinstance(page, ContactsError):
        return _failed("connection", page.message, _advise(backend, page))
    _passed("connection", "it answers" if page.total is None else f"it answers; {count(page.total, 'contact')}")
    return 0


async def _attempt(lifespan: AbstractAsyncContextManager[Any], work: Callable[[], Awaitable[T]]) -> T | ContactsError:
    """Return what `work` returns, or its error: raised here, the lifespan's task group would wrap it."""
    with anyio.move_on_after(_TIMEOUT_SECONDS):
        async with lifespan:
            try:
                return await work()
            except ContactsError as exc:
                return exc
    return Unreachable(f"no answer within {_TIMEOUT_SECONDS:.0f} seconds", advice="check the network and the addresses")


def _advise(backend: Platform | Embedded, exc: ContactsError) -> str:
    if isinstance(backend, Platform):
        if backend.credential and exc.code in ("authentication_failed", "permission_denied"):
            return f"put a valid key into {backend.credential.source}"
        return "check the network and WAYSCLOUD_API_URL, then run `contacts-mcp doctor` again"
    if isinstance(backend.database, PostgresServer):
        return "check the server and the address, or choose another with --directory"
    return "check the file and its folder, or choose another with --directory"


def _passed(check: str, result: str) -> None:
    print_line(f"✓ {check}: {result}")


def _failed(check: str, reason: str, advice: str) -> int:
    print_line(f"✗ {check}: {reason}")
    print_line(f"  → {advice}")
    return 1
