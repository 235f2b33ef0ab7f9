"""What became of each row of an import, and the file that lists it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import Any, NamedTuple

import anyio.to_thread

from contacts_mcp.contract import ValidationFailed, invalid_field
from contacts_mcp.folder import Folder
from contacts_mcp.formats import FORMATS, escape_formulas, write_csv_rows
from contacts_mcp.tools._tool import Backend

_MAX_RESULT_FILES = 100  # of one imported file; further ones are only kept as downloads
_CSV_TYPE = FORMATS["csv"].mime_type


class RowResult(NamedTuple):
    """A line of the result file; the fields are its columns."""

    row: int
    outcome: str
    id: str | None
    detail: str

    def with_reach(self, unreachable: str) -> "RowResult":
        """Return the line with the reason why SMS cannot reach the row's contact, if there is one."""
        if not unreachable:
            return self
        return self._replace(detail="; ".join(filter(None, [self.detail, f"not reachable by SMS: {unreachable}"])))


async def keep_results(backend: Backend, path: str | None, results: Iterable[RowResult]) -> dict[str, Any]:
    """Write the result file next to the imported one, or keep it as a download; return the answer's fields about it."""
    chunks = await anyio.to_thread.run_sync(list, _to_csv(results))
    if path is not None and isinstance(backend.files, Folder):
        with suppress(ValidationFailed):  # the contacts are written, so the import has not failed
            name = await anyio.to_thread.run_sync(_find_result_name, backend.files, path)
            return await backend.keep_file(name, _CSV_TYPE, chunks, backend.files)
    return await backend.keep_file("import.result.csv", _CSV_TYPE, chunks, None)


def _find_result_name(folder: Folder, path: str) -> str:
    """Return a free name for the result file. No file is replaced: a person may have made or edited it.

    Raises ValidationFailed if there is none.
    """
    names = (f"{path}.result{f'-{number}' if number > 1 else ''}.csv" for number in range(1, _MAX_RESULT_FILES + 1))
    if name := next(filter(folder.is_free, names), None):
        return name
    raise invalid_field("path", f"has {_MAX_RESULT_FILES} result files already; move them away")


def _to_csv(results: Iterable[RowResult]) -> Iterator[bytes]:
    """The result file, in chunks. It holds ids, but no personal data. Details may quote the service."""
    cells = (
        (str(row), outcome, escape_formulas(id_ or ""), escape_formulas(detail))
        for row, outcome, id_, detail in results
    )
    rows = chain([RowResult._fields], cells)
    while chunk := list(islice(rows, 2_000)):
        yield write_csv_rows(chunk)
