"""Reads contact files: detects the format from the content, and reads CSV, JSON and Excel as tables."""

import csv
import json
import math
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO, StringIO, TextIOWrapper
from itertools import chain, islice
from typing import Any, NamedTuple, TextIO

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.formats import _rows, _workbook
from contacts_mcp.formats._encoding import Encoding, decode, detect_encoding
from contacts_mcp.formats._layouts import COLUMNS, OWN_DIALECT, TIMES
from contacts_mcp.formats._resaved_export import LINES_RESTORED, find_separators, restore_lines
from contacts_mcp.formats._rows import Format, ParsedFile, Row, check_rows, parse_id, parse_type
from contacts_mcp.formats._table import read_table
from contacts_mcp.formats._vcard import read_vcard
from contacts_mcp.operating_system import child_environment

_WORKBOOK_SIGNATURES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_OTHER_SIGNATURES = {b"%PDF": "a PDF", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
                     b"\x1f\x8b": "a compressed file", b"Rar!": "an archive", b"7z\xbc\xaf": "an archive"}  # fmt: skip
_CARD_BEGIN = re.compile(r"(?:\A|[\r\n])[ \t>]*BEGIN[ \t]*:[ \t]*VCARD[ \t;\0]*[\r\n]", re.IGNORECASE)
_CARD_MARKER = re.compile(r"\b(?:BEGIN|END)[ \t]*:[ \t]*VCARD\b", re.IGNORECASE)
_DETECTION_BYTES = 4096
_IMPORTABLE = "CSV, vCard, Excel (xlsx, xls, ods) and JSON can be imported"

_MAX_CSV_CELL_LENGTH = 64 * 1024 * 1024
"""Maximum characters of a CSV cell. A longer cell makes the file invalid; a shorter one can make its row invalid."""
_DELIMITERS = (",", ";", "\t")
_SAMPLE_BYTES = 65_536
_DELIMITER_ROWS = 24
_DELIMITER_LINE = re.compile(r"sep=([,;\t|:])[\r\n]", re.IGNORECASE)
"""The line by which a file tells Excel its delimiter."""
_ESCAPED_QUOTE = re.compile(r'[^\\"]\\"(?=[^,;\t\r\n"])')
"""A quote after a backslash inside of a cell, as databases write it; others double the quote."""
_END_MARKER = "\ufdd0end\ufdd0"  # noncharacters, which no file contains
_csv_limit_lock = threading.Lock()

_MAX_JSON_DEPTH = 4
_JSON_LIST_KEYS = ("contacts", "items", "data", "results", "people")
_JSON_EXAMPLE = 'expected is a list such as [{"name": "..."}]'

_MAX_WORKBOOK_BYTES, _MIN_WORKBOOK_LIMIT_BYTES, _MAX_WORKBOOK_RATIO = 64 * 1024**2, 16 * 1024**2, 16
"""Text of a sheet: at most the first; less if the workbook has few bytes, of which repeated text takes the fewest."""
_WORKBOOK_TIMEOUT_SECONDS = 120
_workbook_slots = threading.BoundedSemaphore(2)  # each takes much memory


class _Options(NamedTuple):
    mapping: Mapping[str, str]
    encoding: str | None
    region: str | None


def read_contacts(
    data: bytes,
    *,
    name: str | None = None,
    format: str | None = None,  # noqa: A002 - the usual name
    mapping: Mapping[str, str] | None = None,
    encoding: str | None = None,
    region: str | None = None,
) -> ParsedFile:
    """Read contacts from a file's content.

    Args:
        data: The file's content.
        name: The file's name, if it has one.
        format: The format that the caller expects.
        mapping: The field that a column fills, by its header, for headers that are not understood.
        encoding: The character set of a text that is not UTF-8; None guesses.
        region: The country of numbers without a country code (ISO 3166 code).

    Raises:
        ValidationFailed: the file is empty, cannot be read, or has another format; says what to do.
    """
    detected = _detect_format(data, name)
    if format is not None and format != detected:
        raise ValidationFailed(f"format: the file is not {format}, it looks like {detected}", advice="omit format")
    return _READERS[detected](data, _Options(mapping or {}, encoding, region))


def _detect_format(data: bytes, name: str | None) -> Format:
    if not data.strip():
        raise ValidationFailed("the file is empty", advice="choose another file")
    if data.startswith(_WORKBOOK_SIGNATURES):
        return "excel"
    begin = data[: _DETECTION_BYTES // 4 * 4]
    text = decode(begin, detect_encoding(begin)).lstrip("\ufeff \t\r\n")
    if _CARD_BEGIN.search(text) or (_is_card_file(name) and _CARD_MARKER.search(decode(data, detect_encoding(data)))):
        return "vcard"
    _require_text(data)
    if text[:1] in ("[", "{"):
        return "json"
    if name is not None and name.lower().endswith((".vcf", ".vcard", ".json", ".jsonl")):
        suffix = name.rpartition(".")[2].lower()
        raise ValidationFailed(f"the file is not a {suffix} file, despite its name", advice=_IMPORTABLE)
    return "csv"


def _is_card_file(name: str | None) -> bool:
    return name is not None and name.lower().endswith((".vcf", ".vcard"))


def _require_text(data: bytes) -> None:
    for signature, kind in _OTHER_SIGNATURES.items():
        if data.startswith(signature):
            raise ValidationFailed(f"the file is {kind}", advice=_IMPORTABLE)
    begin = data[:_DETECTION_BYTES]
    if b"\0" in begin and not detect_encoding(begin[: len(begin) // 4 * 4]).codec.startswith(("utf_16", "utf_32")):
        raise ValidationFailed("the file is binary", advice=_IMPORTABLE)


def _read_csv(data: bytes, options: _Options) -> ParsedFile:
    encoding = detect_encoding(data, options.encoding)
    begin = _open_text(data[:_SAMPLE_BYTES], encoding).read()
    delimiter_line = _DELIMITER_LINE.match(begin)
    delimiter = delimiter_line[1] if delimiter_line else _detect_delimiter(begin, is_cut=len(data) > _SAMPLE_BYTES)
    text = _open_text(data, encoding)
    if separators := None if delimiter_line else find_separators(begin):
        text, delimiter = StringIO(restore_lines(text.read(), separators), newline=""), separators.inner
    rows = _csv_rows(text, delimiter, has_escapes=_ESCAPED_QUOTE.search(begin) is not None)
    if delimiter_line:
        next(rows)
    parsed = read_table("csv", rows, options.mapping, options.region, encoding.name, delimiter)
    if separators:
        parsed.remarks.append(LINES_RESTORED)
    if encoding.fallback:
        parsed.remarks.append("the encoding is guessed; give encoding if letters are wrong")
    return parsed


def _detect_delimiter(text: str, *, is_cut: bool) -> str:
    """Return the delimiter that splits the first rows into the most columns; quoted cells do not count."""
    begin = text.lstrip("\r\n ")
    return max(_DELIMITERS, key=lambda delimiter: _count_columns(begin, delimiter, is_cut=is_cut))


def _count_columns(text: str, delimiter: str, *, is_cut: bool) -> tuple[int, int]:
    """Return how many rows have the usual number of columns, which a title has not, and that number.

    The last row of a text that is cut off does not count if there are others.
    """
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        widths = [len(row) for row in islice(reader, _DELIMITER_ROWS) if row]
    except csv.Error:
        return 0, 0
    if is_cut and 1 < len(widths) < _DELIMITER_ROWS:
        del widths[-1]
    usual = max({*widths} - {1}, key=lambda width: (widths.count(width), width), default=1)
    return (widths.count(usual) if usual > 1 else 0), usual


def _open_text(data: bytes, encoding: Encoding) -> TextIO:
    """Decode while reading, if possible: the whole text could take four times the memory."""
    if encoding.fallback:
        return StringIO(decode(data, encoding), newline="")
    return TextIOWrapper(BytesIO(data[encoding.mark_length :]), encoding.codec, errors="replace", newline="")


def _csv_rows(text: TextIO, delimiter: str, *, has_escapes: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield numbered rows that are not blank; the header is row 1."""
    with _csv_limit_lock:  # the limit is global; a large cell is a problem of its row, not of the file
        csv.field_size_limit(max(_MAX_CSV_CELL_LENGTH, csv.field_size_limit()))
    reader = csv.reader(chain(text, [_END_MARKER]), delimiter=delimiter, escapechar="\\" if has_escapes else None)
    number = 0
    while True:
        try:
            cells = next(reader)
        except csv.Error:
            raise _invalid_csv(number) from None
        if cells == [_END_MARKER]:
            return
        if cells and cells[-1].endswith(_END_MARKER):  # an unclosed quote has swallowed the rest of the file
            raise _invalid_csv(number)
        number += 1
        if any(cell.strip() for cell in cells):
            yield number, cells


def _invalid_csv(number: int) -> ValidationFailed:
    return ValidationFailed(
        f"the file is not valid CSV after row {number}: a quote is never closed, or a cell is too large",
        advice="correct that row, and import again",
    )


def _read_json(data: bytes, options: _Options) -> ParsedFile:
    """Read a list of objects, an object that holds one, or an object on each line; keys are read like columns."""
    items = _json_items(decode(data, detect_encoding(data, options.encoding)))
    keys = list(dict.fromkeys(key for item in items if isinstance(item, dict) for key in item))
    if not keys:
        raise ValidationFailed("the JSON holds no contacts", advice=_JSON_EXAMPLE)
    if not options.mapping and {"name"} <= {*keys} <= {*COLUMNS}:
        used = [(key, key) for key in keys if key not in TIMES]
        return ParsedFile("json", OWN_DIALECT, check_rows(_exported_rows(items)), used)
    cells = ((number, [_to_cell(item.get(key)) for key in keys]) for number, item in _numbered_objects(items))
    return read_table("json", chain([(1, keys)], cells), options.mapping, options.region)


def _json_items(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _json_lines(text)
    if isinstance(found, dict):
        found = next((found[name] for name in _JSON_LIST_KEYS if isinstance(found.get(name), list)), [found])
    if not isinstance(found, list):
        raise ValidationFailed("the JSON is not a list of contacts", advice=_JSON_EXAMPLE)
    return found


def _json_lines(text: str) -> list[Any]:
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        raise ValidationFailed("the file is not valid JSON", advice="check where it was cut off or edited") from None


def _numbered_objects(items: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, item in enumerate(items, 1):
        yield number, item if isinstance(item, dict) else {}


def _exported_rows(items: list[Any]) -> Iterator[Row]:
    for number, item in _numbered_objects(items):
        tags = item.get("tags")
        yield Row(
            number,
            id=parse_id(_to_cell(item.get("id"))),
            type=parse_type(item.get("type")),
            name=_to_cell(item.get("name")),
            company_name=_to_cell(item.get("company_name")),
            phones=tuple(filter(None, [_to_cell(item.get("phone_number"))])),
            emails=tuple(filter(None, [_to_cell(item.get("email"))])),
            tags=tuple(map(_to_cell, tags)) if isinstance(tags, list) else tuple(filter(None, [_to_cell(tags)])),
            notes=_to_cell(item.get("notes")),
        )


def _to_cell(value: Any, depth: int = _MAX_JSON_DEPTH) -> str:
    """Write a value as a cell: items of a list are joined with semicolons, values nested too deeply are dropped."""
    match value:
        case list() if depth:
            return ";".join(filter(None, (_to_cell(each, depth - 1) for each in value)))
        case dict() if depth:
            return _to_cell(value.get("value"), depth - 1)
        case None | bool() | list() | dict():
            return ""
        case float() if not math.isfinite(value):  # programs write these for a missing number
            return ""
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _read_excel(data: bytes, options: _Options) -> ParsedFile:
    """Read the first sheet of a workbook (xlsx, xls, ods) that is not empty."""
    return read_table("excel", _sheet_rows(_run_workbook_reader(data)), options.mapping, options.region)


def _run_workbook_reader(data: bytes) -> bytes:
    """Return a sheet's rows as CSV; they are read in a separate process (see `_workbook`)."""
    max_bytes = min(_MAX_WORKBOOK_BYTES, _MIN_WORKBOOK_LIMIT_BYTES + _MAX_WORKBOOK_RATIO * len(data))
    program = [sys.executable, *_workbook.ARGUMENTS, str(_rows.MAX_ROWS + 2), str(max_bytes)]  # and the header
    try:
        with _workbook_slots:
            done = subprocess.run(  # noqa: S603 - our own program, whose arguments are numbers
                program,
                input=data,
                capture_output=True,
                timeout=_WORKBOOK_TIMEOUT_SECONDS,
                check=False,
                env=child_environment(),
            )
    except subprocess.TimeoutExpired:
        raise _workbook_too_large() from None
    if done.returncode == _workbook.TOO_LARGE or done.returncode < 0:  # ended by the library or the system
        raise _workbook_too_large()
    if done.returncode:
        raise ValidationFailed(
            "the workbook cannot be opened: it is damaged or protected with a password",
            advice="save it again without a password, or as CSV",
        )
    return done.stdout


def _sheet_rows(written: bytes) -> Iterator[tuple[int, list[str]]]:
    for number, *cells in csv.reader(TextIOWrapper(BytesIO(written), "utf-8", newline="")):
        yield int(number), cells


def _workbook_too_large() -> ValidationFailed:
    return ValidationFailed(
        "the workbook is too large: its cells reach too far or contain too much",
        advice="delete cells outside of the table, or save the sheet as CSV",
    )


_READERS: Mapping[Format, Callable[[bytes, _Options], ParsedFile]] = {
    "csv": _read_csv,
    "vcard": lambda data, options: read_vcard(data, options.mapping, options.encoding, options.region),
    "excel": _read_excel,
    "json": _read_json,
}
