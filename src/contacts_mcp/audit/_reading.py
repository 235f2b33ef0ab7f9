"""The records of a trail, for who wants to see them; whether they are as they were written is for `verify` to say."""

from collections.abc import Callable, Iterator
from pathlib import Path

from contacts_mcp.audit._files import Line, parts_of, read
from contacts_mcp.audit._record import NoRecord, Record, read_line

Skipped = Callable[[Line], None]
"""Told of lines that are no records."""


def records(path: Path, skipped: Skipped, after: int = 0) -> Iterator[Record]:
    """The records after number `after`, the oldest first. Raises OSError where there is no trail."""
    for line in read(path, after):
        try:
            record = read_line(line.text)
        except NoRecord:
            skipped(line)
        else:
            if record["seq"] > after:
                yield record


def latest(path: Path, skipped: Skipped, number: int) -> list[Record]:
    """The last so many records. Raises as `records`."""
    put_away = max((part.last for part in parts_of(path)), default=0)
    return list(records(path, skipped, max(0, put_away - number)))[-number:] if number else []


def follow(path: Path, skipped: Skipped, after: int, wait: Callable[[], None]) -> Iterator[Record]:
    """Records after number `after` as they come, for ever; `wait` is called between two looks for them."""
    seen: tuple[int, int] | None = None
    while True:
        found = _state(path)
        if found != seen:
            seen = found
            for record in records(path, skipped, after):
                after = record["seq"]
                yield record
        else:
            wait()


def _state(path: Path) -> tuple[int, int] | None:
    """What is different once something was written, whichever file it went to."""
    try:
        status = path.stat()
    except FileNotFoundError:  # it was put away, and nobody has written since
        return None
    return status.st_ino, status.st_size
