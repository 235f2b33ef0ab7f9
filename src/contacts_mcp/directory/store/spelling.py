"""Words that are nearly the same.

Every word of a name is kept under its forms: itself, and what is left of its beginning with a letter or two taken out.
Two words that differ by a slip (a letter too many, too few, another one, or two neighbours the other way round) share
a form, so that the few words a misspelt one can stand for are found by looking up its own forms, on any database, in a
dictionary of any size. One slip is allowed, two where both words have eight letters or more.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from sqlalchemy import Connection, delete, select

from contacts_mcp.directory.database.tables import spellings, terms
from contacts_mcp.directory.store.bulk import insert_missing, padded, within

_SHORTEST, _LONGEST = 4, 32
_LONG = 8
_PREFIX = 7
"""Letters of a long word that forms are made of; the rest is only compared."""
_MOST_ALIKE = 20


def forms_of(word: str) -> set[str]:
    """The word, and its beginning with letters left out."""
    beginning = word[:_PREFIX]
    left_out = range(slips(word) + 1)
    return {word} | {"".join(kept) for out in left_out for kept in combinations(beginning, len(beginning) - out)}


def slips(word: str) -> int:
    """How many slips a word may hold."""
    return 2 if len(word) >= _LONG else 1


def learnable(words: Iterable[str]) -> list[str]:
    """Those that are neither so short nor so long that no other could be meant; sorted, as they are locked."""
    return sorted(word for word in words if _SHORTEST <= len(word) <= _LONGEST)


def learn(connection: Connection, tenant: int, words: Iterable[str]) -> None:
    """Keep words of live contacts."""
    wanted = learnable(words)
    known = select(spellings.c.word).where(spellings.c.tenant == tenant, spellings.c.form == spellings.c.word)
    # Locked, so that nobody forgets a word meanwhile whose last contact has gone.
    there = {
        word
        for some in within(wanted)
        for (word,) in connection.execute(
            known.where(spellings.c.form.in_(some))
            .order_by(spellings.c.form)
            .with_for_update(key_share=True, read=True)
        )
    }
    new = [(tenant, form, word) for word in wanted if word not in there for form in forms_of(word)]
    insert_missing(connection, spellings, sorted(new))


def forget(connection: Connection, tenant: int, words: Iterable[str]) -> None:
    """Drop those words that no live contact has any more."""
    candidates = learnable(words)
    for some in within(candidates):
        kept = select(spellings.c.word).where(spellings.c.tenant == tenant, spellings.c.form == spellings.c.word)
        kept = kept.where(spellings.c.form.in_(some)).order_by(spellings.c.form)
        held = list(connection.execute(kept.with_for_update()).scalars())
        used = select(terms.c.term).where(terms.c.tenant == tenant, terms.c.kind == "word", terms.c.term.in_(held))
        unused = set(held) - set(connection.execute(used.distinct()).scalars())
        forms = [form for word in unused for form in forms_of(word)]
        for each in within(forms):
            gone = delete(spellings).where(spellings.c.tenant == tenant, spellings.c.form.in_(each))
            connection.execute(gone.where(spellings.c.word.in_(unused)))


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
