"""Erasures: what they remove, their receipts, and the journal of receipts next to a SQLite file.

A receipt proves that an erasure took place and keeps nothing of what was erased. Receipts form a hash chain: none can
be changed, removed or inserted later without a trace.

The journal has a line for each receipt. If a file has fewer receipts than its journal, it is an older copy that was
put back. Opening it repeats the missing erasures before the first transaction.
"""

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import anyio.to_thread
from sqlalchemy import Connection, delete, insert, select, update

from contacts_mcp.append_only_file import MAX_LINE_BYTES, DamagedFile, lock_file
from contacts_mcp.chain_file import repair_chain_end
from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory.database import (
    Database,
    Engine,
    contacts,
    idempotency_keys,
    memberships,
    receipt_chain,
    receipts,
)
from contacts_mcp.directory.store._index import update_index
from contacts_mcp.directory.store._rows import Row
from contacts_mcp.hash_chain import ChainEnd, ChainRecord, ChainVerifier, end_of, format_line, link_record, parse_line

PERSONAL_FIELDS = ("name", "company_name", "phone_number", "email", "tags", "notes")
"""Columns with personal data."""

_CONTACT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECEIPT_TYPES = {
    name: {"seq": int, "tenant": int, "fields": list}.get(name, str)
    for name in receipts.columns.keys()  # noqa: SIM118
}


def open_database(location: Location) -> Database:
    """Return the database at a location, opened by its first transaction. A file is kept in sync with its journal."""
    if isinstance(location, PostgresServer):
        return Database(location)
    return Database(location, partial(sync_journal, path=location))


def clear_contact(connection: Connection, row: Row, time: str) -> None:
    """Remove all personal data of a contact that is not erased yet."""
    if row["deleted_at"] is None:
        update_index(connection, row["tenant"], [row], [None])
        connection.execute(delete(memberships).where(memberships.c.contact_seq == row["seq"]))
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.record_id == row["id"]))
    times = {"erased_at": time, "deleted_at": row["deleted_at"] or time, "updated_at": time}
    cleared = dict.fromkeys((*PERSONAL_FIELDS, "type", "phone_digits", "words"))
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values({**cleared, **times}))


# Receipts in the database.


def append_receipt(connection: Connection, values: ChainRecord) -> None:
    """Add a receipt with these values to the chain. Other transactions that add one wait until this one has ended."""
    end = connection.execute(select(receipt_chain).with_for_update()).one()
    _insert_receipts(connection, [link_record(values, ChainEnd(end.length, end.hash))])


def replay_receipts(connection: Connection, known: Sequence[ChainRecord]) -> int:
    """Repeat the erasures of receipts that the directory lacks and add these receipts.

    `known` begins with the first receipt of the directory. Returns how many contacts were erased.
    """
    missing = known[receipt_chain_end(connection).seq :]
    erased = 0
    for receipt in missing:
        query = select(contacts).where(contacts.c.id == receipt["contact_id"], contacts.c.erased_at.is_(None))
        if row := connection.execute(query.with_for_update()).mappings().one_or_none():
            clear_contact(connection, row, receipt["erased_at"])
            erased += 1
    if missing:
        _insert_receipts(connection, missing)
    return erased


def read_receipts(connection: Connection, after: int = 0) -> Iterator[ChainRecord]:
    """Yield the receipts after number `after`."""
    query = select(receipts).where(receipts.c.seq > after).order_by(receipts.c.seq)
    for row in connection.execute(query).mappings():
        yield dict(row)


def receipt_chain_end(connection: Connection) -> ChainEnd:
    """Return the number and the hash of the last receipt."""
    row = connection.execute(select(receipt_chain)).one()
    return ChainEnd(row.length, row.hash)


def verify_receipts(rows: Iterable[ChainRecord], end: ChainEnd) -> Iterator[str]:
    """Yield what is wrong with a chain that must end with `end`, one sentence per fault."""
    verifier = ChainVerifier(noun="receipt")
    for row in rows:
        yield from verifier.check(row)
    if verifier.end != end:
        yield f"the chain must end with receipt {end.seq:,} but ends with receipt {verifier.end.seq:,}"


def _insert_receipts(connection: Connection, missing: Sequence[ChainRecord]) -> None:
    rows = [{name: receipt[name] for name in receipts.columns.keys()} for receipt in missing]  # noqa: SIM118
    connection.execute(insert(receipts), rows)
    connection.execute(update(receipt_chain).values(length=rows[-1]["seq"], hash=rows[-1]["hash"]))


# The journal.


def journal_path(path: Path) -> Path:
    """Return the path of a file's journal."""
    return path.with_name(f"{path.name}.receipts")


async def sync_journal(engine: Engine, path: Path) -> None:
    """Add the receipts that a file or its journal lacks, so that both have the same.

    Raises:
        DirectoryUnavailable: they have different receipts, or the journal is damaged or cannot be read or written.
    """
    end = await engine.read(receipt_chain_end)
    known = await anyio.to_thread.run_sync(read_journal, path)
    journal_end = end_of(known[-1]) if known else ChainEnd()
    if journal_end == end:
        return
    if journal_end.seq < end.seq:
        # The journal's last receipt is included, to check that file and journal belong together.
        rows = await engine.read(lambda connection: list(read_receipts(connection, max(journal_end.seq - 1, 0))))
        await anyio.to_thread.run_sync(append_to_journal, path, rows)
        return
    if end.seq and end_of(known[end.seq - 1]) != end:
        raise _mismatch(path)
    await engine.write(lambda connection: replay_receipts(connection, known))
    await engine.scrub()


def read_journal(path: Path) -> list[ChainRecord]:
    """Return the receipts in the journal of a file; an empty list if it has no journal. Raises DirectoryUnavailable."""
    return read_journal_file(journal_path(path)) if journal_path(path).exists() else []


def read_journal_file(journal: Path) -> list[ChainRecord]:
    """Return the receipts in a journal, without a line that a crash cut short.

    Raises:
        DirectoryUnavailable: it cannot be read, or is not an unbroken chain of receipts.
    """
    try:
        *lines, rest = journal.read_bytes().split(b"\n")
        if len(rest) >= MAX_LINE_BYTES:
            raise DamagedFile("the file does not end with a line")
        rows = [parse_line(line) for line in lines]
    except (OSError, ValueError) as exc:
        raise _unusable(journal, exc) from exc
    fault = next(_journal_faults(rows), None)
    if fault:
        raise _damaged(journal, fault)
    return rows


def append_to_journal(path: Path, missing: Sequence[ChainRecord]) -> None:
    """Append the receipts that a file's journal lacks; another process may have appended them meanwhile.

    Raises:
        DirectoryUnavailable: the journal has other receipts, or cannot be written.
    """
    try:
        with lock_file(journal_path(path)) as file:
            end = repair_chain_end(file, ChainEnd())
            if any(row["seq"] == end.seq and row["hash"] != end.hash for row in missing):
                raise _mismatch(path)
            lines = b"".join(format_line(row) for row in missing if row["seq"] > end.seq)
            file.append(lines, durable=True)
    except (OSError, ValueError) as exc:
        raise _unusable(journal_path(path), exc) from exc


def _journal_faults(rows: Sequence[ChainRecord]) -> Iterator[str]:
    """Yield what is wrong with a journal: with the receipts themselves, or with their chain."""
    for row in rows:
        if not _is_receipt(row):
            yield f"receipt {row['seq']:,} is not one of a directory"
    yield from verify_receipts(rows, end_of(rows[-1]) if rows else ChainEnd())


def _is_receipt(row: ChainRecord) -> bool:
    types = {name: type(row.get(name)) for name in receipts.columns.keys()}  # noqa: SIM118
    return (
        row.keys() == types.keys()
        and types == _RECEIPT_TYPES
        and _CONTACT_ID.fullmatch(row["contact_id"]) is not None
        and all(field in PERSONAL_FIELDS for field in row["fields"])
    )


def _damaged(journal: Path, fault: str) -> DirectoryUnavailable:
    return DirectoryUnavailable(
        f"The journal of erasures {journal} is damaged, so nothing was read from it: {fault}. Put back an intact copy;"
        " move it away only if the directory's own file is not an older copy."
    )


def _mismatch(path: Path) -> DirectoryUnavailable:
    return DirectoryUnavailable(
        f"The file {path} and its journal {journal_path(path).name} have different receipts: they do not belong"
        " together. Put back the journal that belongs to the file, or move this one away."
    )


def _unusable(journal: Path, error: Exception) -> DirectoryUnavailable:
    is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    problem = "is on a full disk; free some space and try again"
    if not is_full:
        damage = f" ({error})" if isinstance(error, ValueError) else ""
        problem = f"cannot be read or written{damage}; check the file and its folder and try again"
    return DirectoryUnavailable(
        f"The journal of erasures {journal} {problem}. The directory has every receipt that the journal lacks.",
        status=507 if is_full else 503,
    )
