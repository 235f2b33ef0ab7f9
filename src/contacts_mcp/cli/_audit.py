"""`contacts-mcp audit`: verify and read the audit trail."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from contacts_mcp import audit
from contacts_mcp.cli._command_line import CommandLine
from contacts_mcp.cli._location import DirectoryOption
from contacts_mcp.cli._options import AsJson, clean_option, parse_moment
from contacts_mcp.cli._output import print_json_array, print_line, print_list, print_result
from contacts_mcp.hash_chain import format_line
from contacts_mcp.settings import load_settings
from contacts_mcp.text import sanitize_line
from contacts_mcp.wording import count, local_time, unknown_name

_POLL_INTERVAL_SECONDS = 0.3
_MAX_SHOWN = 20
_MAX_VALUE_CHARACTERS = 100
_MAX_LISTED = 2  # of the ids of a record; each has 36 characters
_COLUMNS = ("seq", "time", "outcome", "tool", "caller", "consent")
_OMITTED = ("request", "risk", "ms", "previous", "hash")

File = Annotated[
    Path | None,
    typer.Option(
        callback=clean_option,
        help="The current file of the trail. Default: from CONTACTS_MCP_AUDIT, or this user's file.",
    ),
]

audit_cli = CommandLine(help="Verify and read the audit trail.")


@audit_cli.command()
def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            callback=clean_option,
            help="Files of one trail, folders or patterns such as 'archive/audit*.gz', instead of --file.",
        ),
    ] = None,
    file: File = None,
    first: Annotated[
        int, typer.Option("--from", min=1, help="The first record to verify, if older segments are kept elsewhere.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Check that no record was changed, removed or inserted.

    It exits with 1 if one was. With --file, the files into which it was rotated are read as well, also .gz and .xz.

    Anyone who can write the file can cut records off its end or rewrite all of it: compare the last hash with a copy
    of the trail that is kept elsewhere.
    """
    if files and file:
        raise ValueError("give either --file or files to verify, not both")
    with _find_trail(file or (files[0] if files else None)) as path:
        found = audit.verify(files or [path], first)
    print_result(list(_summarize(found)), asdict(found), as_json)
    raise typer.Exit(1 if found.faults else 0)


@audit_cli.command()
def show(
    file: File = None,
    since: Annotated[str | None, typer.Option(help="From this day or time on, such as 2026-11-24 or 12h.")] = None,
    tool: Annotated[str | None, typer.Option(help="Only calls of this tool.")] = None,
    outcome: Annotated[audit.Outcome | None, typer.Option(help="Only records with this outcome.")] = None,
    caller: Annotated[str | None, typer.Option(help="Only calls of this caller.")] = None,
    record_id: Annotated[str | None, typer.Option("--id", help="Only calls that name this contact or group.")] = None,
    as_json: AsJson = False,
) -> None:
    """List records, the oldest first.

    With --json they are an array, each record on a line as it is stored.
    """
    given = {"tool": tool, "outcome": outcome, "caller": caller}
    wanted = {name: value for name, value in given.items() if value is not None}
    earliest = parse_moment(since, "--since").astimezone(UTC).isoformat() if since else ""
    with _find_trail(file) as path:
        records = audit.read_records(path, _report_invalid)
        chosen = _select(records, wanted, earliest)
        _print_all(chosen if record_id is None else _naming(chosen, record_id.lower()), as_json)


@audit_cli.command()
def tail(
    number: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last records.")] = 10,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new records.")] = False,
    file: File = None,
    as_json: AsJson = False,
) -> None:
    """List the last records; with -f also new ones.

    It goes on in the new file when the file is rotated.

    With --json they are an array, and with -f, which has no end, one record on each line.
    """
    with _find_trail(file) as path:
        latest = audit.read_latest(path, _report_invalid, number)
        if not following:
            _print_all(latest, as_json)
            return
        for record in latest:
            _print(record, as_json)
        last = latest[-1]["seq"] if latest else 0
        for record in audit.follow_records(path, _report_invalid, last, lambda: time.sleep(_POLL_INTERVAL_SECONDS)):
            _print(record, as_json)


@audit_cli.command()
def who(
    caller: Annotated[
        str,
        typer.Argument(
            help="The beginning of a directory key's eight characters, a user's subject, a caller as the trail shows "
            "it, or a whole key; - reads it from standard input, so that a key stays out of the shell's history."
        ),
    ],
    file: File = None,
    directory: DirectoryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the caller of a key or user, or the key of a caller.

    It counts their calls.
    """
    from contacts_mcp.cli._audit_who import find_callers

    with _find_trail(file) as path:
        found = find_callers(caller, audit.summarize_callers(audit.read_records(path, _report_invalid)), directory)
    lines = [line for each in found for line in each.lines()]
    print_list(lines, [each.to_json() for each in found], as_json)


@contextmanager
def _find_trail(given: Path | None) -> Iterator[Path]:
    """The trail's file; an error of reading it in the block is one line. Raises ValueError."""
    path = given if given is not None else load_settings().locate_trail()
    try:
        yield path
    except BrokenPipeError:
        raise
    except FileNotFoundError as exc:
        where = exc.filename or path
        raise ValueError(
            f"there is no audit trail at {where}; name its file with --file or CONTACTS_MCP_AUDIT"
        ) from exc
    except OSError as exc:
        raise ValueError(
            f"the audit trail {path} cannot be read: {exc.strerror}; check the file and its permissions"
        ) from exc


def _select(
    records: Iterable[audit.AuditRecord], wanted: Mapping[str, str], earliest: str
) -> Iterator[audit.AuditRecord]:
    """Yield the records from a time on that have the wanted values.

    Raises ValueError at the end if no record, of any time, has a wanted value: it is probably misspelled.
    """
    seen = {name: _known_values(name) for name in wanted}
    for record in records:
        for name, values in seen.items():
            values.add(str(record.get(name)))
        if str(record.get("time")) >= earliest and wanted.items() <= record.items():
            yield record
    for name, value in wanted.items():
        if value not in seen[name]:
            raise ValueError(f"--{name}: {unknown_name(name, value, seen[name])}")


def _naming(records: Iterable[audit.AuditRecord], record_id: str) -> Iterator[audit.AuditRecord]:
    """Yield the records that have an id in one of their fields. Raises ValueError at the end if none has it."""
    is_named = False
    for record in records:
        if any(isinstance(each, str) and each.lower() == record_id for each in _flatten(list(record.values()))):
            is_named = True
            yield record
    if not is_named:
        raise ValueError("--id: no record names this contact or group; check the id, and other options")


def _flatten(values: list[Any]) -> Iterator[Any]:
    """Yield the items of a list, and of the lists in it."""
    for value in values:
        if isinstance(value, list):
            yield from _flatten(value)
        else:
            yield value


def _known_values(name: str) -> set[str]:
    """Return the values that a field may have even if no record has them."""
    if name == "outcome":
        return {*audit.Outcome}
    if name == "tool":
        from contacts_mcp.tools import TOOLS

        return {tool.name for tool in TOOLS}
    return set()


def _summarize(found: audit.Verification) -> Iterator[str]:
    yield from found.faults[:_MAX_SHOWN]
    if (more := len(found.faults) - _MAX_SHOWN) > 0:
        yield f"and {count(more, 'more fault')}"
    if found.unfinished:
        numbers = ", ".join(f"{number:,}" for number in found.unfinished[:_MAX_SHOWN])
        if len(found.unfinished) == 1:
            yield f"1 call began and has no recorded end; check whether it was done: record {numbers}"
        else:
            calls = count(len(found.unfinished), "call")
            yield f"{calls} began and have no recorded end; check whether they were done: records {numbers}"
    since, until = (_sanitized(local_time(str(moment))) for moment in (found.since, found.until))
    period = f" from {since} to {until}" if found.records else ""
    state = "the chain is broken" if found.faults else "the chain is unbroken"
    last = f"; the last record is {found.last:,}, hash {_sanitized(found.hash)}" if found.records else ""
    yield f"{count(found.records, 'record')}{period}; {state}{last}"


def _print_all(records: Iterable[audit.AuditRecord], as_json: bool) -> None:
    if as_json:
        print_json_array(_to_json(record) for record in records)
        return
    for record in records:
        _print(record, as_json)


def _print(record: audit.AuditRecord, as_json: bool) -> None:
    print_line(_to_json(record) if as_json else _format(record))


def _to_json(record: audit.AuditRecord) -> str:
    return format_line(record).decode().rstrip("\n")


def _format(record: audit.AuditRecord) -> str:
    seq, when, outcome, tool, caller, consent = (_sanitized(record.get(name)) for name in _COLUMNS)
    when = _sanitized(local_time(when, seconds=True))
    rest = {name: value for name, value in record.items() if name not in (*_COLUMNS, *_OMITTED)}
    more = "  ".join(f"{_sanitized(name)}={_sanitized(value)}" for name, value in rest.items())
    return f"{seq:>6}  {when:<24}  {outcome:<7}  {tool:<24}  {caller}  {consent}  {more}".rstrip()


def _sanitized(value: object) -> str:
    """Make any value of the file safe to print at a terminal; of a long list only the beginning is shown."""
    text = str(value)
    if isinstance(value, list):
        value = list(_flatten(value))
        more = len(value) - _MAX_LISTED
        text = ",".join(map(str, value[:_MAX_LISTED])) + (f" and {more:,} more" if more > 0 else "")
    return sanitize_line(text, _MAX_VALUE_CHARACTERS)


def _report_invalid(line: audit.TrailLine) -> None:
    print_line(f"line {line.number} of {line.file.name} is not a record; run `contacts-mcp audit verify`", err=True)
