"""Who is meant: contacts in the order in which they fit what somebody typed."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contacts_mcp.contract import Contact
from contacts_mcp.matching._keys import email_key, phone_key
from contacts_mcp.matching._likeness import is_near
from contacts_mcp.matching._query import Query, read
from contacts_mcp.matching._words import Fit, fit_words
from contacts_mcp.text import digits

_LEAST, _GOOD, _AHEAD = 45, 70, 10
_SUBSCRIBER_DIGITS = 7
_FEWEST_END_DIGITS = 4


class RankedContact(NamedTuple):
    """A contact, how well it fits (0 to 100) and why, in few words."""

    contact: Contact
    score: int
    reason: str


def rank_contacts(query: str, contacts: Iterable[Contact], region: str | None = None) -> list[RankedContact]:
    """The contacts that fit, best first; those that do not are left out, so that the answer may be nobody."""
    asked = read(query, region)
    ranked: list[RankedContact] = []
    for contact in contacts:
        fit = _fit(asked, contact, region)
        score = round(100 * fit.value)
        if score >= _LEAST:
            ranked.append(RankedContact(contact, score, fit.reason))
    return sorted(ranked, key=lambda found: (-found.score, found.contact.name or "", found.contact.id))


def is_unambiguous(ranked: Sequence[RankedContact]) -> bool:
    """Whether the first fits well and clearly better than the second; else the person has to choose."""
    if not ranked or ranked[0].score < _GOOD:
        return False
    return len(ranked) == 1 or ranked[0].score - ranked[1].score >= _AHEAD


def _fit(asked: Query, contact: Contact, region: str | None) -> Fit:
    """The worst part counts for half: somebody of the right name with another number is not meant."""
    fits: list[Fit] = []
    if asked.address:
        fits.append(_fit_address(asked.address, email_key(contact.email)))
    if asked.number:
        as_word = fit_words([asked.number], contact)
        fits.append(max(_fit_number(asked, phone_key(contact.phone_number, region)), as_word))
    if asked.words:
        fits.append(fit_words(asked.words, contact))
    if not fits:
        return Fit(0.0, "")
    values = [fit.value for fit in fits]
    reasons = dict.fromkeys(fit.reason for fit in fits if fit.reason)
    return Fit((min(values) + sum(values) / len(values)) / 2, ", ".join(reasons))


def _fit_number(asked: Query, key: str) -> Fit:
    if key and key == asked.number_key:
        return Fit(1.0, "same phone")
    number, own = asked.number, digits(key)
    if len(number) >= _FEWEST_END_DIGITS and own.endswith(number):
        return Fit(0.9 if len(number) >= _SUBSCRIBER_DIGITS else 0.8, "phone ends in these digits")
    if number and number in own:
        return Fit(0.7, "phone contains these digits")
    return Fit(0.65, "nearly the same phone") if key and is_near(asked.number_key, key) else Fit(0.0, "")


def _fit_address(asked: str, own: str) -> Fit:
    if not own:
        return Fit(0.0, "")
    if asked == own:
        return Fit(1.0, "same e-mail")
    (local, _, domain), (own_local, _, own_domain) = asked.partition("@"), own.partition("@")
    if local and local == own_local:
        return Fit(0.8, "e-mail")
    if local and own.startswith(asked):
        return Fit(0.75, "e-mail")
    if domain and domain == own_domain:
        return Fit(0.6 if not local else 0.3, "e-mail")
    return Fit(0.0, "")
