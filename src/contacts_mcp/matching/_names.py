"""How alike two names are, however they are written."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from contacts_mcp.text import fold

ALIKE = 0.85
"""From here on two names are taken for writings of one."""
UNLIKE = 0.6
"""Below, they are names of different people."""
_WORD = re.compile(r"[a-z0-9]+")
_INITIAL = 0.9
_ONE_OF_SEVERAL = 0.8


def name_tokens(name: str) -> list[str]:
    """The folded words of a name, without punctuation."""
    return _WORD.findall(fold(name))


def names_alike(first: str, second: str) -> float:
    """From 0 (unlike) to 1 (the same): order, accents, case and middle names do not count, initials and typos little.

    A name that is missing is alike to none.
    """
    return tokens_alike(name_tokens(first), name_tokens(second))


def tokens_alike(first: Sequence[str], second: Sequence[str]) -> float:
    """The same for the words of two names."""
    if not first or not second:
        return 0.0
    if first == second or sorted(first) == sorted(second):
        return 1.0
    few, many = sorted((first, second), key=len)
    # A first name alone is that of many.
    weight = _ONE_OF_SEVERAL if len(few) == 1 and len(many) > 1 else 1.0
    alike = weight * _aligned(few, many)
    return alike if alike >= ALIKE or len(few) == len(many) else max(alike, _joined(few, many))


def _aligned(few: Sequence[str], many: Sequence[str]) -> float:
    """Each word of the shorter name with the best that is left of the longer one; the average."""
    left = list(many)
    total = 0.0
    for word in few:
        alike, best = max((word_alike(word, other), other) for other in left)
        total += alike
        left.remove(best)
    return total / len(few)


def word_alike(first: str, second: str) -> float:
    """How alike two words are: the same, an initial and its word, or one a slip of the other."""
    if first == second:
        return 1.0
    if 1 in (len(first), len(second)):
        return _INITIAL if first[0] == second[0] else 0.0
    alike: float = _library().JaroWinkler.similarity(first, second)
    return alike


def _joined(first: Sequence[str], second: Sequence[str]) -> float:
    """`Anne Marie` and `Annemarie`: the letters alone."""
    alike: float = _library().Indel.normalized_similarity("".join(first), "".join(second))
    return alike


@cache
def _library() -> Any:
    from rapidfuzz import distance

    return distance
