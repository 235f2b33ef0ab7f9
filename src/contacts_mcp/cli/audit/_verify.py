"""`contacts-mcp audit verify`."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from contacts_mcp.cli._progress import AsJson, say
from contacts_mcp.cli.audit._place import File, file_of, readable

if TYPE_CHECKING:
    from contacts_mcp.audit import Verdict

_SHOWN = 20


def verify(
    file: File = None,
    first: Annotated[
        int, typer.Option("--from", min=1, help="The first record that has to be there; older ones were put elsewhere.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Look whether records were changed, left out or put in, through all files of the trail. 1 where they were.

    Who can write the file can cut records off its end, or make all of them anew: hold the last hash against what has
    gone elsewhere.
    """
    from contacts_mcp.audit import verify as look

    path = file_of(file)
    with readable(path):
        verdict = look(path, first)
    say("\n".join(_lines(verdict)), asdict(verdict), as_json)
    raise typer.Exit(1 if verdict.faults else 0)


def _lines(verdict: "Verdict") -> Iterator[str]:
    yield from verdict.faults[:_SHOWN]
    if (more := len(verdict.faults) - _SHOWN) > 0:
        yield f"and {more:,} more faults"
    if verdict.unfinished:
        numbers = ", ".join(f"{number:,}" for number in verdict.unfinished[:_SHOWN])
        yield f"{len(verdict.unfinished):,} begun without a recorded end, so they may have been done: {numbers}"
    when = f" from {verdict.since} to {verdict.until}" if verdict.records else ""
    told = "which do not all follow" if verdict.faults else "each following the one before"
    yield f"{verdict.records:,} records{when}, {told}; the last is {verdict.last:,}, {verdict.hash or 'not there yet'}."
