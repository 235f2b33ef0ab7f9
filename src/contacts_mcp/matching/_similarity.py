"""Match keys, the similarity of names, and the comparison of two contacts."""

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from contacts_mcp.phones import COUNTRY_CODE, is_destroyed, is_placeholder, normalize, split_extension
from contacts_mcp.text import digits, fold

SAME_PHONE, SAME_EMAIL, SIMILAR_PHONE = "same phone", "same e-mail", "nearly the same phone"
SAME_NAME, SIMILAR_NAME, PART_OF_NAME = "same name", "similar name", "part of the name"
SAME_COMPANY, SIMILAR_COMPANY = "same company", "similar company"

MIN_SAME_NAME = 0.75
"""Lowest similarity of two spellings of one name."""
MIN_COMPATIBLE_NAME = 0.5
"""Lowest similarity of two names that may belong to one person."""

_MAX_WORDS, _MAX_WORD_LENGTH = 8, 40
_MIN_KEY_DIGITS = 5
# Certainly E.164. A zero after the country code may be a trunk prefix: such numbers are parsed.
_PLAIN_E164 = re.compile(rf"{COUNTRY_CODE}[1-9][0-9]{{4,11}}")
_PLACEHOLDER_ADDRESS = re.compile(
    r"(?:n/?a|none|nil|null|undefined|missing|test|fake|no[._-]?(?:e?-?mail|address|reply)|do[._-]?not[._-]?reply|no|nei|"
    r"unknown|ukjent|okand|ukendt|unbekannt|inconnu|mangler|saknas|ingen|ingen[._-]?e?-?post|keine?|kein[._-]?e?-?mail|"
    r"aucun|geen|dummy|placeholder|xx+|-+)@.*"
)
_WORD, _ANY_WORD = re.compile(r"[a-z0-9]+"), re.compile(r"\w+")
_AND = re.compile(r"[&+]|(?<=\S )(?:og|und|et|och|ja|oraz)(?= \S)", re.IGNORECASE)
_MIN_LONG_FORM_ENDING = 3
_FEMININE_ENDINGS = frozenset(_WORD.findall("lle elle ette tte nne ine ina iane iana ane ana"))
_SAME_SOUNDS = (("ch", "k"), ("ck", "k"), ("c", "k"), ("ph", "f"), ("th", "t"), ("w", "v"), ("z", "s"), ("x", "ks"))
_DOUBLED = re.compile(r"(.)\1")
_APOSTROPHES = str.maketrans("", "", "'`")
_TITLES = frozenset(_WORD.findall("mr mrs ms miss dr prof herr frau fru hr sir madame monsieur"))
_LEGAL_FORMS = frozenset(
    _WORD.findall("as asa ab aps oy oyj ltd limited llc llp inc corp co plc gmbh ag kg sa sarl srl bv nv")
)

_INITIAL_SIMILARITY = 0.85
_SHORT_FORM_SIMILARITY, _MIN_SHORT_FORM_LENGTH = 0.8, 3
_MIN_WORD_SIMILARITY = 0.6
_ONE_WORD_FACTOR = 0.7
_MISSING_WORD_PENALTY, _MAX_MISSING_WORD_PENALTY = 0.04, 0.12
_JOINED_WORDS_FACTOR, _MIN_JOINED_SIMILARITY = 0.95, 0.9

_MIN_CERTAIN_NAME = 0.9
_MIN_COMMON_WORD = 0.2
_OTHER_GIVEN_NAME_SIMILARITY = 0.45
_MIN_SAME_COMPANY = 0.8
_MIN_COMPARED_DIGITS = 7
_MAX_COUNTRY_CODE_LENGTH = 5
_MAX_CONSECUTIVE_DIFFERENCE = 9


class Confidence(IntEnum):
    """How certain it is that contacts are one person."""

    POSSIBLE = 1
    LIKELY = 2
    CERTAIN = 3


@dataclass(slots=True)
class KeyedContact:
    """A contact's match keys, '' if it has none.

    `has_common_key` is whether many contacts share its number or e-mail address, `has_large_company` whether its
    company has many contacts.
    """

    id: str
    name: str
    phone: str
    email: str
    company: str
    has_common_key: bool = False
    has_large_company: bool = False


class Link(NamedTuple):
    """Two contacts that may be one person: confidence, name similarity (0 to 1), and the evidence for it."""

    confidence: Confidence
    name_similarity: float
    evidence: tuple[str, ...]


def phone_key(number: str | None, region: str | None = None) -> str:
    """Return a valid number in E.164, any other as its digits, with its `+`; an extension follows an `x`.

    Return '' if it identifies no person: it has fewer than 5 digits, is a placeholder, or a spreadsheet destroyed it.

    `region` (ISO 3166 code) is the country of numbers without a country code.
    """
    if not number or is_destroyed(number):
        return ""
    if _PLAIN_E164.fullmatch(number):
        return "" if is_placeholder(number) and normalize(number, None) is None else number
    written, extension = split_extension(fold(number).strip())
    if written.startswith("00"):
        written = f"+{written[2:]}"
    key = normalize(written, region)
    if not key:
        key = digits(written)
        if len(key) < _MIN_KEY_DIGITS or is_placeholder(written):
            return ""
        key = f"+{key}" if written.startswith("+") else key
    return f"{key}x{extension}" if extension else key


def main_number(key: str) -> str:
    """Return a `phone_key` without its extension."""
    return key.partition("x")[0]


def is_same_number(one: str, other: str) -> bool:
    """Whether two `phone_key`s may be one person's: a number without an extension equals one with any."""
    if one == other:
        return bool(one)
    is_known_of_both = "x" in one and "x" in other
    return not is_known_of_both and main_number(one) == main_number(other) != ""


def email_key(address: str | None) -> str:
    """Return the address in lower case, without surrounding space; '' for a placeholder such as `n/a@example.org`."""
    key = address.strip().casefold() if address else ""
    return "" if _PLACEHOLDER_ADDRESS.fullmatch(key) else key


def name_key(name: str | None) -> str:
    """Return the folded words of a name in their order, without titles and punctuation."""
    return _words_key(_AND.sub(" and ", name) if name else name, _TITLES)


def person_name(name: str | None, *values: str | None) -> str:
    """Return a contact's name; '' if it is only a number or its e-mail address, which replaces a missing name."""
    if name is None or name in values:
        return ""
    return name if name[:1].isalpha() or any(map(str.isalpha, split_extension(name)[0])) else ""


def company_key(company: str | None) -> str:
    """Return the folded words of a company's name, without its legal form."""
    return _words_key(company, _LEGAL_FORMS)


def is_legal_form(word: str) -> bool:
    """Whether a folded word is a company's legal form, such as `as`, which `company_key` leaves out."""
    return word in _LEGAL_FORMS


def is_same_name(one: str | None, other: str | None) -> bool:
    """Whether two names have the same words in any order; case, titles and punctuation make no difference.

    A name in ASCII is that of its accented spelling, `Bjorn` of `Bjørn`; two different accents are two names.
    """
    if not one or not other or sorted(_words(one, _TITLES)) != sorted(_words(other, _TITLES)):
        return False
    return one.isascii() or other.isascii() or _accented_words(one) == _accented_words(other)


def is_same_value(field: str, one: str, other: str, region: str | None = None) -> bool:
    """Whether two values of a contact's field say the same: a number in two notations, a name in two orders of words.

    `region` (ISO 3166 code) is the country of numbers without a country code.
    """
    if one.casefold() == other.casefold():
        return True
    if field == "phone_number":
        return phone_key(one, region) == phone_key(other, region) != ""
    return field == "name" and _accented_words(one) == _accented_words(other) != []


def _accented_words(name: str) -> list[str]:
    words = _ANY_WORD.findall(unicodedata.normalize("NFC", name).casefold().translate(_APOSTROPHES))
    return sorted(word for word in words if word not in _TITLES)


def _words_key(text: str | None, ignored: frozenset[str]) -> str:
    """Bounded, since names are compared word by word with many others."""
    words = _words(text, ignored) if text else []
    return " ".join(word[:_MAX_WORD_LENGTH] for word in words[:_MAX_WORDS])


def _words(text: str, ignored: frozenset[str]) -> list[str]:
    words = _WORD.findall(fold(text).translate(_APOSTROPHES))
    return [word for word in words if word not in ignored] or words


def name_similarity(one: str | None, other: str | None) -> float:
    """Return how similar two names are, from 0 (nothing in common, or a name is missing) to 1 (the same).

    Order, case, accents and titles make no difference; initials, short forms, typos and missing words a small one.
    """
    return name_key_similarity(name_key(one), name_key(other))


def name_key_similarity(one: str, other: str) -> float:
    """Return the similarity of two `name_key`s."""
    if one == other:
        return 1.0 if one else 0.0
    if not one or not other:
        return 0.0
    fewer, more = sorted((one.split(), other.split()), key=len)
    similarity = _best_pairing(fewer, more)
    if len(fewer) == len(more):
        return similarity
    if len(fewer) == 1:
        similarity *= _ONE_WORD_FACTOR
    else:
        similarity -= min(_MISSING_WORD_PENALTY * (len(more) - len(fewer)), _MAX_MISSING_WORD_PENALTY)
    # `Anne Marie Berg` and `Annemarie Berg`
    joined = _edit_similarity(one.replace(" ", ""), other.replace(" ", ""), _MIN_JOINED_SIMILARITY)
    return max(similarity, joined * _JOINED_WORDS_FACTOR)


def _best_pairing(fewer: list[str], more: list[str]) -> float:
    """Pair each word of the shorter name with the most similar of the longer; return the mean of mean and minimum.

    The minimum counts for half: `Kari Nordmann` is not `Ola Nordmann`, though half of the words agree.
    """
    left = list(more)
    found: list[float] = []
    for word in sorted(fewer, key=lambda word: (word not in more, -len(word))):
        similarity, best = max((_word_similarity(word, candidate), candidate) for candidate in left)
        left.remove(best)
        found.append(similarity)
    return (min(found) + sum(found) / len(found)) / 2


def _word_similarity(one: str, other: str) -> float:
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if len(short) == 1:
        return _INITIAL_SIMILARITY if long[0] == short else 0.0
    similarity = _edit_similarity(one, other, _MIN_WORD_SIMILARITY)
    if len(short) >= _MIN_SHORT_FORM_LENGTH and long.startswith(short):
        return max(similarity, _SHORT_FORM_SIMILARITY)
    return similarity


def are_compatible(one: str, other: str) -> bool:
    """Whether two `name_key`s may be names of one person. A missing name is compatible with every other."""
    if not one or not other:
        return True
    return name_key_similarity(one, other) >= MIN_COMPATIBLE_NAME and not have_other_given_names(one, other)


def have_other_given_names(one: str, other: str) -> bool:
    """Whether two `name_key`s differ by given names, such as Anne and Arne, which look like typos of each other.

    The name of a couple, `Kari og Ola Hansen`, differs from that of each.
    """
    words, others = set(one.split()), set(other.split())
    if ("and" in words) != ("and" in others):
        return True
    left, right = (words - others) & _given_names(), (others - words) & _given_names()
    return bool(left and right) and not any(_is_one_name(name, each) for name in left for each in right)


def _is_one_name(one: str, other: str) -> bool:
    """Whether two given names are spellings of one, or one is short for the other."""
    return _spelling(one) == _spelling(other) or _is_short_form(one, other) or _is_short_form(other, one)


def _is_short_form(short: str, long: str) -> bool:
    """Whether a name is short for another: Alex for Alexander, Tom for Tommy; but not Emil for Emilie."""
    ending = long.removeprefix(short)
    if ending == long:
        return False
    return (len(ending) >= _MIN_LONG_FORM_ENDING and ending not in _FEMININE_ENDINGS) or ending == f"{short[-1]}y"


def _spelling(name: str) -> str:
    """Fold spellings of one given name: Kristian and Christian, Sofie and Sophie, Thomas and Tomas."""
    for written, sound in _SAME_SOUNDS:
        name = name.replace(written, sound)
    return _DOUBLED.sub(r"\1", name)


@cache
def _given_names() -> frozenset[str]:
    return frozenset((Path(__file__).parent / "given_names.txt").read_text(encoding="ascii").split())


def compare(one: KeyedContact, other: KeyedContact) -> Link | None:
    """Return the link between two contacts, or None. An equal name is not enough for a link."""
    shared = [SAME_PHONE] if is_same_number(one.phone, other.phone) else []
    shared += [SAME_EMAIL] if one.email and one.email == other.email else []
    is_near = SAME_PHONE not in shared and is_similar_phone(one.phone, other.phone)
    if is_near and _are_consecutive(one.phone, other.phone):
        is_near = name_key_similarity(one.name, other.name) == 1  # other names are colleagues, or rows of a list
    company = _company_similarity(one.company, other.company)
    in_small_company = company >= _MIN_SAME_COMPANY and not (one.has_large_company or other.has_large_company)
    if not shared and not is_near and not in_small_company:
        return None
    name = name_key_similarity(one.name, other.name)
    if name >= MIN_COMPATIBLE_NAME and have_other_given_names(one.name, other.name):
        name = _OTHER_GIVEN_NAME_SIMILARITY
    if name < MIN_COMPATIBLE_NAME and not shared:
        return None
    if shared:
        confidence = _confidence_by_key(one, other, name, company, both=len(shared) > 1)
    elif is_near:
        confidence = _confidence_by_similar_phone(name, company)
    else:
        confidence = _confidence_by_company(one, other, name)
    if confidence is None:
        return None
    return Link(confidence, name, (*shared, *([SIMILAR_PHONE] if is_near else []), *_other_evidence(name, company)))


def _confidence_by_key(
    one: KeyedContact, other: KeyedContact, name: float, company: float, *, both: bool
) -> Confidence | None:
    """Judge a shared number or e-mail address: with different names, it may be a family's or a switchboard's."""
    if name >= _MIN_CERTAIN_NAME or (name >= MIN_SAME_NAME and (both or company >= _MIN_SAME_COMPANY)):
        return Confidence.CERTAIN
    have_names = bool(one.name and other.name)
    if name >= MIN_COMPATIBLE_NAME or (both and not have_names):
        return Confidence.LIKELY
    if one.has_common_key or other.has_common_key:
        return None
    return Confidence.POSSIBLE if both or not have_names or name >= _MIN_COMMON_WORD else None


def _confidence_by_similar_phone(name: float, company: float) -> Confidence | None:
    """Judge a similar number: it may be a typo, but colleagues have consecutive numbers, so the name has to match."""
    if company >= _MIN_SAME_COMPANY:
        return Confidence.LIKELY if name >= MIN_SAME_NAME else Confidence.POSSIBLE
    return Confidence.POSSIBLE if name >= MIN_SAME_NAME else None


def _confidence_by_company(one: KeyedContact, other: KeyedContact, name: float) -> Confidence | None:
    """Judge equal names in one small company, where namesakes are rare; a different key speaks against the link."""
    if name < MIN_SAME_NAME:
        return None
    differ = (one.phone and other.phone) or (one.email and other.email)
    return Confidence.POSSIBLE if differ or name < _MIN_CERTAIN_NAME else Confidence.LIKELY


def _other_evidence(name: float, company: float) -> list[str]:
    evidence: list[str] = []
    if name >= MIN_COMPATIBLE_NAME:
        evidence.append(SAME_NAME if name == 1 else SIMILAR_NAME if name >= MIN_SAME_NAME else PART_OF_NAME)
    if company >= _MIN_SAME_COMPANY:
        evidence.append(SAME_COMPANY if company == 1 else SIMILAR_COMPANY)
    return evidence


def is_similar_phone(one: str, other: str) -> bool:
    """Whether two numbers differ by one typo (a digit wrong, missing, added, or two swapped) or by a country code."""
    excess = len(one) - len(other)
    if min(len(one), len(other)) < _MIN_COMPARED_DIGITS or abs(excess) > _MAX_COUNTRY_CODE_LENGTH:
        return False
    if abs(excess) > 1:
        return one.endswith(other) or other.endswith(one)
    return bool(_distance().OSA.distance(one, other, score_cutoff=1) <= 1)


def _are_consecutive(one: str, other: str) -> bool:
    """Whether two numbers are of one series, such as those that a company or a family gets together."""
    difference = abs(int(digits(main_number(one))) - int(digits(main_number(other))))
    return len(one) == len(other) and difference <= _MAX_CONSECUTIVE_DIFFERENCE


def _company_similarity(one: str, other: str) -> float:
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    return float(_distance().Indel.normalized_similarity(one, other, score_cutoff=_MIN_SAME_COMPANY))


def _edit_similarity(one: str, other: str, cutoff: float) -> float:
    return float(_distance().OSA.normalized_similarity(one, other, score_cutoff=cutoff))


@cache
def _distance() -> Any:
    from rapidfuzz import distance  # cached: a search calls this a million times

    return distance
