"""What is kept so that contacts are found and counted: all of it is derived from their rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, select, text, update

from contacts_mcp.directory.database.tables import DERIVED, contacts, terms
from contacts_mcp.directory.store import phones, spelling, tally
from contacts_mcp.directory.store.bulk import insert_tuples, within
from contacts_mcp.directory.store.rows import Row
from contacts_mcp.directory.store.words import head_of, names_of, signature_of, tag_key, words_of

_TOGETHER = 5_000


Entry = tuple[str, str, int, int]
"""A term as it is kept, but for the tenant: kind, term, contact and signature."""


def entries_of(row: Row | None) -> set[Entry]:
    """What a contact with these column values is found by; nothing where it is not live."""
    if row is None:
        return set()
    words = words_of(row)
    found_by = {("word", word) for word in words} | {("head", head_of(word)) for word in words}
    found_by |= {("tag", tag_key(tag)) for tag in row["tags"]}
    found_by |= {("end", end) for end in phones.ends_of(row["phone_digits"])}
    signature = signature_of(words)
    return {(kind, term, row["seq"], signature) for kind, term in found_by}


def words_column(row: Row) -> str:
    """What the column `words` holds."""
    return f" {' '.join(sorted(words_of(row)))} "


def add(connection: Connection, tenant: int, rows: Sequence[Row]) -> None:
    """Make live contacts found and counted."""
    change(connection, tenant, [None] * len(rows), rows)


def remove(connection: Connection, tenant: int, rows: Sequence[Row]) -> None:
    """Undo that, for rows as they were then."""
    change(connection, tenant, rows, [None] * len(rows))


def change(connection: Connection, tenant: int, before: Sequence[Row | None], after: Sequence[Row | None]) -> None:
    """Go along with what becomes of contacts, which stand in the same order twice; None where they are not live.

    Only what differs is written, and locked: who changes a tag does not wait for who changes a name.
    """
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old or new]
    _change_terms(connection, tenant, pairs)
    renumbered = [(old, new) for old, new in pairs if _digits(old) != _digits(new)]
    phones.unindex(connection, [(old["seq"], old["phone_digits"]) for old, _ in renumbered if old])
    phones.index(connection, [(new["seq"], new["phone_digits"]) for _, new in renumbered if new])
    spelling.change(
        connection,
        tenant,
        gone={word for old, new in pairs for word in _words(old) - _words(new)},
        come={name for old, new in pairs for name in _names(new) - _names(old)},
    )
    tally.add(connection, tenant, _counted(new for _, new in pairs), _counted(old for old, _ in pairs))


def rebuild(connection: Connection, report: Callable[[int], None] = lambda _: None) -> None:
    """Derive everything anew from the contacts; `report` is told how many are done."""
    for table in DERIVED:
        connection.execute(delete(table))
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO contact_phones(contact_phones) VALUES ('delete-all')"))
    last = done = 0
    kept = select(contacts).where(contacts.c.erased_at.is_(None)).order_by(contacts.c.seq).limit(_TOGETHER)
    while rows := connection.execute(kept.where(contacts.c.seq > last)).mappings().all():
        stale = [{"which": row["seq"], "words": words_column(row)} for row in rows if row["words"] != words_column(row)]
        if stale:
            connection.execute(_REWORD, stale)
        live = [row for row in rows if row["deleted_at"] is None]
        for tenant in sorted({row["tenant"] for row in live}):
            add(connection, tenant, [row for row in live if row["tenant"] == tenant])
        last, done = rows[-1]["seq"], done + len(live)
        report(done)


_REWORD = update(contacts).where(contacts.c.seq == bindparam("which")).values(words=bindparam("words"))


def _change_terms(connection: Connection, tenant: int, pairs: Sequence[tuple[Row | None, Row | None]]) -> None:
    changed = [(entries_of(old), entries_of(new)) for old, new in pairs]
    _drop_terms(connection, tenant, [each for old, new in changed for each in old - new])
    # In the order in which they are kept, which is also the order that is written fastest.
    insert_tuples(connection, terms, sorted((tenant, *each) for old, new in changed for each in new - old))


def _words(row: Row | None) -> set[str]:
    return words_of(row) if row else set()


def _names(row: Row | None) -> set[str]:
    return names_of(row) if row else set()


def _digits(row: Row | None) -> str | None:
    return row["phone_digits"] if row else None


def _counted(rows: Iterable[Row | None]) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row:
            counted["type", row["type"]] += 1
            counted.update({("tag", tag_key(tag)) for tag in row["tags"]})
    return counted


def _drop_terms(connection: Connection, tenant: int, gone: Sequence[Entry]) -> None:
    by_kind: dict[tuple[str, int], list[str]] = {}
    for kind, term, seq, _ in gone:
        by_kind.setdefault((kind, seq), []).append(term)
    for (kind, seq), some in by_kind.items():
        for each in within(some):
            connection.execute(_DROP, {"of": tenant, "that": kind, "which": seq, "some": each})


_DROP = delete(terms).where(
    terms.c.tenant == bindparam("of"),
    terms.c.kind == bindparam("that"),
    terms.c.contact_seq == bindparam("which"),
    terms.c.term.in_(bindparam("some", expanding=True)),
)
