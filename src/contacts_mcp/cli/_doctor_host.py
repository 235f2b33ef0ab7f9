"""`contacts-mcp doctor --host NAME`: start the server as that host does, and say what a person sees there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from contacts_mcp.approval_page import has_browser
from contacts_mcp.cli._hosts import FILE_OF, HOSTS, KnownHost, capabilities_of, find_way
from contacts_mcp.cli._probe import ProbeFailed, probe
from contacts_mcp.cli._report import Report
from contacts_mcp.install import (
    INSTALL_HOSTS,
    InstallHost,
    InvalidHostFile,
    Launch,
    Places,
    hide_secrets,
    read_host_entries,
    read_launch,
    starts_this_server,
)
from contacts_mcp.setting_values import has_reference, is_placeholder_key
from contacts_mcp.settings import Settings, load_settings
from contacts_mcp.wording import count, unknown_name

_TIMEOUT_SECONDS = 30.0
_PASSED_ON = ("HOME", "LOGNAME", "USER", "SHELL", "LANG", "TMPDIR", "SYSTEMROOT", "SYSTEMDRIVE", "TEMP", "USERPROFILE")
_PASSED_ON_WINDOWS = ("APPDATA", "LOCALAPPDATA", "PROGRAMFILES", "USERNAME", "COMPUTERNAME", "PATHEXT", "COMSPEC")
_OF_THE_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
_PATHS = {
    "darwin": "/usr/bin:/bin:/usr/sbin:/sbin",
    "win32": r"C:\Windows\system32;C:\Windows",
    "linux": "/usr/local/bin:/usr/bin:/bin",
}
"""What a program has as PATH that was started from the desktop, and not from a shell."""


def examine_host(name: str, settings: Settings, home: Path, *, as_json: bool = False) -> int:
    """Report what a person sees in a host; return 1 if something is wrong. Raises ValueError for an unknown host.

    `settings` are those of this shell, for a host without a file that could be read.
    """
    known = HOSTS.get(name)
    if known is None:
        raise ValueError(f"--host: {unknown_name('host', name, HOSTS)}")
    report, places = Report(as_json), Places(home)
    file_name = FILE_OF.get(name)
    launches = _find_launches(report, file_name, places) if file_name else {}
    for entry, launch in launches.items():
        environ = host_environment(INSTALL_HOSTS[file_name or ""], places)
        _examine_launch(report, known, file_name or "", entry, launch, environ, places)
    if not launches:
        _examine_deletion(report, known, settings, os.environ)
    return report.end()


def host_environment(host: InstallHost, places: Places) -> dict[str, str]:
    """Return the environment that a host gives to servers if it was started from the desktop."""
    passed_on = [*_PASSED_ON, *(_PASSED_ON_WINDOWS if places.platform == "win32" else ())]
    if host.has_full_environment:
        passed_on += _OF_THE_DESKTOP
    kept = {name: places.environ[name] for name in passed_on if name in places.environ}
    return {**kept, "PATH": _PATHS.get(places.platform, _PATHS["linux"])}


def _find_launches(report: Report, name: str, places: Places) -> dict[str, Launch]:
    """Return how the host starts this server, by the names of its entries; report it if it does not."""
    host = INSTALL_HOSTS[name]
    path = host.locate(places)
    try:
        entries = read_host_entries(host, places)
    except InvalidHostFile as exc:
        report.failed("file", str(exc), f"correct it, then run `contacts-mcp doctor --host {name}` again")
        return {}
    except OSError as exc:
        report.failed("file", f"{path} cannot be read ({exc.strerror})", "change its permissions")
        return {}
    launches = {entry: read_launch(content) for entry, content in entries.items()}
    found = {entry: launch for entry, launch in launches.items() if launch and starts_this_server(launch)}
    if found:
        report.passed("file", str(path))
    else:
        reason = f"no entry in {path} starts this server" if path.exists() else f"there is no file {path}"
        report.failed("file", reason, f"run `contacts-mcp install {name}`")
    return found


def _examine_launch(
    report: Report, known: KnownHost, name: str, entry: str, launch: Launch, environ: Mapping[str, str], places: Places
) -> None:
    fix = f"run `contacts-mcp install {name}`, which writes a command that works without the shell's PATH"
    report.passed("command", hide_secrets(" ".join([launch.command, *launch.args])))
    if wrong := _find_references(launch):
        advice = (
            f"write the value itself into {INSTALL_HOSTS[name].locate(places)}, or run `contacts-mcp install {name}`"
        )
        report.failed(entry, f"{wrong} is a reference, which this host may not replace", advice)
    try:
        found = probe(launch, environ, places.home, capabilities_of(known), _TIMEOUT_SECONDS)
    except ProbeFailed as exc:
        report.failed(entry, hide_secrets(str(exc)), fix)
    else:
        report.passed(entry, f"it starts: {found.first_line}")
        report.passed("tools", f"{count(len(found.tools), 'tool')}: {', '.join(found.tools)}")
        with _environment({**environ, **launch.env}):
            _examine_deletion(report, known, _settings_of(launch), os.environ)
    report.passed("log", INSTALL_HOSTS[name].logs(places).replace("NAME", entry))


def _find_references(launch: Launch) -> str:
    """Return the names of variables whose values the host may not replace."""
    wrong = [
        name
        for name, value in launch.env.items()
        if (is_placeholder_key(value) if name in ("WAYSCLOUD_API_KEY", "WAYSCLOUD_TOKEN") else has_reference(value))
    ]
    return ", ".join(wrong)


def _examine_deletion(report: Report, known: KnownHost, settings: Settings, environ: Mapping[str, str]) -> None:
    """Report how a person agrees to a deletion."""
    way = find_way(known, settings, has_browser=has_browser(environ))
    if way.passed_over:
        report.passed("passed over", "; ".join(f"{rung}, because {reason}" for rung, reason in way.passed_over.items()))
    if way.advice:
        report.failed(f"deletion in {known.title}", way.result, way.advice)
    else:
        report.passed(f"deletion in {known.title}", way.result)


def _settings_of(launch: Launch) -> Settings:
    """Return the settings of a server that has started: its environment is this process's, its flags are given."""
    from typer.main import get_command

    from contacts_mcp.cli._commands import cli

    serve: Any = get_command(cli).commands["serve"]  # type: ignore[attr-defined]
    words = launch.args[launch.args.index("serve") + 1 :] if "serve" in launch.args else ()
    try:
        params = serve.make_context("serve", list(words)).params
    except (typer.BadParameter, typer.Exit):
        params = {}
    return load_settings(**{name: value for name, value in params.items() if name in Settings.model_fields and value})


@contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    """Have this process's environment be another one meanwhile."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
