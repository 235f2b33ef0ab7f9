"""Finding contacts by fragments of their numbers, at the same answers by the means of each engine.

A long fragment, as of a whole number, is the beginning of what some numbers end in: these ends are terms.

For short ones PostgreSQL keeps an index of three-digit pieces by itself, and is asked for the last two alone. For
SQLite this module keeps one of four-digit pieces, and of what shorter ones a number ends in: a fragment of up to four
digits is the beginning of a piece. Either way a longer one leads to candidates that are looked at: many numbers begin
alike, so what a fragment begins with tells little.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, literal_column, select, text

from contacts_mcp.directory.database.tables import contacts, terms

Length = Literal["", "short", "long"]

_LONG = 8
"""Digits of a fragment that ends of numbers are kept for; most countries' numbers have as many without its code."""

_PIECE = 4
_POSTGRES_PIECE = 3

_INSERT = "INSERT INTO contact_phones(rowid, digits) VALUES (?, ?)"
_DELETE = "INSERT INTO contact_phones(contact_phones, rowid, digits) VALUES ('delete', ?, ?)"


def index(connection: Connection, rows: Iterable[tuple[int, str | None]]) -> None:
    """Make contacts, by `seq` and digits, found by their numbers."""
    _write(connection, _INSERT, rows)


def unindex(connection: Connection, rows: Iterable[tuple[int, str | None]]) -> None:
    """Undo that, with the digits that were given then."""
    _write(connection, _DELETE, rows)


def ends_of(digits: str | None) -> Iterator[str]:
    """What digits end in, as far as a long fragment can be the beginning of it."""
    if digits:
        yield from (digits[start:] for start in range(len(digits) - _LONG + 1))


def length_of(fragment: str) -> Length:
    """How a fragment is looked for."""
    if not fragment:
        return ""
    return "long" if len(fragment) >= _LONG else "short"


def among_ends() -> ColumnElement[bool]:
    """The condition on `contact_terms` that a long fragment begins one of them."""
    return and_(terms.c.kind == "end", terms.c.term >= bindparam("number"), terms.c.term < bindparam("number_end"))


def containing(dialect: str) -> ColumnElement[bool]:
    """The condition on `contacts` that the digits of a live one contain a short fragment, answered by an index."""
    if dialect != "sqlite":
        # `strpos` answers the rest: another LIKE would go to the index as well, with all of its pieces.
        whole = func.strpos(contacts.c.phone_digits, bindparam("number")) > 0
        return and_(contacts.c.phone_digits.like(bindparam("pieces_like")), whole)
    pieces: Select[Any] = select(literal_column("rowid")).select_from(text("contact_phones"))
    return and_(contacts.c.seq.in_(pieces.where(text("contact_phones MATCH :pieces"))), holding())


def holding() -> ColumnElement[bool]:
    """The same condition, looked at in rows that were found by something else."""
    return contacts.c.phone_digits.like(bindparam("digits_like"))


def values(fragment: str) -> dict[str, str]:
    """What the conditions get."""
    last = [fragment[-2 * _POSTGRES_PIECE : -_POSTGRES_PIECE], fragment[-_POSTGRES_PIECE:]]
    indexed = "%".join(last) if len(fragment) >= 2 * _POSTGRES_PIECE else fragment
    return {  # digits alone, so nothing to escape
        "number": fragment,
        "number_end": f"{fragment}:",  # which sorts after every digit
        "digits_like": f"%{fragment}%",
        "pieces_like": f"%{indexed}%",
        "pieces": _query(fragment),
    }


def _write(connection: Connection, statement: str, rows: Iterable[tuple[int, str | None]]) -> None:
    if connection.dialect.name == "sqlite":
        written: list[Any] = [(seq, " ".join(pieces(digits))) for seq, digits in rows if digits]
        if written:
            connection.exec_driver_sql(statement, written)


def pieces(digits: str) -> Sequence[str]:
    """What digits are indexed by."""
    return [digits[start : start + _PIECE] for start in range(len(digits))]


def _query(fragment: str) -> str:
    if len(fragment) < _PIECE:
        return f"{fragment}*"
    # Its end, and what stands before that.
    starts = len(fragment) - _PIECE, max(0, len(fragment) - 2 * _PIECE)
    return " AND ".join(f'"{fragment[start : start + _PIECE]}"' for start in starts)
