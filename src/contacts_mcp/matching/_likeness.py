"""Whether two contacts are one person, how certain that is, and what speaks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from contacts_mcp.matching._names import ALIKE, UNLIKE, name_key_similarity

SAME_PHONE, SAME_EMAIL, NEAR_PHONE = "same phone", "same e-mail", "nearly the same phone"
SAME_NAME, SIMILAR_NAME, PART_OF_NAME = "same name", "similar name", "part of the name"
SAME_COMPANY, SIMILAR_COMPANY = "same company", "similar company"

_NEARLY_SAME_NAME = 0.9
_WORD_IN_COMMON = 0.2
_SIMILAR_COMPANY = 0.8
_FEWEST_DIGITS = 7
_LONGEST_COUNTRY_CODE = 5


class Confidence(IntEnum):
    """How certain it is that contacts are one person."""

    POSSIBLE = 1
    LIKELY = 2
    CERTAIN = 3


@dataclass(slots=True)
class Prepared:
    """A contact as it is compared: keys, '' where there is none.

    `busy` is whether many share its number or its address, `large` whether many are in its company.
    """

    id: str
    name: str
    phone: str
    email: str
    company: str
    busy: bool = False
    large: bool = False


class Link(NamedTuple):
    """Two contacts that may be one: how certain that is, how alike their names are (0 to 1), what speaks for it."""

    confidence: Confidence
    name: float
    evidence: tuple[str, ...]


def compare(one: Prepared, other: Prepared) -> Link | None:
    """What links two contacts; None where nothing does. A name alone never does."""
    shared = _shared(one, other)
    near = SAME_PHONE not in shared and is_near(one.phone, other.phone)
    company = _companies_alike(one.company, other.company)
    if not shared and not near and (company < _SIMILAR_COMPANY or one.large or other.large):
        return None
    name = name_key_similarity(one.name, other.name)
    if name < UNLIKE and not shared:
        return None
    if shared:
        named, few = bool(one.name and other.name), not (one.busy or other.busy)
        confidence = _by_key(name, company, both=len(shared) > 1, named=named, few=few)
    elif near:
        confidence = _by_near_phone(name, company)
    else:
        confidence = _by_company(one, other, name)
    if confidence is None:
        return None
    return Link(confidence, name, (*shared, *([NEAR_PHONE] if near else []), *_other_evidence(name, company)))


def _shared(one: Prepared, other: Prepared) -> list[str]:
    shared = [SAME_PHONE] if one.phone and one.phone == other.phone else []
    return shared + ([SAME_EMAIL] if one.email and one.email == other.email else [])


def _by_key(name: float, company: float, *, both: bool, named: bool, few: bool) -> Confidence | None:
    """A shared number or address with names clearly unlike is a family's, or where many share it a switchboard's."""
    if name >= _NEARLY_SAME_NAME or (name >= ALIKE and (both or company >= _SIMILAR_COMPANY)):
        return Confidence.CERTAIN
    if name >= UNLIKE or (both and not named):
        return Confidence.LIKELY
    return Confidence.POSSIBLE if few and (both or not named or name >= _WORD_IN_COMMON) else None


def _by_near_phone(name: float, company: float) -> Confidence | None:
    """A slip in the number; but colleagues have numbers in a row as well, so the name has to be good."""
    if company >= _SIMILAR_COMPANY:
        return Confidence.LIKELY if name >= ALIKE else Confidence.POSSIBLE
    return Confidence.POSSIBLE if name >= ALIKE else None


def _by_company(one: Prepared, other: Prepared, name: float) -> Confidence | None:
    """Namesakes in one company are rare where the company is small; nothing may speak against it to be likely."""
    if name < ALIKE:
        return None
    against = (one.phone and other.phone) or (one.email and other.email)
    return Confidence.POSSIBLE if against or name < _NEARLY_SAME_NAME else Confidence.LIKELY


def _other_evidence(name: float, company: float) -> list[str]:
    evidence: list[str] = []
    if name >= UNLIKE:
        evidence.append(SAME_NAME if name == 1 else SIMILAR_NAME if name >= ALIKE else PART_OF_NAME)
    if company >= _SIMILAR_COMPANY:
        evidence.append(SAME_COMPANY if company == 1 else SIMILAR_COMPANY)
    return evidence


def is_near(one: str, other: str) -> bool:
    """Whether one slip (a digit wrong, missing, too many, or two exchanged) or a country code makes the difference."""
    excess = len(one) - len(other)
    if min(len(one), len(other)) < _FEWEST_DIGITS or abs(excess) > _LONGEST_COUNTRY_CODE:
        return False
    if abs(excess) > 1:
        return one.endswith(other) or other.endswith(one)
    return _slips()(one, other, score_cutoff=1) <= 1


def _companies_alike(one: str, other: str) -> float:
    """From 0 (unlike, or one is missing) to 1."""
    if not one or not other:
        return 0.0
    return 1.0 if one == other else _ratio()(one, other, score_cutoff=_SIMILAR_COMPANY)


@cache
def _slips() -> Callable[..., int]:
    from rapidfuzz.distance import OSA

    return OSA.distance


@cache
def _ratio() -> Callable[..., float]:
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity
