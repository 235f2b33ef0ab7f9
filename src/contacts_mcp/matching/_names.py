"""How alike two names are: the one judgement that import, search and duplicates share."""

from collections.abc import Callable
from functools import cache

from contacts_mcp.matching._keys import name_key

ALIKE = 0.75
"""From here on two names are taken for one, written differently."""
UNLIKE = 0.5
"""Below, two names are clearly two people's."""

_INITIAL = 0.85
_SHORT_FORM, _SHORTEST_SHORT_FORM = 0.8, 3
_WORST_WORD = 0.6
_PART_OF_NAME = 0.7
_LEFT_OUT, _MOST_LEFT_OUT = 0.04, 0.12
_RUN_TOGETHER = 0.9


def name_similarity(one: str | None, other: str | None) -> float:
    """From 0 (nothing in common, or a name is missing) to 1 (the same).

    Order, case, accents and titles make no difference; initials, short forms, slips and words left out make a little.
    """
    return name_key_similarity(name_key(one), name_key(other))


def name_key_similarity(one: str, other: str) -> float:
    """`name_similarity` for names that are folded already (see `name_key`)."""
    if one == other:
        return 1.0 if one else 0.0
    if not one or not other:
        return 0.0
    fewer, more = sorted((one.split(), other.split()), key=len)
    likeness = _best_pairing(fewer, more)
    if len(fewer) == len(more):
        return likeness
    if len(fewer) == 1:
        likeness *= _PART_OF_NAME
    else:
        likeness -= min(_LEFT_OUT * (len(more) - len(fewer)), _MOST_LEFT_OUT)
    return max(likeness, _run_together(one, other))


def _best_pairing(fewer: list[str], more: list[str]) -> float:
    """The mean and the worst of the words of the shorter name, each with the word of the longer that is most like it.

    The worst counts for half: `Kari Nordmann` is not `Ola Nordmann`, though half of the words agree.
    """
    left = list(more)
    found: list[float] = []
    for word in sorted(fewer, key=lambda word: (word not in more, -len(word))):
        likeness, best = max((words_alike(word, candidate), candidate) for candidate in left)
        left.remove(best)
        found.append(likeness)
    return (min(found) + sum(found) / len(found)) / 2


def words_alike(one: str, other: str) -> float:
    """From 0 to 1 for two folded words of names."""
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if len(short) == 1:
        return _INITIAL if long[0] == short else 0.0
    likeness = _likeness()(one, other, score_cutoff=_WORST_WORD)
    if len(short) >= _SHORTEST_SHORT_FORM and long.startswith(short):
        return max(likeness, _SHORT_FORM)
    return likeness


def _run_together(one: str, other: str) -> float:
    """`Anne Marie Berg` and `Annemarie Berg`."""
    return _likeness()(one.replace(" ", ""), other.replace(" ", ""), score_cutoff=_RUN_TOGETHER) * 0.95


@cache
def _likeness() -> Callable[..., float]:
    from rapidfuzz.distance import OSA  # once: an import in a function that runs a million times is not free

    return OSA.normalized_similarity
