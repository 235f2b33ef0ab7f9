"""The formats and dialects in which contacts are exported, each with its writer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

from contacts_mcp.contract import Contact, invalid_field
from contacts_mcp.formats._write_csv import CSV_DIALECTS, CsvWriter
from contacts_mcp.formats._write_json import JsonWriter
from contacts_mcp.formats._write_vcard import VCARD_VERSIONS, VcardWriter
from contacts_mcp.formats._write_xlsx import XlsxWriter


class Writer(Protocol):
    """Writes a file of contacts, a page of them at a time."""

    def begin(self) -> None:
        """Write what stands before the contacts to the sink."""
        ...

    def write(self, contacts: Iterable[Contact]) -> None:
        """Write these contacts to the sink."""
        ...

    def end(self) -> None:
        """Write the end of the file to the sink; also after an error, to release what the writer holds."""
        ...


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format's file name suffix, MIME type, writer and the dialects that can be chosen."""

    suffix: str
    mime_type: str
    writer: Callable[[IO[bytes], str], Writer]
    dialects: tuple[str, ...] = ()


FORMATS: Mapping[str, FileFormat] = {
    "csv": FileFormat(".csv", "text/csv", CsvWriter, tuple(filter(None, CSV_DIALECTS))),
    "xlsx": FileFormat(".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", XlsxWriter),
    "vcard": FileFormat(".vcf", "text/vcard", VcardWriter, VCARD_VERSIONS),
    "json": FileFormat(".json", "application/json", JsonWriter),
}


@contextmanager
def open_writer(sink: IO[bytes], format: str, dialect: str | None = None) -> Iterator[Writer]:  # noqa: A002 - the usual name
    """Open a writer to `sink`; the file is complete when the context ends. The sink is not closed.

    Raises:
        ValidationFailed: the format has no such dialect.
    """
    check_dialect(format, dialect)
    writer = FORMATS[format].writer(sink, dialect or "")
    try:
        writer.begin()
        yield writer
    finally:
        writer.end()


def check_dialect(format: str, dialect: str | None) -> None:  # noqa: A002 - the usual name
    """Raise ValidationFailed if a format has no such dialect; the advice is the format that has it."""
    if dialect is None or dialect in FORMATS[format].dialects:
        return
    own, owner = ", ".join(FORMATS[format].dialects), _find_owner(dialect)
    advice = f"set format to {owner}, or leave dialect out" if owner else "leave dialect out"
    raise invalid_field("dialect", f"is not one of {format}, which has {own or 'none'}", advice)


def _find_owner(dialect: str) -> str | None:
    return next((name for name, each in FORMATS.items() if dialect in each.dialects), None)
