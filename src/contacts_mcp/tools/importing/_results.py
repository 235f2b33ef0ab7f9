"""The file that says what became of every row."""

import csv
import io
from collections.abc import Iterable

COLUMNS = ("row", "outcome", "id", "detail")
_TURN = 2_000


def as_csv(results: Iterable[tuple[int, str, str | None, str]]) -> Iterable[bytes]:
    """Row, outcome, id and detail of each, as CSV in chunks; nothing of it is anybody's data."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for number, (row, outcome, contact_id, detail) in enumerate(results, 1):
        writer.writerow((row, outcome, contact_id or "", detail))
        if number % _TURN == 0:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    chunk = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return chunk
