"""What is kept so that contacts are found and counted: all of it is derived from their rows."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, delete, select, text

from contacts_mcp.directory.database.tables import DERIVED, contacts, terms
from contacts_mcp.directory.store import phones, spelling, tally
from contacts_mcp.directory.store.bulk import insert_tuples, within
from contacts_mcp.directory.store.rows import Row
from contacts_mcp.directory.store.words import head_of, names_of, tag_key, words_of

_TOGETHER = 5_000


def terms_of(row: Row) -> set[tuple[str, str]]:
    """The (kind, term) pairs a contact with these column values is found by."""
    words = words_of(row)
    heads = {("head", head_of(word)) for word in words}
    return {("word", word) for word in words} | heads | {("tag", tag_key(tag)) for tag in row["tags"]}


def words_column(row: Row) -> str:
    """What the column `words` holds."""
    return f" {' '.join(sorted(words_of(row)))} "


def add(connection: Connection, tenant: int, rows: Sequence[Row]) -> None:
    """Make live contacts found and counted."""
    if rows:
        # In the order in which they are kept, which is also the order that is written fastest.
        insert_tuples(connection, terms, sorted((tenant, *term, row["seq"]) for row in rows for term in terms_of(row)))
        phones.index(connection, [(row["seq"], row["phone_digits"]) for row in rows])
        spelling.learn(connection, tenant, set().union(*map(names_of, rows)))
        tally.add(connection, tenant, (row["type"] for row in rows), 1)


def remove(connection: Connection, tenant: int, rows: Sequence[Row]) -> None:
    """Undo that, for rows as they were then."""
    if rows:
        _drop_terms(connection, tenant, [(*term, row["seq"]) for row in rows for term in terms_of(row)])
        phones.unindex(connection, [(row["seq"], row["phone_digits"]) for row in rows])
        spelling.forget(connection, tenant, set().union(*map(names_of, rows)))
        tally.add(connection, tenant, (row["type"] for row in rows), -1)


def change(connection: Connection, tenant: int, before: Sequence[Row], after: Sequence[Row]) -> None:
    """Go along with a change of live contacts, which stand in the same order twice."""
    changed = [(old, new) for old, new in zip(before, after, strict=True) if _key(old) != _key(new)]
    remove(connection, tenant, [old for old, _ in changed])
    add(connection, tenant, [new for _, new in changed])


def rebuild(connection: Connection, report: Callable[[int], None] = lambda _: None) -> None:
    """Derive everything anew from the contacts; `report` is told how many are done."""
    for table in DERIVED:
        connection.execute(delete(table))
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO contact_phones(contact_phones) VALUES ('delete-all')"))
    last = done = 0
    live = select(contacts).where(contacts.c.deleted_at.is_(None)).order_by(contacts.c.seq).limit(_TOGETHER)
    while rows := connection.execute(live.where(contacts.c.seq > last)).mappings().all():
        by_tenant: dict[int, list[Row]] = {}
        for row in rows:
            by_tenant.setdefault(row["tenant"], []).append(row)
        for tenant, those in by_tenant.items():
            add(connection, tenant, those)
        last, done = rows[-1]["seq"], done + len(rows)
        report(done)


def _key(row: Row) -> tuple[object, ...]:
    return row["type"], row["phone_digits"], terms_of(row), names_of(row)


def _drop_terms(connection: Connection, tenant: int, gone: Sequence[tuple[str, str, int]]) -> None:
    by_kind: dict[tuple[str, int], list[str]] = {}
    for kind, term, seq in gone:
        by_kind.setdefault((kind, seq), []).append(term)
    for (kind, seq), some in by_kind.items():
        for each in within(some):
            connection.execute(
                delete(terms).where(
                    terms.c.tenant == tenant, terms.c.kind == kind, terms.c.contact_seq == seq, terms.c.term.in_(each)
                )
            )
