"""How well the words of a query fit a contact's name, company and e-mail address."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contacts_mcp.contract import Contact
from contacts_mcp.matching._keys import company_key, name_key
from contacts_mcp.matching._names import name_key_similarity

_NAME, _BEGINNING, _SIMILAR, _COMPANY, _EMAIL = "name", "beginning of the name", "similar name", "company", "e-mail"

_FEWEST_SLIPS, _FEWEST_LETTERS = 0.6, 0.75
_SLIP = 0.9
_BEGINS = 0.85
_IN_COMPANY, _IN_EMAIL = 0.8, 0.75
_WHOLE_NAME, _MOST_OF_NAME, _ONE_WORD = 0.98, 0.93, 0.85
_A_WORD_TOO_MANY = 0.74


class Fit(NamedTuple):
    """How well something fits, from 0 to 1, and why."""

    value: float
    reason: str


def fit_words(words: Sequence[str], contact: Contact) -> Fit:
    """The folded words in any order; each may be of the name, the company or the address.

    A word that is nowhere costs much.
    """
    name = name_key(contact.name)
    fits = [_fit_word(word, name.split(), contact) for word in words]
    values = [fit.value for fit in fits]
    in_name = all(fit.reason in {_NAME, _BEGINNING, _SIMILAR} for fit in fits)
    if in_name and len(words) == len(name.split()):
        covered = _WHOLE_NAME
    else:
        covered = _ONE_WORD if len(words) == 1 else _MOST_OF_NAME
    if all(values):
        return Fit((min(values) + sum(values) / len(values)) / 2 * covered, _reason(fits))
    # A middle name that is not stored, or `Annemarie` for `Anne Marie`
    likeness = name_key_similarity(" ".join(words), name)
    return Fit(likeness * _A_WORD_TOO_MANY, _SIMILAR)


def _fit_word(word: str, name: list[str], contact: Contact) -> Fit:
    return max(_fits(word, name, contact), key=lambda fit: fit.value, default=Fit(0.0, ""))


def _fits(word: str, name: list[str], contact: Contact) -> Iterator[Fit]:
    for own in name:
        alike = _alike(word, own)
        reason = _NAME if word == own else _BEGINNING if own.startswith(word) else _SIMILAR
        yield Fit(alike, reason if alike else "")
    for own in company_key(contact.company_name).split():
        yield Fit(_alike(word, own) * _IN_COMPANY, _COMPANY)
    for own in name_key((contact.email or "").replace("@", " ")).split():
        if own.startswith(word):
            yield Fit(_alike(word, own) * _IN_EMAIL, _EMAIL)


def _alike(word: str, own: str) -> float:
    """1 for the same word, less for its beginning, less still for a slip, 0 for another word."""
    if word == own:
        return 1.0
    if own.startswith(word):
        return _BEGINS
    from rapidfuzz.distance import OSA, Indel

    slips = OSA.normalized_similarity(word, own, score_cutoff=_FEWEST_SLIPS)
    letters = Indel.normalized_similarity(word, own, score_cutoff=_FEWEST_LETTERS)
    return max(slips, letters) * _SLIP


def _reason(fits: Sequence[Fit]) -> str:
    """What was found where; of several ways in which the name fits, the weakest."""
    reasons = {fit.reason for fit in fits}
    by_name = [reason for reason in (_SIMILAR, _BEGINNING, _NAME) if reason in reasons][:1]
    return ", ".join([*by_name, *(reason for reason in (_COMPANY, _EMAIL) if reason in reasons)])
