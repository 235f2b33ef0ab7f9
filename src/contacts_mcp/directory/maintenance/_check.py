"""Check a directory for contradictions between its tables, which a crash or another program could cause.

Faults name counts and the `seq` numbers of rows, never contents: an operator may have no right to read contacts.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
    MappingResult,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    text,
)

from contacts_mcp.directory import store
from contacts_mcp.directory.database import (
    contacts,
    counters,
    groups,
    idempotency_keys,
    memberships,
    receipts,
    spellings,
    tenants,
    terms,
    undo_entries,
    undo_receipts,
)

_BATCH_ROWS = 5_000
_MAX_SEQS = 5
"""Number of rows that a fault lists by their `seq`."""
_MAX_KNOWN_WORDS = 100_000
"""Words that are kept in memory instead of being looked up again."""

IndexEntry = tuple[Hashable, ...]

_PARTITIONS, _MAX_COMPARED_PARTITIONS = 4_096, 64

_live = contacts.c.deleted_at.is_(None)
_erased = contacts.c.erased_at.is_not(None)


def check(connection: Connection, report: Callable[[int], None] = lambda _: None) -> list[str]:
    """Check everything in one transaction, which takes a while on a large directory. Writes nothing.

    `report` gets the percentage done, after each part.

    Returns:
        One line for each fault, none if the directory is consistent.
    """
    faults: list[str] = []
    for number, check_part in enumerate(_PARTS, 1):
        faults += check_part(connection)
        report(100 * number // len(_PARTS))
    return faults


def _check_engine(connection: Connection) -> Iterator[str]:
    """Report faults that the database engine finds by itself."""
    if connection.dialect.name == "sqlite":
        for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if line != "ok":
                yield f"the file is damaged: {line}"
        broken = Counter(table for table, *_ in connection.exec_driver_sql("PRAGMA foreign_key_check"))
        yield from (f"rows of {table} with a broken reference: {count}" for table, count in sorted(broken.items()))
    else:
        for (name,) in connection.execute(_INVALID_INDEXES):
            yield f"the index {name} is invalid: run REINDEX"
        if (connection.dialect.server_version_info or ()) >= _POSTGRES_15 and connection.scalar(_COLLATION_CHANGED):
            yield "the server's collation has changed: run REINDEX DATABASE and refresh its collation version"


_INVALID_INDEXES = text(
    "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE NOT (indisvalid AND indisready)"
    " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('contacts'))"
    " ORDER BY 1"
)
_POSTGRES_15 = (15,)  # the first version that records the collation of a database
_COLLATION_CHANGED = text(
    "SELECT datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)"
    " FROM pg_database WHERE datname = current_database()"
)


def _check_rows(connection: Connection) -> Iterator[str]:
    """Report rows that contradict other rows."""
    for description, query in _CONTRADICTIONS:
        yield from _fault(description, connection.execute(query.order_by(query.selected_columns[0])).scalars())


def _contradictions() -> Iterator[tuple[str, Select[Any]]]:
    joined = memberships.c
    of_contact = contacts.c.seq == joined.contact_seq
    of_group = groups.c.seq == joined.group_seq
    membership, contact, receipt = select(joined.seq), select(contacts.c.seq), select(receipts.c.seq)
    of_erased = receipts.c.contact_id == contacts.c.id

    yield "memberships of missing contacts", membership.where(~exists().where(of_contact))
    yield "memberships of deleted contacts", membership.join(contacts, of_contact).where(~_live)
    yield "memberships of missing groups", membership.where(~exists().where(of_group))
    both = membership.join(contacts, of_contact).join(groups, of_group)
    between = or_(contacts.c.tenant != joined.tenant, groups.c.tenant != joined.tenant)
    yield "memberships between tenants", both.where(between)
    duplicates = select(func.max(joined.seq)).group_by(joined.group_seq, joined.contact_seq).having(func.count() > 1)
    yield "duplicate memberships", duplicates
    for table in (contacts, groups):
        without_tenant = ~exists().where(tenants.c.seq == table.c.tenant)
        yield f"{table.name.removeprefix('contact_')} without a tenant", select(table.c.seq).where(without_tenant)
    needed = contacts.c.type, contacts.c.name, contacts.c.tags
    yield (
        "live contacts without a type, a name or tags",
        contact.where(_live, or_(*(each.is_(None) for each in needed))),
    )
    emptied = (contacts.c[name] for name in (*store.PERSONAL_FIELDS, "type", "phone_digits", "words"))
    yield "erased contacts with remaining data", contact.where(_erased, or_(*(each.is_not(None) for each in emptied)))
    yield "erased contacts that are not marked as deleted", contact.where(_erased, _live)
    yield "erased contacts without a receipt", contact.where(_erased, ~exists().where(of_erased))
    duplicates = select(func.max(receipts.c.seq)).group_by(receipts.c.contact_id).having(func.count() > 1)
    yield "duplicate receipts", duplicates
    yield "receipts of contacts that are not erased", receipt.join(contacts, of_erased).where(~_erased)
    yield (
        "receipts with another tenant than their contact",
        receipt.join(contacts, of_erased).where(contacts.c.tenant != receipts.c.tenant),
    )
    yield "live contacts that are marked as merged", contact.where(_live, contacts.c.merged_into.is_not(None))
    kept = contacts.alias()
    of_kept = (kept.c.id == contacts.c.merged_into, kept.c.tenant == contacts.c.tenant)
    merged = contact.where(contacts.c.merged_into.is_not(None))
    yield "contacts merged into missing contacts", merged.where(~exists().where(*of_kept))
    left = merged.where(~_erased, exists().where(*of_kept, kept.c.erased_at.is_not(None)))
    yield "contacts merged into erased contacts, but not erased", left
    of_key = idempotency_keys.c.record_id == contacts.c.id
    yield "erased contacts with an idempotency key", contact.join(idempotency_keys, of_key).where(_erased)
    replaced = undo_entries.c
    of_replaced = and_(replaced.tenant == contacts.c.tenant, replaced.contact_seq == contacts.c.seq)
    yield "erased contacts with replaced values", contact.join(undo_entries, of_replaced).where(_erased)
    of_receipt = (undo_receipts.c.tenant == replaced.tenant, undo_receipts.c.receipt_hash == replaced.receipt_hash)
    kept_open = exists().where(*of_receipt, ~undo_receipts.c.is_full)
    orphaned = select(replaced.contact_seq).where(or_(~exists().where(of_replaced), ~kept_open))
    yield "replaced values without a contact or a receipt", orphaned


_CONTRADICTIONS = tuple(_contradictions())


def _check_counters(connection: Connection) -> Iterator[str]:
    """Compare the counters of live contacts with the contacts."""
    of_type = select(contacts.c.tenant, contacts.c.type, func.count()).where(_live, contacts.c.type.is_not(None))
    actual, counted = _count_terms(connection, of_type), _stored_counts(connection, "type")
    for tenant, kind in sorted(actual.keys() | counted.keys()):
        expected, found = actual[tenant, kind], counted[tenant, kind]
        if expected != found:
            yield f"tenant {tenant} has {expected} contacts of type {kind}, but its counter says {found}"
    tagged = _count_terms(connection, select(terms.c.tenant, terms.c.term, func.count()).where(terms.c.kind == "tag"))
    counted = _stored_counts(connection, "tag")
    if wrong := sum(tagged[tag] != counted[tag] or not counted[tag] for tag in tagged.keys() | counted.keys()):
        yield f"tags with a wrong counter: {wrong}"


def _stored_counts(connection: Connection, kind: str) -> Counter[tuple[int, str]]:
    query = select(counters.c.tenant, counters.c.term, func.sum(counters.c.live))
    return _count_terms(connection, query.where(counters.c.kind == kind))


def _count_terms(connection: Connection, query: Select[*tuple[Any, ...]]) -> Counter[tuple[int, str]]:
    """Return the counts of a query of tenant, term and count, grouped by tenant and term."""
    grouped = query.group_by(*query.selected_columns[:2])
    return Counter({(tenant, term): int(count) for tenant, term, count in connection.execute(grouped)})


def _check_columns(connection: Connection) -> Iterator[str]:
    """Compare the search columns of each row with the columns that they are derived from."""
    words, numbers = [], []
    for row in _live_rows(connection):
        if row["words"] != store.words_column(row):
            words.append(row["seq"])
        if row["phone_digits"] != store.phone_digits(row["phone_number"]):
            numbers.append(row["seq"])
    yield from _fault("contacts with wrong search words", words)
    yield from _fault("contacts with wrong phone digits", numbers)


def _check_words(connection: Connection) -> Iterator[str]:
    def expected() -> Iterator[IndexEntry]:
        for row in _live_rows(connection):
            derived = {**row, "words": store.words_column(row)}  # the stored ones may be damaged
            for tenant, kind, term, seq, signature in store.index_postings(derived):
                yield seq, tenant, kind, term, signature

    stored = select(terms.c.contact_seq, terms.c.tenant, terms.c.kind, terms.c.term, terms.c.signature)
    yield from _index_faults("word", *_differences(connection, expected, stored))


def _check_phones(connection: Connection) -> Iterator[str]:
    """Check the phone index of SQLite; PostgreSQL maintains its own."""
    if connection.dialect.name != "sqlite":
        return
    numbered = select(contacts.c.seq, contacts.c.phone_digits).where(_live, contacts.c.phone_digits.is_not(None))

    def expected() -> Iterator[IndexEntry]:
        for seq, digits in _stream(connection, numbered):
            yield from ((seq, piece) for piece in set(store.phone_pieces(digits)))

    with _indexed_phones(connection):
        differences = _differences(connection, expected, text("SELECT doc, term FROM temp.indexed_phones"))
    yield from _index_faults("phone", *differences)


def _index_faults(index: str, missing: Sequence[IndexEntry], extra: Sequence[IndexEntry]) -> Iterator[str]:
    yield from _fault(f"contacts missing from the {index} index", _first_values(missing))
    yield from _fault(f"contacts with wrong entries in the {index} index", _first_values(extra))


@contextmanager
def _indexed_phones(connection: Connection) -> Iterator[None]:
    """Show the phone index as a temporary table in memory. This also works on a read-only connection."""
    ((query_only,),) = connection.exec_driver_sql("PRAGMA query_only").fetchall()
    connection.exec_driver_sql("PRAGMA query_only = OFF")
    try:
        connection.exec_driver_sql(
            "CREATE VIRTUAL TABLE temp.indexed_phones USING fts5vocab(main, contact_phones, instance)"
        )
        yield
    finally:
        connection.exec_driver_sql("DROP TABLE IF EXISTS temp.indexed_phones")
        connection.exec_driver_sql(f"PRAGMA query_only = {query_only}")


def _check_spellings(connection: Connection) -> Iterator[str]:
    is_word = spellings.c.form == spellings.c.word
    used = (terms.c.tenant == spellings.c.tenant, terms.c.kind == "word", terms.c.term == spellings.c.word)
    unused = select(func.count()).select_from(spellings).where(is_word, ~exists().where(*used))
    if number := connection.execute(unused).scalar_one():
        yield f"spellings of unused words: {number}"
    if number := _count_words_without_spellings(connection):
        yield f"words of names without spellings: {number}"

    def expected() -> Iterator[IndexEntry]:
        for tenant, word in _stream(connection, select(spellings.c.tenant, spellings.c.word).where(is_word)):
            yield from ((word, tenant, form) for form in store.deletion_variants(word))

    stored = select(spellings.c.word, spellings.c.tenant, spellings.c.form)
    missing, extra = _differences(connection, expected, stored)
    if missing or extra:
        yield f"words with wrong spellings: {len({*_first_values(missing), *_first_values(extra)})}"


def _count_words_without_spellings(connection: Connection) -> int:
    """Count the words of names that the spelling correction does not know."""
    known: set[tuple[int, str]] = set()
    missing: set[tuple[int, str]] = set()
    for rows in _live_rows(connection).partitions():
        words = {
            (row["tenant"], word) for row in rows for word in store.correctable_words(store.name_words(row))
        } - known
        known = known if len(known) < _MAX_KNOWN_WORDS else set()
        for tenant in {tenant for tenant, _ in words}:
            kept = select(spellings.c.word).where(spellings.c.tenant == tenant, spellings.c.form == spellings.c.word)
            for each in store.chunks(sorted(word for owner, word in words if owner == tenant)):
                found = connection.execute(kept.where(spellings.c.form.in_(each))).scalars()
                known |= {(tenant, word) for word in found}
        missing |= words - known
    return len(missing)


def check_receipts(connection: Connection) -> tuple[int, str, list[str]]:
    """Verify the hash chain of the receipts: their number, the last hash, and one line for each fault."""
    end = store.receipt_chain_end(connection)
    return end.seq, end.hash, list(store.verify_receipts(store.read_receipts(connection), end))


def _check_receipts(connection: Connection) -> Iterator[str]:
    yield from check_receipts(connection)[2]


_PARTS = (
    _check_engine,
    _check_rows,
    _check_counters,
    _check_columns,
    _check_words,
    _check_phones,
    _check_spellings,
    _check_receipts,
)


def _live_rows(connection: Connection) -> MappingResult:
    """Live contacts with a name and tags; `_contradictions` reports the others."""
    wanted = ("seq", "tenant", "name", "company_name", "email", "phone_number", "phone_digits", "tags", "words")
    query = select(*(contacts.c[name] for name in wanted)).where(_live, contacts.c.name.is_not(None))
    return _stream(connection, query.where(contacts.c.tags.is_not(None))).mappings()


def _stream(connection: Connection, query: Executable) -> CursorResult[*tuple[Any, ...]]:
    return connection.execute(query, execution_options={"yield_per": _BATCH_ROWS})


def _first_values(items: Iterable[IndexEntry]) -> list[Any]:
    return sorted({item[0] for item in items})


def _fault(description: str, seqs: Iterable[int]) -> Iterator[str]:
    if rows := list(seqs):
        shown = ", ".join(map(str, rows[:_MAX_SEQS]))
        yield f"{description}: {len(rows)} (seq {shown}{', …' if len(rows) > _MAX_SEQS else ''})"


def _differences(
    connection: Connection, expected: Callable[[], Iterable[IndexEntry]], stored: Executable
) -> tuple[list[IndexEntry], list[IndexEntry]]:
    """Find items that are missing and items that should not exist, without holding all of them in memory.

    Items are partitioned by their first value. Only partitions whose sums of hashes differ are compared item by item,
    and at most `_MAX_COMPARED_PARTITIONS` of them. `expected` is called, and `stored` is run, up to twice.
    """
    sums: Counter[int] = Counter()
    for item in expected():
        sums[hash(item[0]) % _PARTITIONS] += hash(item)
    for item in _stream(connection, stored):
        sums[hash(item[0]) % _PARTITIONS] -= hash(item)
    partitions = set(sorted(number for number, total in sums.items() if total)[:_MAX_COMPARED_PARTITIONS])
    if not partitions:
        return [], []
    items = Counter(item for item in expected() if hash(item[0]) % _PARTITIONS in partitions)
    items.subtract(tuple(row) for row in _stream(connection, stored) if hash(row[0]) % _PARTITIONS in partitions)
    return [each for each in items if items[each] > 0], [each for each in items if items[each] < 0]
