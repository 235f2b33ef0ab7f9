"""How well contacts fit a few words about somebody, and whether it is clear who is meant."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contacts_mcp.contract import Contact
from contacts_mcp.matching._keys import email_key, phone_key
from contacts_mcp.matching._names import name_tokens, word_alike
from contacts_mcp.text import digits, fold

_SAME_KEY, _ENDS_SO, _HOLDS = 100, 90, 80
_FEWEST_DIGITS = 3
_TAIL = 6
"""Digits at the end of a number that tell it from most others."""
_THRESHOLD = 60
"""A score below which nobody is shown."""
_GOOD = 80
_AHEAD = 8
"""By how much the best has to be ahead of the second to be the one."""
_TYPO = 0.8
_WEIGHTS = {"name": 1.0, "company": 0.85, "e-mail": 0.85}
"""What a word counts that stands there, of what it would count in the name."""


class Ranked(NamedTuple):
    """A contact, how well it fits (0 to 100), and by what."""

    contact: Contact
    score: int
    reason: str


def rank(query: str, contacts: Iterable[Contact], region: str | None = None) -> list[Ranked]:
    """Those that fit, best first; who fits too badly is left out."""
    asked = _Asked(query, region)
    found = [Ranked(contact, *asked.score(contact)) for contact in contacts]
    return sorted((each for each in found if each.score >= _THRESHOLD), key=lambda each: (-each.score, each.contact.id))


def is_clear(ranked: Sequence[Ranked]) -> bool:
    """Whether the best is the one that is meant: good in itself, and well ahead of all others."""
    if not ranked or ranked[0].score < _GOOD:
        return False
    return len(ranked) == 1 or ranked[0].score - ranked[1].score >= _AHEAD


class _Asked:
    """The query, taken apart once."""

    def __init__(self, query: str, region: str | None) -> None:
        self._region = region
        self._email = email_key(query)
        self._words = name_tokens(query)
        plain = digits(fold(query))
        is_number = len(plain) >= _FEWEST_DIGITS and not any(character.isalpha() for character in query)
        self._phone = phone_key(query, region) if is_number else ""
        self._digits = plain.lstrip("0") if is_number else ""

    def score(self, contact: Contact) -> tuple[int, str]:
        """How well a contact fits, and by what."""
        by_number = self._by_number(contact) if self._digits else (0, "")
        if "@" in self._email and email_key(contact.email) == self._email:
            return _SAME_KEY, "same e-mail"
        return max(by_number, self._by_words(contact))

    def _by_number(self, contact: Contact) -> tuple[int, str]:
        theirs = phone_key(contact.phone_number, self._region)
        plain = digits(theirs)
        if theirs and theirs == self._phone:
            return _SAME_KEY, "same phone"
        if len(self._digits) >= _TAIL and plain.endswith(self._digits):
            return _ENDS_SO, "phone ends so"
        return (_HOLDS, "phone holds these digits") if self._digits in plain else (0, "")

    def _by_words(self, contact: Contact) -> tuple[int, str]:
        """Each word by the best that it is like, in name, company or address; the average, and what it was mostly."""
        if not self._words:
            return 0, ""
        fields = {
            "name": name_tokens(contact.name or ""),
            "company": name_tokens(contact.company_name or ""),
            "e-mail": name_tokens(contact.email or ""),
        }
        found = [_best(word, fields) for word in self._words]
        total = sum(score for score, _, _ in found) / len(found)
        fields_hit = {field for score, field, _ in found if score}
        exact = all(like == 1 for _, _, like in found)
        spare = abs(len(fields["name"]) - len(self._words)) if fields_hit == {"name"} else 0
        return round(100 * total) - min(4 * spare, 12), _reason(fields_hit, exact=exact, spare=spare)


def _best(word: str, fields: dict[str, list[str]]) -> tuple[float, str, float]:
    """The best score of a word, where, and how much it is like what stands there."""
    return max(
        ((_WEIGHTS[name] * like, name, like) for name, words in fields.items() if (like := _most_alike(word, words))),
        default=(0.0, "", 0.0),
    )


def _most_alike(word: str, words: Sequence[str]) -> float:
    """From 0 to 1; the beginning of a word counts nearly as much as the word, what is no slip of it counts nothing."""
    best = 0.0
    for other in words:
        if other == word:
            return 1.0
        if len(word) > 1 and other.startswith(word):
            best = max(best, 0.95)
        elif (like := word_alike(word, other)) >= _TYPO:
            best = max(best, 0.9 * like)
    return best


def _reason(fields: set[str], *, exact: bool, spare: int) -> str:
    if fields == {"name"}:
        return "similar name" if not exact else "name" if not spare else "part of the name"
    return " and ".join(sorted(fields, key=["name", "company", "e-mail"].index))
