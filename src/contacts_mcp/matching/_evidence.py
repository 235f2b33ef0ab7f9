"""What speaks for two contacts being one, and how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from contacts_mcp.matching._names import ALIKE, UNLIKE, tokens_alike

Confidence = Literal["certain", "likely", "possible"]

LEVELS: tuple[Confidence, ...] = ("certain", "likely", "possible")
SHORTEST_NUMBER = 6
"""Digits of a number from which on a slip in it can be told from another number."""
_SAME_COMPANY = 0.8


@dataclass(slots=True)
class Person:
    """A contact as it is compared: keys, and the words of its name and company."""

    id: str
    name: Sequence[str]
    phone: str
    email: str
    company: Sequence[str]


class Evidence(NamedTuple):
    """How much it is, as an index of LEVELS, and in words."""

    level: int
    words: tuple[str, ...]


def weigh(one: Person, other: Person) -> Evidence | None:
    """What speaks for two contacts being one; None where it is too little.

    An equal number or address with a similar name is good evidence. A name alone is none: it takes the same company
    besides, or a number with a slip in it. People of unlike names may share a number, as families and colleagues do.
    """
    same = [
        words
        for words, mine, yours in (("same phone", one.phone, other.phone), ("same e-mail", one.email, other.email))
        if mine and mine == yours
    ]
    name = tokens_alike(one.name, other.name) if one.name and other.name else None
    if not same and name is not None and name < UNLIKE:
        return None
    company = tokens_alike(one.company, other.company)
    near = not same and _nearly(one.phone, other.phone)
    if near and one.email and other.email:  # both have another address: so these are two numbers, and no slip
        near = False
    level = _level(len(same), name, near=near, beside=company >= _SAME_COMPANY)
    if level is None:
        return None
    alike = [] if name is None or name < UNLIKE else ["same name" if name == 1 else "similar name"]
    beside = ["similar company"] if company >= _SAME_COMPANY else []
    return Evidence(level, (*same, *(["nearly the same phone"] if near else []), *alike, *beside))


def _level(same: int, name: float | None, *, near: bool, beside: bool) -> int | None:
    """0 is certain, 1 likely, 2 possible. `name` is None where one of them has none, which says nothing."""
    alike = name is not None and name >= ALIKE
    if same:
        unlike = name is not None and name < UNLIKE
        return 0 if alike else 1 if same > 1 or not unlike else 2
    if near:
        return 1 if beside or alike else 2
    return 2 if alike and beside else None


def _nearly(one: str, other: str) -> bool:
    """Whether two numbers differ by one slip: a digit more, less or another, or two swapped."""
    if min(len(one), len(other)) < SHORTEST_NUMBER or abs(len(one) - len(other)) > 1:
        return False
    from rapidfuzz.distance import OSA

    return OSA.distance(one.removeprefix("+"), other.removeprefix("+"), score_cutoff=1) == 1
