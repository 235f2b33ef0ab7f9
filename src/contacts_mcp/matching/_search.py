"""Ranks contacts by how well they match what a user typed: words, a number, an e-mail address."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from contacts_mcp.contract import Contact
from contacts_mcp.matching._similarity import (
    company_key,
    email_key,
    is_legal_form,
    is_same_name,
    is_same_number,
    is_similar_phone,
    main_number,
    name_key,
    name_key_similarity,
    phone_key,
)
from contacts_mcp.phones import national_number
from contacts_mcp.text import digits, fold

_MIN_SCORE, _GOOD_SCORE, _MIN_LEAD = 45, 70, 10

_NUMBER = re.compile(r"[+\d().\-/]*\d[+\d().\-/]*")
_MIN_NUMBER_DIGITS = 3
_MIN_PHONE_END_DIGITS = 4
_SUBSCRIBER_DIGITS = 7

_MAX_VARIANTS = 8
_LOCAL_NUMBER_DIGITS = 8
_MIN_VARIANT_LENGTH = 3
_PREFIX_LENGTHS = (4, 3)

_NAME, _NAME_PREFIX, _SIMILAR_NAME, _COMPANY, _EMAIL = (
    "name", "beginning of the name", "similar name", "company", "e-mail",
)  # fmt: skip
_MIN_EDIT_SIMILARITY, _MIN_LETTER_SIMILARITY = 0.6, 0.75
_PREFIX_SCORE, _TYPO_FACTOR = 0.85, 0.9
_COMPANY_FACTOR, _EMAIL_FACTOR = 0.8, 0.75
_WHOLE_NAME_FACTOR, _SOME_WORDS_FACTOR, _ONE_WORD_FACTOR, _EXTRA_WORD_FACTOR = 0.98, 0.93, 0.85, 0.74


class RankedContact(NamedTuple):
    """A contact, its score (0 to 100) and the reason in a few words."""

    contact: Contact
    score: int
    reason: str


class _Query(NamedTuple):
    """A parsed query: a name and its folded words, a number's digits and match key, an e-mail address; or empty."""

    name: str
    words: tuple[str, ...]
    number: str
    number_key: str
    address: str


class _Score(NamedTuple):
    """How well a contact matches a part of a query, from 0 to 1, and why."""

    value: float
    reason: str


_NO_MATCH = _Score(0.0, "")


def rank_contacts(query: str, contacts: Iterable[Contact], region: str | None = None) -> list[RankedContact]:
    """Return the matching contacts, best first; contacts that do not match are left out."""
    return sort_ranked(filter(None, iter_ranked(query, contacts, region)))


def iter_ranked(query: str, contacts: Iterable[Contact], region: str | None = None) -> Iterator[RankedContact | None]:
    """Yield each contact with its score, or None if it does not match. Scoring one may take a millisecond."""
    parsed = _parse_query(query, region)
    for contact in contacts:
        match = _score(parsed, contact, region)
        score = round(100 * match.value)
        yield RankedContact(contact, score, match.reason) if score >= _MIN_SCORE else None


def sort_ranked(ranked: Iterable[RankedContact]) -> list[RankedContact]:
    """Return these contacts, best first."""
    return sorted(ranked, key=lambda found: (-found.score, found.contact.name or "", found.contact.id))


def is_unambiguous(ranked: Sequence[RankedContact]) -> bool:
    """Whether the first contact matches well and clearly better than the second; otherwise the user has to choose."""
    if not ranked or ranked[0].score < _GOOD_SCORE:
        return False
    return len(ranked) == 1 or ranked[0].score - ranked[1].score >= _MIN_LEAD


def query_variants(query: str, region: str | None = None) -> list[str]:
    """Return at most 8 search texts for a service whose search is unknown: the query itself, then the most likely."""
    found: dict[str, str] = {}
    for variant in _variants(query, region):
        if variant:
            found.setdefault(fold(variant), variant)
    return list(found.values())[:_MAX_VARIANTS]


def exact_search_texts(query: str, region: str | None = None) -> list[str]:
    """Return the search texts that find every contact of `is_exact_match`, the most likely first; at most two."""
    parsed = _parse_query(query, region)
    before, _, after = query.partition(",")
    written = " ".join(f"{after} {before}".replace(",", " ").split())
    if parsed.address:
        found = [parsed.address]
    elif parsed.number_key:
        found = [digits(main_number(parsed.number_key))[-_LOCAL_NUMBER_DIGITS:], " ".join(query.split())]
    else:  # a service whose search does not know the words of a name in another order finds them by the longest
        found = [written, max(written.split(), key=len, default="")]
    return list({fold(text): text for text in found if text}.values())


def is_exact_match(query: str, contact: Contact, region: str | None = None) -> bool:
    """Whether a contact is what a query says: its number in any notation, its e-mail address, its name in any order.

    All parts of a query must match: `Ola Nordmann 99999999` is the contact with this name and this number. A similar
    spelling is no match, nor is a part of a name; `is_same_name` says which differences do not count.
    """
    parsed = _parse_query(query, region)
    if is_same_name(query, contact.name):
        return True  # also a name with a number in it
    parts = [parsed.address == email_key(contact.email)] if parsed.address else []
    parts += [_is_number_of(parsed.number_key, phone_key(contact.phone_number, region))] if parsed.number else []
    parts += [is_same_name(parsed.name, contact.name)] if parsed.words else []
    return bool(parts) and all(parts)


def _is_number_of(written: str, own: str) -> bool:
    """Whether a number as it was said is a stored one; without a known region, by its digits within its country."""
    if not written or not own:
        return False
    if is_same_number(written, own):
        return True
    is_national = not written.startswith("+") and own.startswith("+")
    return is_national and national_number(main_number(own)) == main_number(written).lstrip("0")


def _variants(query: str, region: str | None) -> Iterator[str]:
    yield " ".join(query.split())
    before, comma, after = query.partition(",")
    if comma:
        yield " ".join(f"{after} {before}".replace(",", " ").split())
        yield " ".join(query.replace(",", " ").split())
    parsed = _parse_query(query, region)
    if parsed.address:
        yield parsed.address
        yield parsed.address.partition("@")[0]
    if parsed.number:
        yield parsed.number_key
        yield parsed.number[-_LOCAL_NUMBER_DIGITS:]
    words = [word for word in query.replace(",", " ").split() if "@" not in word and not _NUMBER.fullmatch(word)]
    words = sorted((word for word in words if len(word) >= _MIN_VARIANT_LENGTH), key=len, reverse=True)
    yield from words
    for length in _PREFIX_LENGTHS:  # a typo is rarely in the first letters
        yield from (word[:length] for word in words)


def _parse_query(query: str, region: str | None) -> _Query:
    """Fewer than three digits count as a word, such as part of a company's name."""
    pieces = query.replace(",", " ").split()
    address = next((piece.strip("<>;").casefold() for piece in pieces if "@" in piece), "")
    rest = [piece for piece in pieces if "@" not in piece]
    numeric = [piece for piece in rest if _NUMBER.fullmatch(fold(piece))]
    written = "".join(numeric)
    bare = digits(fold(written))
    if len(bare) < _MIN_NUMBER_DIGITS:
        numeric, written, bare = [], "", ""
    name = " ".join(piece for piece in rest if piece not in numeric)
    return _Query(name, tuple(name_key(name).split()), bare.lstrip("0"), phone_key(written, region), address)


def _score(query: _Query, contact: Contact, region: str | None) -> _Score:
    """The worst part counts for half: a contact with the right name and another number does not match."""
    scores: list[_Score] = []
    if query.address:
        scores.append(_score_address(query.address, email_key(contact.email)))
    if query.number:
        as_word = _score_words([query.number], contact)
        scores.append(max(_score_number(query, main_number(phone_key(contact.phone_number, region))), as_word))
    if query.words:
        scores.append(_score_words(query.words, contact))
    if not scores:
        return _NO_MATCH
    reasons = dict.fromkeys(score.reason for score in scores if score.reason)
    return _Score(_combine([score.value for score in scores]), ", ".join(reasons))


def _combine(values: list[float]) -> float:
    return (min(values) + sum(values) / len(values)) / 2


def _score_number(query: _Query, key: str) -> _Score:
    if key and key == query.number_key:
        return _Score(1.0, "same phone")
    number, own = query.number, digits(key)
    if len(number) >= _MIN_PHONE_END_DIGITS and own.endswith(number):
        return _Score(0.9 if len(number) >= _SUBSCRIBER_DIGITS else 0.8, "phone ends in these digits")
    if number and number in own:
        return _Score(0.7, "phone contains these digits")
    return _Score(0.65, "nearly the same phone") if key and is_similar_phone(query.number_key, key) else _NO_MATCH


def _score_address(address: str, own: str) -> _Score:
    if not own:
        return _NO_MATCH
    if address == own:
        return _Score(1.0, "same e-mail")
    (local, _, domain), (own_local, _, own_domain) = address.partition("@"), own.partition("@")
    if local and local == own_local:
        return _Score(0.8, _EMAIL)
    if local and own.startswith(address):
        return _Score(0.75, _EMAIL)
    if domain and domain == own_domain:
        return _Score(0.6 if not local else 0.3, _EMAIL)
    return _NO_MATCH


def _score_words(words: Sequence[str], contact: Contact) -> _Score:
    """Score folded words in any order against name, company and address; a word found in none costs much."""
    name = name_key(contact.name)
    scores = [
        max(_word_scores(word, name.split(), contact), key=lambda score: score.value, default=_NO_MATCH)
        for word in words
    ]
    if any(score.reason == _COMPANY for score in scores):  # compared without its legal form, `AS` of `Fjord AS`
        scores = [score for word, score in zip(words, scores, strict=True) if score.value or not is_legal_form(word)]
    if not all(score.value for score in scores):
        # A middle name that is not stored, or `Annemarie` for `Anne Marie`
        return _Score(name_key_similarity(" ".join(words), name) * _EXTRA_WORD_FACTOR, _SIMILAR_NAME)
    if len(words) == len(name.split()) and all(
        score.reason in {_NAME, _NAME_PREFIX, _SIMILAR_NAME} for score in scores
    ):
        factor = _WHOLE_NAME_FACTOR
    else:
        factor = _ONE_WORD_FACTOR if len(words) == 1 else _SOME_WORDS_FACTOR
    return _Score(_combine([score.value for score in scores]) * factor, _join_reasons(scores))


def _word_scores(word: str, name: list[str], contact: Contact) -> Iterator[_Score]:
    for own in name:
        value = _score_word(word, own)
        reason = _NAME if word == own else _NAME_PREFIX if own.startswith(word) else _SIMILAR_NAME
        yield _Score(value, reason if value else "")
    for own in company_key(contact.company_name).split():
        yield _Score(_score_word(word, own) * _COMPANY_FACTOR, _COMPANY)
    for own in name_key((contact.email or "").replace("@", " ")).split():
        if own.startswith(word):
            yield _Score(_score_word(word, own) * _EMAIL_FACTOR, _EMAIL)


def _score_word(word: str, own: str) -> float:
    """Return 1 for the same word, less for its prefix, less still for a typo, 0 for another word."""
    if word == own:
        return 1.0
    if own.startswith(word):
        return _PREFIX_SCORE
    from rapidfuzz.distance import OSA, Indel

    edits = OSA.normalized_similarity(word, own, score_cutoff=_MIN_EDIT_SIMILARITY)
    letters = Indel.normalized_similarity(word, own, score_cutoff=_MIN_LETTER_SIMILARITY)
    return max(edits, letters) * _TYPO_FACTOR


def _join_reasons(scores: Sequence[_Score]) -> str:
    """Name what was found; of several reasons about the name, only the weakest."""
    reasons = {score.reason for score in scores}
    by_name = [reason for reason in (_SIMILAR_NAME, _NAME_PREFIX, _NAME) if reason in reasons][:1]
    return ", ".join([*by_name, *(reason for reason in (_COMPANY, _EMAIL) if reason in reasons)])
