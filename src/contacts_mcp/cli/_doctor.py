"""`contacts-mcp doctor`: show what is configured, check that it works, and say what to do if it does not."""

import os
import platform
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from pydantic import SecretStr

from contacts_mcp import __version__
from contacts_mcp.app import (
    Embedded,
    Platform,
    build_app,
    choose_backend,
    choose_rungs,
    connect,
    open_shared_state,
    require_shared_approvals,
)
from contacts_mcp.audit import Trail, TrailUnavailable, verify
from contacts_mcp.cli._report import Report
from contacts_mcp.contract import ContactsError, ListContacts, Unreachable
from contacts_mcp.directory import NO_DIRECTORY, UNDO, PostgresServer, list_extensions
from contacts_mcp.guard import Rung
from contacts_mcp.install import Places, find_host_files
from contacts_mcp.quick_start import count_snapshots, snapshot_folder
from contacts_mcp.settings import Auth, Settings, env_name
from contacts_mcp.tools import choose_tools
from contacts_mcp.wording import count

if TYPE_CHECKING:
    from contacts_mcp.app import NetworkApp

_TIMEOUT_SECONDS = 20.0
_NEW_DIRECTORY = "there is no directory yet; the first call creates it"

T = TypeVar("T")


def examine(load: Callable[[], Settings], home: Path, *, as_json: bool = False) -> int:
    """Report one check after the other, beginning with the settings from `load`; return 0 if all are well, else 1."""
    report = Report(as_json)
    system = f"{platform.system()} {platform.machine()}"
    report.passed("version", f"contacts-mcp {__version__}, Python {platform.python_version()}, {system}")
    try:
        settings = load()
        _report_sources(report, settings)
        if settings.auth is not Auth.NONE or settings.public_host:
            from contacts_mcp.app import build_network_app

            network = build_network_app(settings, home, create=False)
            report.passed("network", network.summary)
            _examine_undo(report, choose_backend(settings, home), settings)
            _examine_trail(report, network.trail)
            _examine_parts(report, network)
            return report.end()
        backend = choose_backend(settings, home)
        _require_reachable_people(settings, backend)
        app = build_app(_without_missing_folder(settings), backend, own_file=True, create=False)
    except ValueError as exc:
        advice = f"correct the setting{_where(home)}, then run `contacts-mcp doctor` again"
        report.failed("settings", str(exc), advice)
        return report.end()
    report.passed("backend", str(backend))
    report.passed("credential" if isinstance(backend, Platform) else "because", backend.origin())
    report.passed("tools", _summarize_tools(settings, extensions=backend.may_have_extensions))
    report.passed("guard", settings.guard + (f", also for {', '.join(settings.confirm)}" if settings.confirm else ""))
    _examine_undo(report, backend, settings)
    _examine_files(report, settings)
    report.passed("quick start", _describe_quick_start(settings))
    _examine_trail(report, app.trail)
    if app.redis is not None:
        _examine_part(report, "shared state", app.connection.lifespan(), app.redis.check_ready)
    _examine_backend(report, backend)
    return report.end()


def _describe_quick_start(settings: Settings) -> str:
    """Say whether hosts get their first answers before the server is loaded, and where these are stored."""
    if sys.platform == "win32":
        return "not on Windows"
    folder = snapshot_folder()
    if not settings.quick_start or folder is None:
        return "off" if folder else "off: this user has no home folder"
    return f"{count(count_snapshots(), 'snapshot')} in {folder}"


def _report_sources(report: Report, settings: Settings) -> None:
    """Report where each setting comes from that is not the default; of values only those that are no secrets."""
    found = [(name, settings.source_of(name)) for name in Settings.model_fields]
    shown = [f"{_show(settings, name)} ({source})" for name, source in found if source]
    if shown:
        report.passed("settings", "; ".join(shown))


def _show(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if value is None or isinstance(value, SecretStr) or name in ("state_keys", "audit"):
        return env_name(name)
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{env_name(name)}={text}"


def _require_reachable_people(settings: Settings, backend: Platform | Embedded) -> None:
    """Raise InvalidSettings as a server over stdio does, if a person in a terminal could not see its questions."""
    if {Rung.TERMINAL, Rung.APPROVER} & set(choose_rungs(settings)):  # else no folder is opened, and so created
        require_shared_approvals(settings, backend, open_shared_state(settings, backend)[0])


def _without_missing_folder(settings: Settings) -> Settings:
    """Leave out a folder for files that does not exist, which is reported by itself, so that all else is checked."""
    is_missing = settings.files is not None and not settings.files.expanduser().is_dir()
    return settings.model_copy(update={"files": None}) if is_missing else settings


def _where(home: Path) -> str:
    """Name the hosts' files that may hold a setting."""
    files = find_host_files(Places(home), Path.cwd())
    return f" in the shell, or in the host's file: {', '.join(files)}" if files else ""


def _summarize_tools(settings: Settings, *, extensions: bool) -> str:
    total = len(choose_tools(extensions=extensions))
    chosen = choose_tools(
        read_only=settings.read_only, only=settings.tools, exclude=settings.exclude_tools, extensions=extensions
    )
    if len(chosen) == total:
        return f"all {total}"
    return f"{len(chosen)} of {total}: {', '.join(tool.name for tool in chosen)}"


def _examine_undo(report: Report, backend: Platform | Embedded, settings: Settings) -> None:
    """Say it if bulk updates of a directory cannot be undone, but could be."""
    database = backend.database if isinstance(backend, Embedded) else None
    if database and UNDO not in list_extensions(database, has_keys=bool(settings.state_keys)):
        report.passed("undo", "bulk updates cannot be undone; to encrypt old values, set CONTACTS_MCP_STATE_KEYS")


def _examine_files(report: Report, settings: Settings) -> None:
    if settings.files is None:
        report.passed("files", "no folder, so tools accept no paths (set CONTACTS_MCP_FILES)")
        return
    folder = settings.files.expanduser()
    needed = os.R_OK | os.X_OK | (0 if settings.read_only else os.W_OK)
    if not folder.is_dir():
        report.failed("files", f"{folder} is not a folder", "create it, or correct CONTACTS_MCP_FILES")
    elif not os.access(folder, needed):
        access = "read" if settings.read_only else "read and written"
        report.failed("files", f"{folder} cannot be {access}", "change its permissions, or correct CONTACTS_MCP_FILES")
    else:
        report.passed("files", f"in {settings.files}")


def _examine_trail(report: Report, trail: Trail) -> None:
    try:
        anyio.run(trail.probe)
    except TrailUnavailable as exc:
        advice = "fix this, or set CONTACTS_MCP_AUDIT to another destination"
        report.failed("trail", f"it cannot be written: {exc.why}", advice)
        return
    if trail.path is not None:
        _examine_trail_file(report, trail.path, str(trail))
    else:
        report.passed("trail", str(trail))


def _examine_trail_file(report: Report, path: Path, shown: str) -> None:
    try:
        found = verify([path])
    except FileNotFoundError:
        if _can_create(path):
            report.passed("trail", f"{shown}; the first record creates the file")
        else:
            report.failed("trail", f"{path} cannot be created", "create its folder, or choose another file")
        return
    if found.faults:
        report.failed("trail", f"{path}: {found.faults[0]}", "run `contacts-mcp audit verify` for all faults")
    else:
        report.passed("trail", f"{shown}; {count(found.records, 'record')}, the chain is unbroken")


def _is_creatable(backend: Platform | Embedded) -> bool:
    """Whether the first call of a server could create the directory: a doctor writes nothing."""
    database = backend.database if isinstance(backend, Embedded) else None
    return not isinstance(database, Path) or _can_create(database)


def _can_create(path: Path) -> bool:
    """Whether the nearest folder that exists takes a new file or folder."""
    folder = next(each for each in path.absolute().parents if each.exists())
    return folder.is_dir() and os.access(folder, os.W_OK) and disk_usage(folder).free > 0


def _examine_parts(report: Report, network: "NetworkApp") -> None:
    """Check every part of a server over a network but its trail, which has been checked."""

    async def run() -> dict[str, ContactsError | None]:
        found = dict[str, ContactsError | None]()
        async with network.server.lifespan(network.server):
            for name, check in network.checks.items():
                if name != "trail":
                    found[name] = await _attempt(check)
        return found

    for name, error in anyio.run(run).items():
        _report_part(report, name.replace("_", " "), error)


def _examine_part(
    report: Report, name: str, lifespan: AbstractAsyncContextManager[Any], check: Callable[[], Awaitable[None]]
) -> None:
    _report_part(report, name, anyio.run(_attempt_in, lifespan, check))


def _report_part(report: Report, name: str, error: ContactsError | None) -> None:
    if error is None:
        report.passed(name, "it answers")
    elif NO_DIRECTORY in error.message:
        report.passed(name, _NEW_DIRECTORY)
    else:
        report.failed(name, error.message, error.advice)


def _examine_backend(report: Report, backend: Platform | Embedded) -> None:
    connection = connect(backend, create=False)
    page = anyio.run(_attempt_in, connection.lifespan(), partial(connection.send, ListContacts(per_page=1)))
    if not isinstance(page, ContactsError):
        report.passed(
            "connection", "it answers" if page.total is None else f"it answers; {count(page.total, 'contact')}"
        )
    elif NO_DIRECTORY in page.message and _is_creatable(backend):
        report.passed("connection", _NEW_DIRECTORY)
    else:
        report.failed("connection", page.message, _advise(backend, page))


async def _attempt_in(
    lifespan: AbstractAsyncContextManager[Any], work: Callable[[], Awaitable[T]]
) -> T | ContactsError:
    """Return what `work` returns, or its error: raised here, the lifespan's task group would wrap it."""
    async with lifespan:
        return await _attempt(work)


async def _attempt(work: Callable[[], Awaitable[T]]) -> T | ContactsError:
    try:
        with anyio.fail_after(_TIMEOUT_SECONDS):
            return await work()
    except ContactsError as exc:
        return exc
    except TimeoutError:
        problem = f"no answer within {_TIMEOUT_SECONDS:.0f} seconds"
        return Unreachable(problem, advice="check the network and the addresses")


def _advise(backend: Platform | Embedded, exc: ContactsError) -> str:
    if isinstance(backend, Platform):
        if backend.credential and exc.code in ("authentication_failed", "permission_denied"):
            return f"put a valid key into {backend.credential.source}"
        return "check the network and WAYSCLOUD_API_URL, then run `contacts-mcp doctor` again"
    if isinstance(backend.database, PostgresServer):
        return f"check the server and the address {backend.database}, or choose another with --directory"
    return f"check {backend.database} and its folder, or choose another with --directory"
