"""Data that is derived from contacts to find and count them: inverted index, phone index, spellings, counters."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, cast, delete, func, select, text, update

from contacts_mcp.directory.database import DERIVED_TABLES, contacts, counters, spellings, terms
from contacts_mcp.directory.store._rows import Row, chunks, insert_tuples, pad
from contacts_mcp.directory.store._terms import (
    PREFIX_LENGTH,
    correctable_words,
    deletion_variants,
    name_words,
    phone_pieces,
    phone_suffixes,
    signature_of,
    tag_key,
    words_column,
)

Posting = tuple[int, str, str, int, int]
"""A row of `contact_terms`: tenant, kind, term, contact and signature."""

_REBUILD_BATCH_SIZE = 5_000
_COUNTER_SLOTS = 16
_SHARED_SLOT = 0

_DELETE_TERMS = delete(terms).where(
    terms.c.tenant == bindparam("of_tenant"),
    terms.c.kind == bindparam("of_kind"),
    terms.c.contact_seq == bindparam("of_contact"),
    terms.c.term.in_(bindparam("some_terms", expanding=True)),
)
_SET_WORDS = (
    update(contacts)
    .where(contacts.c.tenant == bindparam("of_tenant"), contacts.c.seq == bindparam("of_contact"))
    .values(words=bindparam("words"))
)
_INSERT_PHONE = "INSERT INTO contact_phones(rowid, digits) VALUES (?, ?)"
_DELETE_PHONE = "INSERT INTO contact_phones(contact_phones, rowid, digits) VALUES ('delete', ?, ?)"


def index_postings(row: Row | None) -> set[Posting]:
    """Return the postings of a live contact, of which the column `words` is derived; none for None."""
    if row is None:
        return set()
    words = _indexed_words(row)
    heads = {word[:PREFIX_LENGTH] for word in words}
    tags, ends = map(tag_key, row["tags"]), phone_suffixes(row["phone_digits"])
    found_by = (("word", words), ("head", heads), ("tag", tags), ("end", ends))
    tenant, seq, signature = row["tenant"], row["seq"], signature_of(heads)
    return {(tenant, kind, term, seq, signature) for kind, found in found_by for term in found}


def _indexed_words(row: Row | None) -> set[str]:
    """Return the words by which a live contact is found; none for None."""
    return set((row["words"] or words_column(row)).split()) if row else set()


def add_to_index(connection: Connection, tenant: int, rows: Sequence[Row]) -> None:
    """Make live contacts findable and counted."""
    update_index(connection, tenant, [None] * len(rows), rows)


def update_index(
    connection: Connection, tenant: int, before: Sequence[Row | None], after: Sequence[Row | None]
) -> None:
    """Update the index for contacts that change; a row is None if the contact is not live before or after.

    Only differences are written, and locked: a change of a tag does not wait for the change of a name.
    """
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old or new]
    _update_terms(connection, tenant, pairs)
    if connection.dialect.name == "sqlite":  # PostgreSQL maintains its index of numbers itself
        renumbered = [
            (old, new) for old, new in pairs if not (old and new and old["phone_digits"] == new["phone_digits"])
        ]
        _write_phones(connection, _DELETE_PHONE, (old for old, _ in renumbered))
        _write_phones(connection, _INSERT_PHONE, (new for _, new in renumbered))
    _update_spellings(
        connection,
        tenant,
        removed={word for old, new in pairs if old for word in _indexed_words(old) - _indexed_words(new)},
        added={name for old, new in pairs for name in name_words(new) - name_words(old)},
    )
    _update_counters(connection, tenant, _count(new for _, new in pairs), _count(old for old, _ in pairs))


def rebuild_index(connection: Connection, report: Callable[[int], None] = lambda _: None) -> None:
    """Derive the whole index again; `report` gets the number of contacts that are done."""
    for table in DERIVED_TABLES:
        connection.execute(delete(table))
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO contact_phones(contact_phones) VALUES ('delete-all')"))
    done = 0
    kept = select(contacts).where(contacts.c.erased_at.is_(None)).execution_options(yield_per=_REBUILD_BATCH_SIZE)
    for rows in connection.execute(kept).mappings().partitions():
        derived = [{**row, "words": words_column(row)} for row in rows]
        stale = [new for old, new in zip(rows, derived, strict=True) if old["words"] != new["words"]]
        if stale:
            connection.execute(
                _SET_WORDS,
                [{"of_tenant": row["tenant"], "of_contact": row["seq"], "words": row["words"]} for row in stale],
            )
        live = [row for row in derived if row["deleted_at"] is None]
        for tenant in sorted({row["tenant"] for row in live}):
            add_to_index(connection, tenant, [row for row in live if row["tenant"] == tenant])
        done += len(live)
        report(done)


def _update_terms(connection: Connection, tenant: int, pairs: Sequence[tuple[Row | None, Row | None]]) -> None:
    changes = [(index_postings(old), index_postings(new)) for old, new in pairs]
    removed: dict[tuple[str, int], list[str]] = {}
    for old, new in changes:
        for _, kind, term, seq, _ in old - new:
            removed.setdefault((kind, seq), []).append(term)
    for (kind, seq), of_contact in removed.items():
        for some in chunks(of_contact):
            values = {"of_tenant": tenant, "of_kind": kind, "of_contact": seq, "some_terms": some}
            connection.execute(_DELETE_TERMS, values)
    # In the order of the primary key, which is written fastest.
    insert_tuples(connection, terms, sorted(chain.from_iterable(new - old if old else new for old, new in changes)))


def _write_phones(connection: Connection, statement: str, rows: Iterable[Row | None]) -> None:
    """Write SQLite's full-text index of numbers. To delete an entry, it needs the digits that were inserted."""
    values: list[Any] = [
        (row["seq"], " ".join(phone_pieces(row["phone_digits"]))) for row in rows if row and row["phone_digits"]
    ]
    if values:
        connection.exec_driver_sql(statement, values)


# Spellings: each word of a name under its deletion variants, to find the words that a misspelled one can stand for.

_STORED_WORDS = (
    select(spellings.c.word)
    .where(spellings.c.tenant == bindparam("tenant"), spellings.c.form == spellings.c.word)
    .where(spellings.c.form.in_(bindparam("words", expanding=True)))
    .order_by(spellings.c.form)
)
_LOCK_SHARED = _STORED_WORDS.with_for_update(read=True, key_share=True)
_LOCK_EXCLUSIVE = _STORED_WORDS.with_for_update()
_WORDS_IN_USE = (
    select(terms.c.term)
    .where(terms.c.tenant == bindparam("tenant"), terms.c.kind == "word")
    .where(terms.c.term.in_(bindparam("words", expanding=True)))
    .distinct()
)
_DELETE_SPELLINGS = delete(spellings).where(
    spellings.c.tenant == bindparam("of_tenant"),
    spellings.c.form.in_(bindparam("forms", expanding=True)),
    spellings.c.word.in_(bindparam("words", expanding=True)),
)


def _update_spellings(connection: Connection, tenant: int, *, removed: Iterable[str], added: Iterable[str]) -> None:
    """Store words of names that contacts now have, and delete words that no contact has any more.

    The terms are already written. A transaction locks the row of each word: shared if it only adds, exclusively if it
    may delete. So no word is deleted that another transaction is adding, and none that two added at the same time.
    """
    removed, added = correctable_words(removed), correctable_words(added)
    lock = _LOCK_EXCLUSIVE if removed else _LOCK_SHARED
    stored = _lock_words(connection, tenant, sorted({*removed, *added}), lock)
    _add_spellings(connection, tenant, [word for word in added if word not in stored])
    _delete_unused_spellings(connection, tenant, [word for word in removed if word in stored])


def _lock_words(connection: Connection, tenant: int, words: Sequence[str], lock: Select[str]) -> set[str]:
    """Lock the words that are stored, until this transaction ends, and return them."""
    stored: set[str] = set()
    for some in chunks(words):
        stored |= set(connection.execute(lock, {"tenant": tenant, "words": some}).scalars())
    return stored


def _add_spellings(connection: Connection, tenant: int, words: Sequence[str]) -> None:
    missing = words
    while missing:
        insert_tuples(connection, spellings, [(tenant, word, word) for word in missing], on_conflict="DO NOTHING")
        # Another transaction may have stored a word first, and deleted it since.
        stored = _lock_words(connection, tenant, missing, _LOCK_SHARED)
        missing = [word for word in missing if word not in stored]
    forms = sorted((tenant, form, word) for word in words for form in deletion_variants(word))
    insert_tuples(connection, spellings, forms, on_conflict="DO NOTHING")


def _delete_unused_spellings(connection: Connection, tenant: int, words: Sequence[str]) -> None:
    for some in chunks(words):
        unused = set(some) - set(connection.execute(_WORDS_IN_USE, {"tenant": tenant, "words": some}).scalars())
        forms = sorted({form for word in unused for form in deletion_variants(word)})
        for some_forms in chunks(forms):
            values = {"of_tenant": tenant, "forms": some_forms, "words": pad(sorted(unused))}
            connection.execute(_DELETE_SPELLINGS, values)


# Counters: live contacts of each type and with each tag. A number is the sum of several slots: a writer adds in a slot
# of its connection, so that writers do not wait for each other. Tags are subtracted in one slot that all share, so that
# the writer who removes the last one sees that it was the last: no trace of an unused tag stays.

_tag_counters = (counters.c.tenant == bindparam("of_tenant"), counters.c.kind == "tag")
_ZERO_TAGS = (
    select(counters.c.term)
    .where(*_tag_counters, counters.c.term.in_(bindparam("tags", expanding=True)))
    .group_by(counters.c.term)
    .having(func.sum(counters.c.live) == 0)
)
_LOCK_TAG = (
    select(counters.c.term, counters.c.slot, counters.c.live)
    .where(*_tag_counters, counters.c.term == bindparam("tag"))
    .order_by(counters.c.slot)
    .with_for_update()
)
_DELETE_TAG = delete(counters).where(
    *_tag_counters, counters.c.term == bindparam("tag"), counters.c.slot == bindparam("of_slot")
)
_INCREMENT = "(tenant, kind, term, slot) DO UPDATE SET live = counters.live + excluded.live"


def count_live(kind: str, term_parameter: str) -> Select[int]:
    """Return the query for the number of live contacts of a `tenant` with the term in a parameter, or with any term."""
    total = select(cast(func.coalesce(func.sum(counters.c.live), 0), BigInteger))
    total = total.where(counters.c.tenant == bindparam("tenant"), counters.c.kind == kind)
    return total.where(counters.c.term == bindparam(term_parameter)) if term_parameter else total


def _count(rows: Iterable[Row | None]) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row:
            counted["type", row["type"]] += 1
            counted.update({("tag", tag_key(tag)) for tag in row["tags"]})
    return counted


def _update_counters(
    connection: Connection, tenant: int, added: Counter[tuple[str, str]], removed: Counter[tuple[str, str]]
) -> None:
    changes = {key: added[key] - removed[key] for key in sorted(added.keys() | removed.keys())}
    rows = (
        (tenant, kind, term, _slot(connection, kind, change), change)
        for (kind, term), change in changes.items()
        if change
    )
    insert_tuples(connection, counters, rows, on_conflict=_INCREMENT)
    _delete_zero_tags(
        connection, tenant, [term for (kind, term), change in changes.items() if kind == "tag" and change < 0]
    )


def _slot(connection: Connection, kind: str, change: int) -> int:
    if connection.dialect.name == "sqlite" or (kind == "tag" and change < 0):
        return _SHARED_SLOT
    # A connection keeps its slot: transactions that used several could wait for each other.
    slot: int = connection.info.setdefault("slot", random.randrange(1, _COUNTER_SLOTS))  # noqa: S311 - not a secret
    return slot


def _delete_zero_tags(connection: Connection, tenant: int, tags: Sequence[str]) -> None:
    for some in chunks(tags):
        for tag in connection.execute(_ZERO_TAGS, {"of_tenant": tenant, "tags": some}).scalars().all():
            # The locks wait for transactions that add the tag. A slot they add meanwhile is above zero, and stays.
            slots = connection.execute(_LOCK_TAG, {"of_tenant": tenant, "tag": tag}).all()
            if not sum(slot.live for slot in slots):
                rows = [{"of_tenant": tenant, "tag": tag, "of_slot": slot.slot} for slot in slots]
                connection.execute(_DELETE_TAG, rows)
