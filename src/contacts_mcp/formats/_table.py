"""Read tables of any format: find the header, map columns to fields, and read rows of cells."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from operator import itemgetter
from typing import NamedTuple

from contacts_mcp import phones
from contacts_mcp.contract import ContactType, ValidationFailed, invalid_field
from contacts_mcp.formats import _export
from contacts_mcp.formats._headers import NUMBERED_LABEL, NUMBERED_VALUE, is_fax, meaning_of, normalize_header
from contacts_mcp.formats._rows import EXTRA_CELLS, FAX_NOT_READ, Format, ParsedFile, Row, check_rows, take
from contacts_mcp.formats._values import (
    GOOGLE_SEPARATOR,
    phone_kind_rank,
    split_emails,
    split_phones,
    split_tags,
    strip_invisible,
    unwrap_formula,
)
from contacts_mcp.mail import is_email
from contacts_mcp.text import sanitize_line

Cells = Sequence[str]
NumberedRow = tuple[int, Cells]

MAX_CELL_LENGTH = 20_000
"""Characters; a row with a longer cell is not imported."""
MAX_COLUMNS = 1_000
IGNORE = "ignore"
"""In a mapping: do not use this column."""

_MAPPABLE = ("name", "first_name", "last_name", "company_name", "phone_number", "email", "tags", "notes", "type")
_NAME_FIELDS = frozenset({"name", "first_name", "last_name", "company_name", "nickname"})
_NAME_PARTS = ("first_name", "middle_name", "last_name")
_MAX_LISTED_HEADERS = 30
_LAST_NAME_BESIDE_FIRST = frozenset({"name", "nom", "naam", "nome", "apellidos"})
"""Headers that mean the last name if another column has the first name."""
_COMPANY = re.compile(
    r"compan|firma|bedrift|business|organi[sz]ation|unternehmen|entreprise|empresa|foretag", re.IGNORECASE
)
_DATA = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s()./-]{6,}")

_HEADER_ROWS = 12
"""Number of rows in which the header is searched; exports may have a title above it."""
_MIN_HEADERS = 2
_MAX_SAMPLED_COLUMNS = 50
_SAMPLE_ROWS, _MIN_SHARE, _MIN_HINT_SHARE = 200, 0.6, 0.3
"""Rows to sample; shares of valid cells at which a column with an unknown header is used, or hinted at."""
_NUMBER = re.compile(r"(?:\+|00)?\(?\d[\d\s()./-]{5,20}\d")
_DATE = re.compile(r"\d{4}[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./]\d{4}")
_PERSON = re.compile(r"[^\W\d_][\w'\u2019.-]*(?:,? [^\W\d_][\w'\u2019.-]*){1,4}")


class Column(NamedTuple):
    """A column that fills a field; the column at `label_position` holds the kinds of its values, such as "Mobile"."""

    position: int
    field: str
    header: str
    label_position: int | None = None


def read_table(
    file_format: Format,
    rows: Iterator[NumberedRow],
    mapping: Mapping[str, str],
    region: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> ParsedFile:
    """Read numbered rows; one of the first rows is the header.

    `mapping` sets the field of columns by their header; `region` is the country of numbers without a country code.

    Raises:
        ValidationFailed: there is no header, or it cannot be understood.
    """
    first_rows = [(number, [unwrap_formula(cell) for cell in cells]) for number, cells in islice(rows, _HEADER_ROWS)]
    if not first_rows:
        kind = "workbook" if file_format == "excel" else "file"
        raise ValidationFailed(f"the {kind} is empty", advice="choose another file")
    index, headers = _find_header(first_rows, mapping)
    parsed = ParsedFile(file_format, _dialect(headers), iter(()), encoding=encoding, delimiter=delimiter)
    if first_rows[index][0] != 1:
        parsed.remarks.append(f"the header ends in row {first_rows[index][0]}; rows above it are not read as contacts")
    rows = chain(first_rows[index + 1 :], rows)
    if not mapping and _export.is_export_header(headers):
        parsed.dialect = _export.OWN_DIALECT
        parsed.mapping = [(name, name) for name in headers if name not in _export.TIMES]
        parsed.rows = check_rows(_export.parse_exported_row(number, headers, cells) for number, cells in rows)
        return parsed
    sample = list(islice(rows, _SAMPLE_ROWS))
    columns = _map_columns(headers, mapping, _Samples(sample, region), parsed)
    used_columns = [column for column in columns if column.field != "fax"]
    used = {column.position for column in used_columns} | {column.label_position for column in used_columns}
    parsed.mapping = [(column.header, column.field) for column in used_columns]
    parsed.unmapped = [name for position, name in enumerate(headers) if position not in used and name]
    reader = _RowReader(columns, len(headers), region, is_google=parsed.dialect.startswith("Google"))
    parsed.rows = check_rows(map(reader.read, chain(sample, rows)))
    return parsed


def _find_header(first_rows: Sequence[NumberedRow], mapping: Mapping[str, str]) -> tuple[int, list[str]]:
    """Return the index of the header's last row, and the headers.

    Raises:
        ValidationFailed: the first row looks like data.
    """
    wanted = {normalize_header(header) for header in mapping}
    for index, (_, cells) in enumerate(first_rows):
        names = {normalize_header(cell) for cell in cells}
        if wanted <= names if wanted else _is_header(names, cells, first_rows[:index]):
            return _with_second_line(first_rows, index)
    headers = _strip(first_rows[0][1])
    if not mapping and any(_DATA.fullmatch(cell) for cell in headers):
        raise ValidationFailed(
            "the first row looks like data, not like a header",
            advice="add a first row with column names, such as name, phone, email",
        )
    return 0, headers


def _is_header(names: frozenset[str] | set[str], cells: Cells, above: Sequence[NumberedRow]) -> bool:
    """Whether a row has several column names that are understood, and every row above it is a title."""
    understood = sum(1 for name in names if meaning_of(name) not in (None, "kind"))
    filled = _count_filled(cells)
    return (
        understood >= _MIN_HEADERS
        and not any(_DATA.fullmatch(cell.strip()) for cell in cells)
        and all(_count_filled(row) <= max(1, filled // 2) for _, row in above)
    )


def _count_filled(cells: Cells) -> int:
    return sum(1 for cell in cells if cell.strip())


def _strip(cells: Cells) -> list[str]:
    return [cell.strip().lstrip("\ufeff") for cell in cells]


def _with_second_line(first_rows: Sequence[NumberedRow], index: int) -> tuple[int, list[str]]:
    """Join a header with a second line below it, such as `Phone` over `Mobile` and `Work`."""
    headers = _strip(first_rows[index][1])
    if index + 1 >= len(first_rows):
        return index, headers
    below = _strip(first_rows[index + 1][1])
    has_gaps = any(name and not header for header, name in zip_longest(headers, below, fillvalue=""))
    if not has_gaps or not all(meaning_of(normalize_header(name)) for name in below if name):
        return index, headers
    joined, group = [], ""
    for header, name in zip_longest(headers, below, fillvalue=""):
        group = header or group
        joined.append(f"{group} {name}".strip() if name else header)
    return index + 1, joined


def _dialect(headers: Sequence[str]) -> str:
    names = {normalize_header(header) for header in headers}
    if names & {"e mail 1 value", "phone 1 value"}:
        return "Google Contacts" if "first name" in names else "Google Contacts (old)"
    if names >= {"first name", "last name", "e mail address"}:
        return "Outlook"
    return "by column name"


class _Samples:
    """The first cells of each column, which show what a column without a known header holds."""

    def __init__(self, rows: Sequence[NumberedRow], region: str | None) -> None:
        self._rows, self._region = rows, region

    def shares(self, position: int) -> dict[str, float]:
        """Return the shares of filled cells that are phone numbers, e-mail addresses and names of people."""
        cells = [cells[position].strip() for _, cells in self._rows if position < len(cells)]
        filled = [unwrap_formula(cell) for cell in cells if cell]
        if not filled:
            return {}
        tests = {"phone_number": self._is_number, "email": _has_email, "name": _is_person}
        return {field: sum(map(test, filled)) / len(filled) for field, test in tests.items()}

    def _is_number(self, cell: str) -> bool:
        if _DATE.fullmatch(cell) or not _NUMBER.fullmatch(cell):
            return False
        return phones.normalize(cell, self._region) is not None


def _has_email(cell: str) -> bool:
    return "@" in cell and any(map(is_email, split_emails([cell])))


def _is_person(cell: str) -> bool:
    return _PERSON.fullmatch(cell) is not None


def _map_columns(
    headers: Sequence[str], mapping: Mapping[str, str], samples: _Samples, parsed: ParsedFile
) -> list[Column]:
    """Return the columns that fill a field, in their order: by `mapping`, else by their header, else by their cells.

    Raises:
        ValidationFailed: `mapping` has an unknown column or field, no column holds a name, or there are too many
            columns.
    """
    if len(headers) > MAX_COLUMNS:
        raise ValidationFailed(
            f"there are more than {MAX_COLUMNS:,} columns", advice="keep only columns with contact data, and try again"
        )
    mapped = _mapped_fields(headers, mapping)
    names = [normalize_header(header) for header in headers]
    fields = [mapped.get(index) or meaning_of(name) for index, name in enumerate(names)]
    if "first_name" in fields and "last_name" not in fields:
        pairs = zip(names, fields, strict=True)
        fields = ["last_name" if name in _LAST_NAME_BESIDE_FIRST else field for name, field in pairs]
    _map_by_cells(headers, fields, samples, parsed)
    columns = [
        Column(index, field, headers[index], _label_position(names, index))
        for index, field in enumerate(fields)
        if field and field not in (IGNORE, "kind")
    ]
    _require_names(headers, columns, parsed)
    return columns


def _map_by_cells(headers: Sequence[str], fields: list[str | None], samples: _Samples, parsed: ParsedFile) -> None:
    """Map columns without a known header by their cells, and add remarks about columns that may be useful."""
    unmapped = [index for index, field in enumerate(fields) if field in (None, "kind")][:_MAX_SAMPLED_COLUMNS]
    missing = {"phone_number", "email"} - {*fields}
    if not _NAME_FIELDS & {*fields}:
        missing.add("name")
    hints: list[str] = []
    for index in unmapped:
        if not missing and fields[index] != "kind":
            continue
        shares, name = samples.shares(index), _one_line(headers[index]) or str(index + 1)
        for field in ("email", "phone_number", "name"):
            share = shares.get(field, 0.0)
            is_wanted = field in missing or (field == "phone_number" and fields[index] == "kind")
            if is_wanted and share >= _MIN_SHARE:
                fields[index] = field
                missing -= {"name"} if field == "name" else set()
                parsed.remarks.append(f"column {name} is used as {field}, which its cells look like")
                break
            if field in missing and field != "name" and share >= _MIN_HINT_SHARE:
                hints.append(f"column {name} may hold {field}; if it does, set it with mapping")
    if not {"phone_number", "email"} & {*fields}:
        parsed.remarks.append("no column has phone numbers or e-mail addresses")
        parsed.remarks += hints


def _require_names(headers: Sequence[str], columns: Sequence[Column], parsed: ParsedFile) -> None:
    fields = {column.field for column in columns}
    if fields & _NAME_FIELDS:
        return
    unused = [header for index, header in enumerate(headers) if header and index not in {c.position for c in columns}]
    if unused or not fields & {"phone_number", "email"}:
        raise ValidationFailed(
            f"no column holds a name; the columns are {_list_headers(headers)}",
            advice='name one with mapping, such as ["Kunde=name"]',
        )
    parsed.remarks.append("no column holds a name; contacts are named by their e-mail address or number")


def _mapped_fields(headers: Sequence[str], mapping: Mapping[str, str]) -> dict[int, str]:
    indexes = {normalize_header(header): index for index, header in reversed(list(enumerate(headers)))}
    found: dict[int, str] = {}
    for header, field in mapping.items():
        if field not in (*_MAPPABLE, IGNORE):
            raise invalid_field("mapping", f"fields are {', '.join(_MAPPABLE)} and {IGNORE}, not {_one_line(field)}")
        index = indexes.get(normalize_header(header))
        if index is None:
            raise invalid_field(
                "mapping", f"there is no column {_one_line(header)}; the columns are {_list_headers(headers)}"
            )
        found[index] = field
    return found


def _label_position(names: Sequence[str], index: int) -> int | None:
    """Return the column of labels before a numbered value, as Google writes them."""
    has_label = index > 0 and NUMBERED_VALUE.fullmatch(names[index]) and NUMBERED_LABEL.fullmatch(names[index - 1])
    return index - 1 if has_label else None


def _list_headers(headers: Sequence[str]) -> str:
    return ", ".join(_one_line(header) or "(empty)" for header in headers[:_MAX_LISTED_HEADERS])


def _one_line(name: str) -> str:
    return sanitize_line(name, 40)


class _RowReader:
    """Reads rows of cells by columns."""

    def __init__(self, columns: Sequence[Column], width: int, region: str | None, *, is_google: bool) -> None:
        self._columns: dict[str, list[Column]] = {}
        for column in columns:
            self._columns.setdefault(column.field, []).append(column)
        self._ranks = {column.position: phone_kind_rank(column.header) for column in columns}
        self._width, self._region, self._is_google = width, region, is_google

    def read(self, numbered: NumberedRow) -> Row:
        """Read a numbered row; one with an oversized cell only gets a problem."""
        number, cells = numbered
        if max(map(len, cells), default=0) > MAX_CELL_LENGTH:
            return Row(number, problem=f"has a cell of more than {MAX_CELL_LENGTH:,} characters")
        has_extra = len(cells) > self._width and any(cell.strip() for cell in cells[self._width :])
        if has_extra and self._is_shifted(cells):
            return Row(number, problem="is shifted: it has more cells than the header, perhaps by an unquoted comma")
        phones_, has_fax = self._ranked_phones(cells)
        notices = (EXTRA_CELLS,) * has_extra + (FAX_NOT_READ,) * has_fax
        return Row(
            number,
            type=self._type(cells),
            name=self._name(cells),
            company_name=self._first("company_name", cells).partition(GOOGLE_SEPARATOR)[0].strip(),
            phones=take("phones", split_phones(phones_, self._region)),
            emails=take("emails", split_emails(self._all("email", cells))),
            tags=take("tags", split_tags(self._all("tags", cells), is_google=self._is_google)),
            notes="\n".join(value for value in self._all("notes", cells) if value.strip()),
            notices=notices,
        )

    def _all(self, field: str, cells: Cells) -> list[str]:
        columns = self._columns.get(field)
        if not columns:
            return []
        found = [cells[column.position] for column in columns if column.position < len(cells)]
        return [cell if cell.isascii() and cell[:1] != "=" else strip_invisible(unwrap_formula(cell)) for cell in found]

    def _first(self, field: str, cells: Cells) -> str:
        for value in self._all(field, cells):
            if value and not value.isspace():
                return value
        return ""

    def _ranked_phones(self, cells: Cells) -> tuple[list[str], bool]:
        """Return numbers, the best kinds first, and whether a fax number was left out.

        The label tells the kind, or the header if there is no label.
        """
        found: list[tuple[int, str]] = []
        has_fax = bool(self._first("fax", cells))
        for column in self._columns.get("phone_number", ()):
            if column.position >= len(cells) or not (value := cells[column.position].strip()):
                continue
            value = unwrap_formula(value).replace(GOOGLE_SEPARATOR, "\n")
            label = "" if column.label_position is None else cells[column.label_position]
            if label and is_fax(label):
                has_fax = True
            else:
                found.append((phone_kind_rank(label) if label else self._ranks[column.position], value))
        found.sort(key=itemgetter(0))
        return [value for _, value in found], has_fax

    def _is_shifted(self, cells: Cells) -> bool:
        """Whether values are one column to the right of their header."""
        for field, is_value in (("email", _has_email), ("phone_number", _looks_like_number)):
            for column in self._columns.get(field, ()):
                here, right = cells[column.position].strip(), cells[column.position + 1].strip()
                if here and right and not is_value(here) and is_value(right):
                    return True
        return False

    def _name(self, cells: Cells) -> str:
        full = self._first("name", cells).strip()
        if full and "last_name" not in self._columns:
            return full
        first, middle, last = (self._first(field, cells).strip() for field in _NAME_PARTS)
        if full and (first or last.casefold() in full.casefold()):
            return full
        # `Name` beside `Surname` is not the full name
        return " ".join(filter(None, (full or first, middle, last))) or self._first("nickname", cells).strip()

    def _type(self, cells: Cells) -> ContactType | None:
        value = self._first("type", cells).strip()
        if not value:
            return None
        return "company" if _COMPANY.search(value) else "person"


def _looks_like_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None
