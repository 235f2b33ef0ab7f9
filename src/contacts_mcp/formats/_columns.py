"""Map the columns of a table to fields: by the caller's mapping, else by their headers, else by their cells."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from contacts_mcp import phones
from contacts_mcp.contract import ValidationFailed, invalid_field
from contacts_mcp.formats._headers import NUMBERED_LABEL, NUMBERED_VALUE, meaning_of, normalize_header
from contacts_mcp.formats._rows import ParsedFile
from contacts_mcp.formats._values import split_emails, unwrap_formula
from contacts_mcp.mail import is_email
from contacts_mcp.text import sanitize_line

Cells = Sequence[str]
NumberedRow = tuple[int, Cells]

MAX_COLUMNS = 1_000
IGNORE = "ignore"
"""In a mapping: do not use this column."""

_MAPPABLE = ("name", "first_name", "last_name", "company_name", "phone_number", "email", "tags", "notes", "type")
_NAME_FIELDS = frozenset({"name", "first_name", "last_name", "company_name", "nickname"})
_MAX_LISTED_HEADERS = 30
_LAST_NAME_BESIDE_FIRST = frozenset({"name", "nom", "naam", "nome", "apellidos"})
"""Headers that mean the last name if another column has the first name."""
_CUSTOMERS = frozenset(
    "kunde kundenavn kund kundnamn kundenname customer customername client clientname klant klantnaam cliente asiakas "
    "klient debitor leverandor leverandornavn lieferant supplier fournisseur leverancier proveedor fornitore".split()
)
"""Headers that mean a company if other columns have a person's first and last name."""
_CONTACT_PERSONS = frozenset(
    "kontaktperson kontaktnavn kontaktname ansprechpartner contactpersoon yhteyshenkilo contactperson contactname att "
    "attn personnedecontact interlocuteur personadecontacto personadicontatto referente pessoadecontato "
    "pessoadecontacto osobakontaktowa".split()
)
"""Headers of a person's name beside that of a company."""

_MAX_SAMPLED_COLUMNS = 50
_MIN_SHARE, _MIN_HINT_SHARE = 0.6, 0.3
"""Shares of valid cells at which a column with an unknown header is used, or hinted at."""
_NUMBER = re.compile(r"(?:\+|00)?\(?\d[\d\s()./-]{5,20}\d")
_DATE = re.compile(r"\d{4}[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./]\d{4}")
_PERSON = re.compile(r"[^\W\d_][\w'\u2019.-]*(?:,? [^\W\d_][\w'\u2019.-]*){1,4}")


class Column(NamedTuple):
    """A column that fills a field; the column at `label_position` holds the kinds of its values, such as "Mobile"."""

    position: int
    field: str
    header: str
    label_position: int | None = None


class Samples:
    """The first cells of each column, which show what a column without a known header holds."""

    def __init__(self, rows: Sequence[NumberedRow], region: str | None) -> None:
        self._rows, self._region = rows, region

    def shares(self, position: int) -> dict[str, float]:
        """Return the shares of filled cells that are phone numbers, e-mail addresses and names of people."""
        cells = [cells[position].strip() for _, cells in self._rows if position < len(cells)]
        filled = [unwrap_formula(cell) for cell in cells if cell]
        if not filled:
            return {}
        tests = {"phone_number": self._is_number, "email": has_email, "name": _is_person}
        return {field: sum(map(test, filled)) / len(filled) for field, test in tests.items()}

    def _is_number(self, cell: str) -> bool:
        if _DATE.fullmatch(cell) or not _NUMBER.fullmatch(cell):
            return False
        return phones.normalize(cell, self._region) is not None


def has_email(cell: str) -> bool:
    return "@" in cell and any(map(is_email, split_emails([cell])))


def _is_person(cell: str) -> bool:
    return _PERSON.fullmatch(cell) is not None


def map_columns(
    headers: Sequence[str], mapping: Mapping[str, str], samples: Samples, parsed: ParsedFile
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
    if "company_name" not in fields:
        companies = _company_columns(names, fields) - {*mapped}
        fields = ["company_name" if index in companies else field for index, field in enumerate(fields)]
    _map_by_cells(headers, fields, samples, parsed)
    columns = [
        Column(index, field, headers[index], _label_position(names, index))
        for index, field in enumerate(fields)
        if field and field not in (IGNORE, "kind")
    ]
    _require_names(headers, columns, parsed)
    return columns


def _company_columns(names: Sequence[str], fields: Sequence[str | None]) -> set[int]:
    """Return the columns of names that are a company's, since other columns have the name of a person."""
    found = {index: names[index].replace(" ", "") for index, field in enumerate(fields) if field == "name"}
    people = {index for index, name in found.items() if name in _CONTACT_PERSONS}
    if people:
        return {*found} - people
    has_person = {"first_name", "last_name"} <= {*fields}
    return {index for index, name in found.items() if has_person and name in _CUSTOMERS}


def _map_by_cells(headers: Sequence[str], fields: list[str | None], samples: Samples, parsed: ParsedFile) -> None:
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


def looks_like_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None
