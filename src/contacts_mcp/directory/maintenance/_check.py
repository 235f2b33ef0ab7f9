"""What has to be true of a directory, whoever wrote to it and however that ended.

Faults are told in counts and in the numbers that rows have in their tables (`seq`): whoever looks after a directory
need not be meant to read it.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, exists, func, or_, select, text

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
)
from contacts_mcp.directory.store import (
    PERSONAL_FIELDS,
    Row,
    chunks,
    correctable_words,
    deletion_variants,
    index_entries,
    name_words,
    phone_digits,
    phone_pieces,
    read_receipts,
    receipt_chain_end,
    verify_receipts,
    words_column,
)

_TOGETHER = 5_000
_SHOWN = 5
"""Numbers of rows that are named."""
_REMEMBERED = 100_000
"""Words that need not be looked up again."""

Item = tuple[Hashable, ...]
Read = Callable[[Connection], Iterable[Item]]
"""Reads all items from their beginning; it may be called again."""

_PARTS, _PARTS_LOOKED_AT = 4_096, 64

_live = contacts.c.deleted_at.is_(None)
_erased = contacts.c.erased_at.is_not(None)


def check(connection: Connection) -> list[str]:
    """What is wrong with the directory, one line for each fault; nothing where it is as it should be.

    Everything is read, in one transaction, which takes a while where there is much. Nothing is written.
    """
    every = (_engine, _rows, _tallies, _contacts, _terms, _phones, _spellings, _receipts)
    return [fault for part in every for fault in part(connection)]


def _engine(connection: Connection) -> Iterator[str]:
    """What the database itself knows to be wrong."""
    if connection.dialect.name == "sqlite":
        for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if line != "ok":
                yield f"the file is damaged: {line}"
        broken = Counter(table for table, *_ in connection.exec_driver_sql("PRAGMA foreign_key_check"))
        yield from (f"rows of {table} that belong to nothing: {many}" for table, many in sorted(broken.items()))
    else:
        for (name,) in connection.execute(_INVALID_INDEXES):
            yield f"the index {name} is invalid: run REINDEX"
        if (connection.dialect.server_version_info or ()) >= _KNOWS_COLLATIONS and connection.scalar(_OTHER_COLLATION):
            yield "the server sorts text otherwise than before: run REINDEX DATABASE and refresh its collation version"


_INVALID_INDEXES = text(
    "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE NOT (indisvalid AND indisready)"
    " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('contacts'))"
    " ORDER BY 1"
)
_KNOWS_COLLATIONS = (15,)
_OTHER_COLLATION = text(
    "SELECT datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)"
    " FROM pg_database WHERE datname = current_database()"
)


def _rows(connection: Connection) -> Iterator[str]:
    """Rows that contradict each other."""
    for what, query in _CONTRADICTIONS:
        yield from _told(what, connection.execute(query.order_by(query.selected_columns[0])).scalars())


def _contradictions() -> Iterator[tuple[str, Select[Any]]]:
    joined = memberships.c
    of_contact = contacts.c.seq == joined.contact_seq
    of_group = groups.c.seq == joined.group_seq
    membership, contact, receipt = select(joined.seq), select(contacts.c.seq), select(receipts.c.seq)
    of_erased = receipts.c.contact_id == contacts.c.id

    yield "memberships of contacts that are not there", membership.where(~exists().where(of_contact))
    yield "memberships of deleted contacts", membership.join(contacts, of_contact).where(~_live)
    yield "memberships of groups that are not there", membership.where(~exists().where(of_group))
    both = membership.join(contacts, of_contact).join(groups, of_group)
    yield "memberships between tenants", both.where(contacts.c.tenant != groups.c.tenant)
    doubled = select(func.max(joined.seq)).group_by(joined.group_seq, joined.contact_seq).having(func.count() > 1)
    yield "memberships that are there twice", doubled
    for table in (contacts, groups):
        nobodys = ~exists().where(tenants.c.seq == table.c.tenant)
        yield f"{table.name.removeprefix('contact_')} of no tenant", select(table.c.seq).where(nobodys)
    needed = contacts.c.type, contacts.c.name, contacts.c.tags
    yield (
        "live contacts without a type, a name or tags",
        contact.where(_live, or_(*(each.is_(None) for each in needed))),
    )
    emptied = (contacts.c[name] for name in (*PERSONAL_FIELDS, "type", "phone_digits", "words"))
    yield "erased contacts that hold something", contact.where(_erased, or_(*(each.is_not(None) for each in emptied)))
    yield "erased contacts that count as live", contact.where(_erased, _live)
    yield "erased contacts without a receipt", contact.where(_erased, ~exists().where(of_erased))
    several = select(func.max(receipts.c.seq)).group_by(receipts.c.contact_id).having(func.count() > 1)
    yield "receipts of contacts that have one already", several
    yield "receipts of contacts that are not erased", receipt.join(contacts, of_erased).where(~_erased)
    yield (
        "receipts under another tenant",
        receipt.join(contacts, of_erased).where(contacts.c.tenant != receipts.c.tenant),
    )
    repeated = idempotency_keys.c.made == contacts.c.id
    yield "erased contacts that a repeated request would name", contact.join(idempotency_keys, repeated).where(_erased)


_CONTRADICTIONS = tuple(_contradictions())


def _tallies(connection: Connection) -> Iterator[str]:
    """Live contacts as they are counted, and as they are."""
    of_type = select(contacts.c.tenant, contacts.c.type, func.count()).where(_live, contacts.c.type.is_not(None))
    there, counted = _numbers(connection, of_type), _tallied(connection, "type")
    for tenant, kind in sorted(there.keys() | counted.keys()):
        one, other = counted[tenant, kind], there[tenant, kind]
        if one != other:
            yield f"tenant {tenant} has {other} contacts of type {kind} and counts {one}"
    tagged = _numbers(connection, select(terms.c.tenant, terms.c.term, func.count()).where(terms.c.kind == "tag"))
    counted = _tallied(connection, "tag")
    if wrong := sum(tagged[tag] != counted[tag] or not counted[tag] for tag in tagged.keys() | counted.keys()):
        yield f"tags that are counted wrongly: {wrong}"


def _tallied(connection: Connection, kind: str) -> Counter[tuple[int, str]]:
    tally = select(counters.c.tenant, counters.c.term, func.sum(counters.c.live))
    return _numbers(connection, tally.where(counters.c.kind == kind))


def _numbers(connection: Connection, query: Select[*tuple[Any, ...]]) -> Counter[tuple[int, str]]:
    """By tenant and term, which the query begins with."""
    grouped = query.group_by(*query.selected_columns[:2])
    return Counter({(tenant, term): int(number) for tenant, term, number in connection.execute(grouped)})


def _contacts(connection: Connection) -> Iterator[str]:
    """What a row says of itself once more, as it is searched."""
    words, numbers = [], []
    for row in _live_rows(connection):
        if row["words"] != words_column(row):
            words.append(row["seq"])
        if row["phone_digits"] != phone_digits(row["phone_number"]):
            numbers.append(row["seq"])
    yield from _told("contacts whose words are not theirs", words)
    yield from _told("contacts whose digits are not those of their number", numbers)


def _terms(connection: Connection) -> Iterator[str]:
    def expected(connection: Connection) -> Iterator[Item]:
        for row in _live_rows(connection):
            yield from (
                (seq, row["tenant"], kind, term, signature) for kind, term, seq, signature in index_entries(row)
            )

    def found(connection: Connection) -> Iterator[Item]:
        named = terms.c.contact_seq, terms.c.tenant, terms.c.kind, terms.c.term, terms.c.signature
        yield from _stream(connection, select(*named))

    missing, extra = _differences(connection, expected, found)
    yield from _told("contacts that lack terms", _firsts(missing))
    yield from _told("contacts, or what was one, with terms that are not theirs", _firsts(extra))


def _phones(connection: Connection) -> Iterator[str]:
    """PostgreSQL keeps its index of numbers by itself."""
    if connection.dialect.name != "sqlite":
        return

    def expected(connection: Connection) -> Iterator[Item]:
        numbered = select(contacts.c.seq, contacts.c.phone_digits).where(_live, contacts.c.phone_digits.is_not(None))
        for seq, digits in _stream(connection, numbered):
            yield from ((seq, piece) for piece in set(phone_pieces(digits)))

    def found(connection: Connection) -> Iterator[Item]:
        yield from _stream(connection, text("SELECT doc, term FROM temp.indexed_phones"))

    with _indexed_phones(connection):
        missing, extra = _differences(connection, expected, found)
    yield from _told("contacts that are not found by their number", _firsts(missing))
    yield from _told("contacts, or what was one, found by a number that is not theirs", _firsts(extra))


@contextmanager
def _indexed_phones(connection: Connection) -> Iterator[None]:
    """What the index of numbers holds as a table, which is made and dropped in memory, also where one only reads."""
    ((reading,),) = connection.exec_driver_sql("PRAGMA query_only").fetchall()
    connection.exec_driver_sql("PRAGMA query_only = OFF")
    try:
        connection.exec_driver_sql(
            "CREATE VIRTUAL TABLE temp.indexed_phones USING fts5vocab(main, contact_phones, instance)"
        )
        yield
    finally:
        connection.exec_driver_sql("DROP TABLE IF EXISTS temp.indexed_phones")
        connection.exec_driver_sql(f"PRAGMA query_only = {reading}")


def _spellings(connection: Connection) -> Iterator[str]:
    itself = spellings.c.form == spellings.c.word
    used = (terms.c.tenant == spellings.c.tenant, terms.c.kind == "word", terms.c.term == spellings.c.word)
    unused = select(func.count()).select_from(spellings).where(itself, ~exists().where(*used))
    if number := connection.execute(unused).scalar_one():
        yield f"words that are kept and nobody has: {number}"
    if number := _unlearnt(connection):
        yield f"words of names that are not kept: {number}"

    def expected(connection: Connection) -> Iterator[Item]:
        for tenant, word in _stream(connection, select(spellings.c.tenant, spellings.c.word).where(itself)):
            yield from ((word, tenant, form) for form in deletion_variants(word))

    def found(connection: Connection) -> Iterator[Item]:
        yield from _stream(connection, select(spellings.c.word, spellings.c.tenant, spellings.c.form))

    missing, extra = _differences(connection, expected, found)
    if missing or extra:
        yield f"words that are kept under other forms than theirs: {len({*_firsts(missing), *_firsts(extra)})}"


def _unlearnt(connection: Connection) -> int:
    """How many words of names are not kept."""
    known: set[tuple[int, str]] = set()
    unlearnt: set[tuple[int, str]] = set()
    for some in _batches(_live_rows(connection)):
        words = {(row["tenant"], word) for row in some for word in correctable_words(name_words(row))} - known
        known = known if len(known) < _REMEMBERED else set()
        for tenant in {tenant for tenant, _ in words}:
            kept = select(spellings.c.word).where(spellings.c.tenant == tenant, spellings.c.form == spellings.c.word)
            for each in chunks(sorted(word for one, word in words if one == tenant)):
                there = connection.execute(kept.where(spellings.c.form.in_(each))).scalars()
                known |= {(tenant, word) for word in there}
        unlearnt |= words - known
    return len(unlearnt)


def _receipts(connection: Connection) -> Iterator[str]:
    return verify_receipts(read_receipts(connection), *receipt_chain_end(connection))


def _live_rows(connection: Connection) -> Iterator[Row]:
    """Live contacts that have what makes them found; the others are told of by themselves."""
    wanted = ("seq", "tenant", "name", "company_name", "email", "phone_number", "phone_digits", "tags", "words")
    query = select(*(contacts.c[name] for name in wanted)).where(_live, contacts.c.name.is_not(None))
    yield from _stream(connection, query.where(contacts.c.tags.is_not(None))).mappings()


def _stream(connection: Connection, query: Any) -> Any:
    return connection.execute(query, execution_options={"yield_per": _TOGETHER})


def _batches(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while some := list(islice(rows, _TOGETHER)):
        yield some


def _firsts(items: Iterable[Item]) -> list[Any]:
    return sorted({item[0] for item in items})


def _told(what: str, seqs: Iterable[int]) -> Iterator[str]:
    every = list(seqs)
    if every:
        shown = ", ".join(map(str, every[:_SHOWN]))
        yield f"{what}: {len(every)} (seq {shown}{', …' if len(every) > _SHOWN else ''})"


def _differences(connection: Connection, expected: Read, found: Read) -> tuple[list[Item], list[Item]]:
    """Items that are missing and items that should not be there, where both are too many to be held.

    They are added up in parts by their first value, and parts with different sums are looked at; not all of them where
    that would be much.
    """
    sums: Counter[int] = Counter()
    for item in expected(connection):
        sums[hash(item[0]) % _PARTS] += hash(item)
    for item in found(connection):
        sums[hash(item[0]) % _PARTS] -= hash(item)
    parts = set(sorted(part for part, total in sums.items() if total)[:_PARTS_LOOKED_AT])
    if not parts:
        return [], []
    items = Counter(item for item in expected(connection) if hash(item[0]) % _PARTS in parts)
    items.subtract(item for item in found(connection) if hash(item[0]) % _PARTS in parts)
    return [each for each in items if items[each] > 0], [each for each in items if items[each] < 0]
