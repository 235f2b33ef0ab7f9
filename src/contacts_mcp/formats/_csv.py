"""CSV: which encoding, which delimiter, and its rows."""

import csv
import re
import threading
from collections.abc import Iterator, Mapping
from io import BytesIO, StringIO, TextIOWrapper
from itertools import chain
from typing import TextIO

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.formats._rows import LARGEST_CELL, ParsedFile, checked
from contacts_mcp.formats._table import read_table

_DELIMITERS = (",", ";", "\t")
_SAMPLE = 65_536
_SAID = re.compile(r"sep=([,;\t|:])[\r\n]", re.IGNORECASE)
"""The line by which a file tells Excel its delimiter."""
_END = "\ufdd0end\ufdd0"  # no characters, and so in nobody's file
_limit = threading.Lock()


def decode(data: bytes) -> tuple[str, str]:
    """The text and its encoding's name."""
    codec, name = encoding_of(data)
    return data.decode(codec, "replace"), name


def encoding_of(data: bytes) -> tuple[str, str]:
    """Codec and name of an encoding: UTF-8 or UTF-16 by their marks, UTF-8 where it is, else what Windows writes.

    Raises:
        ValidationFailed: the file is not what its mark says.
    """
    codec, name = next(((codec, name) for mark, codec, name in _MARKS if data.startswith(mark)), ("utf-8", "UTF-8"))
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        if codec != "utf-8":
            raise ValidationFailed(f"the file is no proper {name}", advice="save it as UTF-8") from None
        return "cp1252", "Windows-1252"
    return codec, name


_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)


def read_csv(data: bytes, wanted: Mapping[str, str]) -> ParsedFile:
    """Read CSV with a header.

    Raises:
        ValidationFailed: it is empty, or its header cannot be understood.
    """
    codec, encoding = encoding_of(data)
    begin = _opened(data[:_SAMPLE], codec).read()
    said = _SAID.match(begin)
    delimiter = said[1] if said else _delimiter(begin)
    rows = _rows(_opened(data, codec), delimiter)
    if said:
        next(rows)
    header = next(rows, None)
    if header is None:
        raise ValidationFailed("the file is empty", advice="choose another file")
    table = read_table(header[1], rows, wanted)
    return ParsedFile("csv", table.dialect, checked(table.rows), table.mapping, table.unmapped, encoding, delimiter)


def _delimiter(text: str) -> str:
    """The one that splits the header into the most columns; cells in quotes do not count."""
    begin = text.lstrip("\r\n ")
    counts = {delimiter: _columns(begin, delimiter) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda delimiter: counts[delimiter])


def _columns(text: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader(StringIO(text, newline=""), delimiter=delimiter), []))
    except csv.Error:
        return 0


def _opened(data: bytes, codec: str) -> TextIO:
    """The text as it is read: as a whole it could take four times the memory."""
    return TextIOWrapper(BytesIO(data), codec, errors="replace", newline="")


def _rows(text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows that are not blank, the header's number being 1."""
    with _limit:  # it is the interpreter's, and large cells are a row's problem, not the file's
        csv.field_size_limit(max(LARGEST_CELL, csv.field_size_limit()))
    reader = csv.reader(chain(text, [_END]), delimiter=delimiter)
    number = 0
    while True:
        try:
            cells = next(reader)
        except csv.Error:
            raise _broken(number) from None
        if cells == [_END]:
            return
        if cells and cells[-1].endswith(_END):  # which it swallowed with all that was between
            raise _broken(number)
        number += 1
        if any(cell.strip() for cell in cells):
            yield number, cells


def _broken(number: int) -> ValidationFailed:
    return ValidationFailed(
        f"after row {number} the file is no CSV: a quote is never closed, or a cell is too large",
        advice="correct that row, and import again",
    )
