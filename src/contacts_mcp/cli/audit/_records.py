"""`contacts-mcp audit show` and `tail`."""

import time
from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer

from contacts_mcp.audit import Outcome
from contacts_mcp.cli._moments import parse_moment
from contacts_mcp.cli._progress import AsJson
from contacts_mcp.cli.audit._place import File, file_of, readable
from contacts_mcp.text import sanitize

if TYPE_CHECKING:
    from contacts_mcp.audit import Line, Record

_POLL = 0.3
_WIDEST = 100
_IN_COLUMNS = ("seq", "time", "outcome", "tool", "caller", "consent")
_LEFT_OUT = ("request", "risk", "ms", "previous", "hash")


def show(
    file: File = None,
    since: Annotated[str | None, typer.Option(help="From this day or time on, such as 2026-11-24 or 12h.")] = None,
    tool: Annotated[str | None, typer.Option(help="Of this tool alone.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="With this outcome alone.")] = None,
    caller: Annotated[str | None, typer.Option(help="Of this caller alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List records, the oldest first; with --json as they are in the file."""
    from contacts_mcp.audit import records

    wanted = {"tool": tool, "outcome": outcome, "caller": caller}
    moment = parse_moment(since, "--since").astimezone(UTC).isoformat() if since else ""
    path = file_of(file)
    with readable(path):
        for record in records(path, _skipped):
            if str(record.get("time")) >= moment and all(
                want in (None, record.get(key)) for key, want in wanted.items()
            ):
                _print(record, as_json)


def tail(
    number: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last records.")] = 10,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is recorded from now on.")] = False,
    file: File = None,
    as_json: AsJson = False,
) -> None:
    """List the last records, and with -f those that follow, also where the file is put away meanwhile."""
    from contacts_mcp.audit import follow, latest

    path = file_of(file)
    with readable(path):
        last = 0
        for record in latest(path, _skipped, number):
            last = record["seq"]
            _print(record, as_json)
        if following:
            for record in follow(path, _skipped, last, lambda: time.sleep(_POLL)):
                _print(record, as_json)


def _print(record: "Record", as_json: bool) -> None:
    from contacts_mcp.audit import line_of

    typer.echo(line_of(record).decode().rstrip("\n") if as_json else _line(record))


def _line(record: "Record") -> str:
    seq, when, outcome, tool, caller, consent = (_shown(record.get(name)) for name in _IN_COLUMNS)
    rest = {name: value for name, value in record.items() if name not in (*_IN_COLUMNS, *_LEFT_OUT)}
    more = "  ".join(f"{_shown(name)}={_shown(value)}" for name, value in rest.items())
    return f"{seq:>6}  {when:<24}  {outcome:<7}  {tool:<24}  {caller}  {consent}  {more}".rstrip()


def _shown(value: object) -> str:
    """A value as it may be shown at a terminal, whatever somebody has put into the file."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(sanitize(text, _WIDEST).split())


def _skipped(line: "Line") -> None:
    typer.echo(f"line {line.number} of {line.file.name} is no record; `contacts-mcp audit verify` says more", err=True)
