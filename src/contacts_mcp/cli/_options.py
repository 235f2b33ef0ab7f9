"""Helpers that several commands share: flags, times, a server, confirmation and progress."""

import gc
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contacts_mcp.cli._output import one_line, print_line
from contacts_mcp.setting_values import UNEXPANDED, has_reference, is_not_set, strip_noise

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from contacts_mcp.app import Reload

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]

_AGE = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def clean_option(param: typer.CallbackParam, value: Any) -> Any:
    """Clean an option or argument that is a path or an address, or several; for `callback=`.

    Raises typer.BadParameter for a reference that the host or the shell did not expand.
    """
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value if not is_not_set(str(each))]
    if value is None or not is_not_set(str(value)):
        return value and _clean(value)
    if param.required:
        raise typer.BadParameter("is not set")
    return param.default


def _clean(value: Any) -> Any:
    text = strip_noise(str(value))
    if has_reference(text):
        raise typer.BadParameter(UNEXPANDED)
    return type(value)(text)


def parse_age(text: str, option: str) -> timedelta:
    """Parse `12h`, `30d` or `4w`. Raises ValueError."""
    match = _AGE.fullmatch(text)
    if not match:
        raise ValueError(f"{option} accepts a number of hours, days or weeks, such as 12h, 30d or 4w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_moment(text: str, option: str) -> datetime:
    """Parse an age such as `12h`, or an ISO 8601 day or time, by default in the local zone. Raises ValueError."""
    if _AGE.fullmatch(text):
        return datetime.now(UTC) - parse_age(text, option)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{option} accepts a day or time such as 2026-11-24T10:00, or an age such as 12h or 30d"
        ) from None
    return moment.astimezone()


Files = Annotated[
    Path | None, typer.Option(callback=clean_option, help="The only folder to import files from and export them to.")
]
Region = Annotated[str | None, typer.Option("--default-region", help="Region of national numbers, such as NO.")]


def enable_gc() -> None:
    """Collect garbage from now on, except for the imported modules, which are never freed."""
    gc.freeze()
    gc.enable()


@contextmanager
def interruptible() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt inside the block, for work that has to clean up after itself."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def serve_app(app: "ASGIApp", summary: str, host: str, port: int, paths: str = "", *reloads: "Reload") -> None:
    """Serve an app until SIGTERM or SIGINT; the first line on standard error shows what is served and its address.

    SIGHUP reopens the log and runs `reloads`.
    """
    from contacts_mcp.app import announce, hangup_handler
    from contacts_mcp.http_server import listen, run

    on_hangup = hangup_handler(*reloads)
    enable_gc()
    with listen(host, port) as listening:
        address = f"[{host}]" if ":" in host else host
        announce(f"{summary}; listening on http://{address}:{listening.getsockname()[1]}{paths}")
        run(app, listening, on_hangup)


def confirm(question: str, yes: bool) -> None:
    """Ask at the terminal, and abort if the answer is not yes or there is no terminal; `yes` skips the question."""
    if yes:
        return
    # Not `typer.confirm`, which writes a space to standard output, so before the JSON or the key that is printed there.
    typer.echo(f"{one_line(question)} [y/N]: ", nl=False, err=True)
    try:
        with interruptible():
            answer = sys.stdin.readline() if sys.stdin else ""
    except KeyboardInterrupt:
        raise typer.Abort from None
    if not answer:
        typer.echo(err=True)
        print_line("Nothing was done. There is no terminal to ask at: --yes skips the question.", err=True)
    if answer.strip().lower() not in ("y", "yes"):
        raise typer.Abort


@contextmanager
def show_progress(description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error if that is a terminal; call the result with the number done so far."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import Progress

    from contacts_mcp.cli._console import SafeConsole

    with Progress(console=SafeConsole(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)
