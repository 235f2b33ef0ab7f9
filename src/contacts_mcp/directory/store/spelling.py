"""Words that are nearly the same.

Every word of a name is kept under its forms: itself, and what is left of its beginning with a letter or two taken out.
Two words that differ by a slip (a letter too many, too few, another one, or two neighbours the other way round) share
a form, so that the few words a misspelt one can stand for are found by looking up its own forms, on any database, in a
dictionary of any size. One slip is allowed, two where both words have eight letters or more.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from sqlalchemy import Connection, bindparam, delete, select

from contacts_mcp.directory.database.tables import spellings, terms
from contacts_mcp.directory.store.bulk import insert_missing, padded, within

_SHORTEST, _LONGEST = 4, 32
_LONG = 8
_PREFIX = 7
"""Letters of a long word that forms are made of; the rest is only compared."""
_MOST_ALIKE = 20


_KEPT = (
    select(spellings.c.word)
    .where(spellings.c.tenant == bindparam("tenant"), spellings.c.form == spellings.c.word)
    .where(spellings.c.form.in_(bindparam("some", expanding=True)))
    .order_by(spellings.c.form)
)
_LOCK = {alone: _KEPT.with_for_update(read=not alone, key_share=not alone) for alone in (True, False)}

_USED = (
    select(terms.c.term)
    .where(terms.c.tenant == bindparam("tenant"), terms.c.kind == "word")
    .where(terms.c.term.in_(bindparam("some", expanding=True)))
    .distinct()
)
_DROP = delete(spellings).where(
    spellings.c.tenant == bindparam("of"),
    spellings.c.form.in_(bindparam("some", expanding=True)),
    spellings.c.word.in_(bindparam("unused", expanding=True)),
)


def forms_of(word: str) -> set[str]:
    """The word, and its beginning with letters left out."""
    beginning = word[:_PREFIX]
    left_out = range(slips(word) + 1)
    return {word} | {"".join(kept) for out in left_out for kept in combinations(beginning, len(beginning) - out)}


def slips(word: str) -> int:
    """How many slips a word may hold."""
    return 2 if len(word) >= _LONG else 1


def learnable(words: Iterable[str]) -> list[str]:
    """Those that another may be meant for, in the order in which they are locked."""
    return sorted(word for word in words if _SHORTEST <= len(word) <= _LONGEST and word.isalpha())


def change(connection: Connection, tenant: int, *, gone: Iterable[str], come: Iterable[str]) -> None:
    """Keep words that contacts' names have from now on, and drop those that contacts had and none has any more.

    The terms have been written. A word is locked by its own row, shared by who keeps it and alone by who may drop it:
    so none is dropped that somebody is about to have, and what two have come by at once is dropped by neither.
    """
    going, coming = learnable(gone), learnable(come)
    held = _lock(connection, tenant, sorted({*going, *coming}), alone=bool(going))
    _learn(connection, tenant, [word for word in coming if word not in held])
    _forget(connection, tenant, [word for word in going if word in held])


def _lock(connection: Connection, tenant: int, words: Sequence[str], *, alone: bool) -> set[str]:
    """Those words that are kept, which stay so until this transaction ends."""
    held: set[str] = set()
    for some in within(words):
        held |= set(connection.execute(_LOCK[alone], {"tenant": tenant, "some": some}).scalars())
    return held


def _learn(connection: Connection, tenant: int, words: Sequence[str]) -> None:
    missing = words
    while missing:
        insert_missing(connection, spellings, [(tenant, word, word) for word in missing])
        # Somebody else may have kept it first, and dropped it since.
        held = _lock(connection, tenant, missing, alone=False)
        missing = [word for word in missing if word not in held]
    insert_missing(connection, spellings, sorted((tenant, form, word) for word in words for form in forms_of(word)))


def _forget(connection: Connection, tenant: int, words: Sequence[str]) -> None:
    for some in within(words):
        unused = set(some) - set(connection.execute(_USED, {"tenant": tenant, "some": some}).scalars())
        forms = sorted({form for word in unused for form in forms_of(word)})
        for each in within(forms):
            connection.execute(_DROP, {"of": tenant, "some": each, "unused": padded(sorted(unused))})


def alike(connection: Connection, tenant: int, word: str) -> Sequence[str]:
    """The words of contacts that this one may be a misspelling of, the nearest first."""
    if not (_SHORTEST <= len(word) <= _LONGEST and word.isalpha()):
        return ()
    from rapidfuzz.distance import OSA

    sharing = select(spellings.c.word).where(
        spellings.c.tenant == tenant, spellings.c.form.in_(padded(sorted(forms_of(word))))
    )
    distances = {
        other: OSA.distance(word, other, score_cutoff=2) for other in connection.execute(sharing.distinct()).scalars()
    }
    near = [other for other, distance in distances.items() if 0 < distance <= min(slips(word), slips(other))]
    return sorted(near, key=lambda other: (distances[other], other))[:_MOST_ALIKE]
