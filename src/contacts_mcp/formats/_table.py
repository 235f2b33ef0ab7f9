"""Read tables of any format: find the header, map columns to fields, and read rows of cells."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from operator import itemgetter

from contacts_mcp.contract import ContactType, ValidationFailed
from contacts_mcp.formats._columns import Cells, Column, NumberedRow, Samples, has_email, looks_like_number, map_columns
from contacts_mcp.formats._encoding import decode_again
from contacts_mcp.formats._headers import is_fax, meaning_of, normalize_header
from contacts_mcp.formats._layouts import TIMES, find_layout
from contacts_mcp.formats._rows import (
    ENCODED_TWICE,
    EXTRA_CELLS,
    FAX_NOT_READ,
    LETTERS_LOST,
    NAMED_BY_NICKNAME,
    SECOND_NAME,
    SPREADSHEET_ERROR_NOT_READ,
    Format,
    ParsedFile,
    Row,
    check_rows,
    take,
)
from contacts_mcp.formats._values import (
    GOOGLE_SEPARATOR,
    phone_kind_rank,
    split_emails,
    split_phones,
    split_tags,
    strip_invisible,
    unwrap_formula,
)
from contacts_mcp.phones import SPREADSHEET_ERROR, is_destroyed

MAX_CELL_LENGTH = 20_000
"""Characters; a row with a longer cell is not imported."""

_NAME_PARTS = ("first_name", "middle_name", "last_name")
_COMPANY = re.compile(
    r"compan|firma|bedrift|business|organi[sz]ation|unternehmen|entreprise|empresa|foretag", re.IGNORECASE
)
_DATA = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s()./-]{6,}")

_HEADER_ROWS = 24
"""Number of rows in which the header is searched; exports may have a title above it."""
_MIN_HEADERS = 2
_SAMPLE_ROWS = 200
_SPECIAL = frozenset("=#")
_MAX_SHIFT = _MAX_FOOTER_CELLS = 2
_DIGITS_OR_AT = re.compile(r"\d{5}|\d[\d ./-]{5}|@")
_EXPLANATION = re.compile(r"\(.*\)|\[.*\]|\{\"ImportId\".*\}", re.DOTALL)
_FOOTER = re.compile(
    r"(?:(?:grand |sub)?total(?:s|t|en?|er|sum)?|sum(?:m[ea])?|antall|anzahl|count|records|rows|rader)\b\s*(?:$|[:(\d])"
    r"|copyright (?:\(c\)|\u00a9)|confidential information|generated (?:by|on)|end of (?:report|file)",
    re.IGNORECASE,
)
"""How the lines below the table of a report begin."""


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
    written_rows = list(islice(rows, _HEADER_ROWS))
    first_rows = [(number, [unwrap_formula(cell) for cell in cells]) for number, cells in written_rows]
    if not first_rows:
        kind = "workbook" if file_format == "excel" else "file"
        raise ValidationFailed(f"the {kind} is empty", advice="choose another file")
    index, headers = _find_header(first_rows, mapping)
    parsed = ParsedFile(file_format, _dialect(headers), iter(()), encoding=encoding, delimiter=delimiter)
    if first_rows[index][0] != 1:
        parsed.remarks.append(f"the header ends in row {first_rows[index][0]}; rows above it are not read as contacts")
    columns_of_layout = _without_blank_end(headers)
    if not mapping and (layout := find_layout(columns_of_layout)):
        parsed.dialect = layout.dialect
        parsed.mapping = [(name, name) for name in columns_of_layout if name not in TIMES]
        written = chain(written_rows[index + 1 :], rows)
        parsed.rows = check_rows(layout.read_row(number, columns_of_layout, cells) for number, cells in written)
        return parsed
    rows = chain(first_rows[index + 1 :], rows)
    sample = list(islice(rows, _SAMPLE_ROWS))
    samples = Samples(sample, region)
    columns = map_columns(headers, mapping, samples, parsed)
    used_columns = [column for column in columns if column.field != "fax"]
    used = {column.position for column in used_columns} | {column.label_position for column in used_columns}
    parsed.mapping = [(column.header, column.field) for column in used_columns]
    unused = [position for position in range(len(headers)) if position not in used]
    parsed.unmapped = [
        headers[each] or f"column {each + 1}" for each in unused if headers[each] or samples.shares(each)
    ]
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
    if not mapping and _has_data(headers):
        raise ValidationFailed(
            "the first row looks like data, not like a header",
            advice="add a first row with column names, such as name, phone, email",
        )
    return 0, headers


def _is_header(names: frozenset[str] | set[str], cells: Cells, above: Sequence[NumberedRow]) -> bool:
    """Whether a row has several column names that are understood, and no row above it has contacts."""
    understood = sum(1 for name in names if meaning_of(name) not in (None, "kind"))
    filled = _count_filled(cells)
    return (
        understood >= _MIN_HEADERS
        and not _has_data(cells)
        and not any(_has_data(row) and _count_filled(row) > max(1, filled // 2) for _, row in above)
    )


def _has_data(cells: Cells) -> bool:
    return any(_DATA.fullmatch(cell.strip()) and not is_destroyed(cell) for cell in cells)  # a title may have a date


def _count_filled(cells: Cells) -> int:
    return sum(1 for cell in cells if cell.strip())


def _strip(cells: Cells) -> list[str]:
    return [decode_again(cell).strip().lstrip("\ufeff") for cell in cells]


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


def _without_blank_end(headers: Sequence[str]) -> Sequence[str]:
    """Return headers without the empty ones at the end, which spreadsheets add."""
    width = max((index for index, header in enumerate(headers, 1) if header), default=0)
    return headers[:width]


def _dialect(headers: Sequence[str]) -> str:
    names = {normalize_header(header) for header in headers}
    if names & {"e mail 1 value", "phone 1 value"}:
        return "Google Contacts" if "first name" in names else "Google Contacts (old)"
    if names >= {"first name", "last name", "e mail address"}:
        return "Outlook"
    return "by column name"


class _RowReader:
    """Reads rows of cells by columns."""

    def __init__(self, columns: Sequence[Column], width: int, region: str | None, *, is_google: bool) -> None:
        self._columns: dict[str, list[Column]] = {}
        for column in columns:
            self._columns.setdefault(column.field, []).append(column)
        self._ranks = {column.position: phone_kind_rank(column.header) for column in columns}
        self._text_positions = [each.position for each in columns if each.field not in ("phone_number", "fax")]
        self._width, self._region, self._is_google = width, region, is_google

    def read(self, numbered: NumberedRow) -> Row:
        """Read a numbered row; one with an oversized cell only gets a problem."""
        number, cells = numbered
        if max(map(len, cells), default=0) > MAX_CELL_LENGTH:
            return Row(number, problem=f"has a cell of more than {MAX_CELL_LENGTH:,} characters")
        if all(map(str.isascii, cells)):
            return self._read(number, cells)
        decoded = list(map(decode_again, cells))
        row = self._read(number, decoded)
        row.notices += (ENCODED_TWICE,) * (decoded != cells) + (LETTERS_LOST,) * ("\ufffd" in "".join(decoded))
        return row

    def _read(self, number: int, cells: Cells) -> Row:
        phones, has_fax = self._ranked_phones(cells)
        emails = self._all("email", cells)
        name, notices = self._name(cells)
        if problem := self._find_problem(cells, name, phones, emails):
            return Row(number, problem=problem)
        return Row(
            number,
            type=self._type(cells),
            name=name,
            company_name=self._first("company_name", cells).partition(GOOGLE_SEPARATOR)[0].strip(),
            phones=take("phones", split_phones((each for each in phones if "@" not in each), self._region)),
            emails=take("emails", split_emails([*emails, *(each for each in phones if "@" in each)])),
            tags=take("tags", split_tags(self._all("tags", cells), is_google=self._is_google)),
            notes="\n".join(value for value in self._all("notes", cells) if value.strip()),
            notices=(*notices, *self._list_omissions(cells), *[FAX_NOT_READ] * has_fax),
        )

    def _find_problem(self, cells: Cells, name: str, phones: Sequence[str], emails: Sequence[str]) -> str | None:
        """Return why a row is not read as a contact."""
        if (self._has_extra_cells(cells) and self._is_shifted(cells)) or _are_misplaced(name, phones, emails):
            return "is shifted: its values are not below their headers, perhaps by an unquoted comma"
        return None if any(map(_DIGITS_OR_AT.search, (*phones, *emails))) else self._why_no_contact(cells)

    def _list_omissions(self, cells: Cells) -> list[str]:
        found = (cells[position] for position in self._text_positions if position < len(cells))
        has_error = any(cell[:1] == "#" and _is_error(cell) for cell in found)
        return [SPREADSHEET_ERROR_NOT_READ] * has_error + [EXTRA_CELLS] * self._has_extra_cells(cells)

    def _has_extra_cells(self, cells: Cells) -> bool:
        return len(cells) > self._width and any(cell.strip() for cell in cells[self._width :])

    def _all(self, field: str, cells: Cells) -> list[str]:
        columns = self._columns.get(field)
        if not columns:
            return []
        found = [cells[column.position] for column in columns if column.position < len(cells)]
        return [cell if cell.isprintable() and cell[:1] not in _SPECIAL else _read_special(cell) for cell in found]

    def _first(self, field: str, cells: Cells) -> str:
        if field not in self._columns:
            return ""
        return next((value for value in self._all(field, cells) if value and not value.isspace()), "")

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
        """Whether values of a row with too many cells stand to the right of their column."""
        for field, is_value in (("email", has_email), ("phone_number", looks_like_number)):
            columns = self._columns.get(field, ())
            for column in columns:
                here, *right = (cell.strip() for cell in cells[column.position : column.position + 1 + _MAX_SHIFT])
                if here and not is_value(here) and any(map(is_value, right)) and len(columns) == 1:
                    return True
        return False

    def _why_no_contact(self, cells: Cells) -> str | None:
        """Return why a row without a number and an address is not a contact."""
        filled = [
            (column, cell)
            for columns in self._columns.values()
            for column in columns
            if column.position < len(cells) and (cell := cells[column.position].strip())
        ]
        if 0 < len(filled) <= _MAX_FOOTER_CELLS and _FOOTER.match(filled[0][1]):
            return "is the end of a report, not a contact"
        is_header = len(filled) > 1 and all(_is_header_cell(column, cell) for column, cell in filled)
        return "is a line of the header, not a contact" if is_header else None

    def _name(self, cells: Cells) -> tuple[str, tuple[str, ...]]:
        """Return the name, and what the plan says about it."""
        full, first, middle, last = (self._first(field, cells).strip() for field in ("name", *_NAME_PARTS))
        parts = " ".join(filter(None, (first, middle, last)))
        has_other = self._has_other_name(cells)
        if full and parts:
            # `Name` beside `Surname` is not the full name
            parts = parts if first else " ".join(filter(None, (full, parts)))
            words, others = _words(full), _words(parts)
            if words > others or (not first and _words(last) <= words):
                return full, (SECOND_NAME,) * has_other
            has_other |= bool(first) and not words <= others
            full = ""
        if full or parts:
            return full or parts, (SECOND_NAME,) * has_other
        nickname = self._first("nickname", cells).strip()
        return nickname, (NAMED_BY_NICKNAME,) * bool(nickname)

    def _has_other_name(self, cells: Cells) -> bool:
        """Whether one of several columns of names or companies has another value than the first."""
        for field in ("name", "company_name"):
            if len(self._columns.get(field, ())) > 1:
                values = {" ".join(value.split()).casefold() for value in self._all(field, cells) if value.strip()}
                if len(values) > 1:
                    return True
        return False

    def _type(self, cells: Cells) -> ContactType | None:
        value = self._first("type", cells).strip()
        if not value:
            return None
        return "company" if _COMPANY.search(value) else "person"


def _is_header_cell(column: Column, cell: str) -> bool:
    """Whether a cell is another header of its column, or explains it, as in `(optional)`."""
    return _EXPLANATION.fullmatch(cell) is not None or meaning_of(normalize_header(cell)) == column.field


def _are_misplaced(name: str, phones: Sequence[str], emails: Sequence[str]) -> bool:
    """Whether a number stands in the column of addresses, or number and address one column to the left of their own."""
    is_number_as_email = any(map(looks_like_number, emails)) and any(map(str.isalpha, "".join(phones)))
    return is_number_as_email or ("@" in "".join(phones) and looks_like_number(name))


def _read_special(cell: str) -> str:
    return "" if _is_error(cell) else strip_invisible(unwrap_formula(cell))


def _is_error(cell: str) -> bool:
    return SPREADSHEET_ERROR.fullmatch(cell.strip()) is not None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))
