"""The CSV of this program: what it writes, it reads back to the letter.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. Such a cell gets an apostrophe in front,
and so does one that begins with apostrophes before such a character, so that reading can take exactly one away. A
number in E.164 is left as it is: a spreadsheet can do nothing with it but lose its plus, and others want it plain.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO

from contacts_mcp.contract import UUID, Contact
from contacts_mcp.formats._rows import Row
from contacts_mcp.phones import is_e164

COLUMNS = (
    "id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at",
)  # fmt: skip
TIMES = ("created_at", "updated_at")
PRODUCT = "-//WAYSCloud//contacts-mcp//EN"
"""By which a card says that it was written here."""
_DANGEROUS = re.compile(r"'*[=+\-@\t\r\n]")
_MARKED = re.compile(r"'+[=+\-@\t\r\n]")
_BETWEEN_TAGS = ";"


def cells_of(contact: Contact) -> Iterator[str]:
    """The cells of a contact, harmless to a spreadsheet."""
    for name in COLUMNS:
        value = getattr(contact, name, None)
        if value is None:
            yield ""
        elif name == "tags":
            yield _defused(joined(map(_defused, contact.tags)))  # where `;` splits cells, each tag is one
        elif name in TIMES:
            yield time(value)
        else:
            yield value if name == "phone_number" and is_e164(value) else _defused(value)


def time(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def is_own(headers: Sequence[str]) -> bool:
    """Whether a header is one of these exports, of which somebody may have taken away columns."""
    return {"id", "name"} <= {*headers} <= {*COLUMNS}


def row_of(number: int, headers: Sequence[str], cells: Sequence[str]) -> Row:
    """The row of a contact that was exported."""
    read = dict(zip(headers, (_restored(cell) for cell in cells), strict=False))
    phone, email = read.get("phone_number", ""), read.get("email", "")
    found = read.get("id", "").strip()
    return Row(
        number,
        id=found.lower() if UUID.fullmatch(found) else None,
        type="company" if read.get("type") == "company" else "person" if read.get("type") == "person" else None,
        name=read.get("name", ""),
        company_name=read.get("company_name", ""),
        phones=(phone,) if phone else (),
        emails=(email,) if email else (),
        tags=tuple(map(_restored, split(read.get("tags", "")))),
        notes=read.get("notes", ""),
    )


def joined(tags: Iterable[str]) -> str:
    """Tags in one cell, with semicolons between them, and quoted where they hold one."""
    text = StringIO()
    csv.writer(text, delimiter=_BETWEEN_TAGS, lineterminator="").writerow(tags)
    return text.getvalue()


def split(cell: str) -> list[str]:
    """The tags of such a cell."""
    if not cell:
        return []
    return next(csv.reader([cell], delimiter=_BETWEEN_TAGS), [])


def _defused(value: str) -> str:
    return f"'{value}" if _DANGEROUS.match(value) else value


def _restored(cell: str) -> str:
    return cell[1:] if _MARKED.match(cell) else cell
