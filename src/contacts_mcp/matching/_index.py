"""Contacts by number and address: whom a row of a file is about."""

from collections.abc import Sequence
from typing import NamedTuple

from contacts_mcp.matching._names import ALIKE, UNLIKE, names_alike


class Match(NamedTuple):
    """The contacts that fit equally well: none, the one, or several, of which nobody can tell which it is."""

    ids: tuple[str, ...] = ()


class _Entry(NamedTuple):
    id: str
    name: str
    phone: str
    email: str


class Index:
    """Contacts to be found by an equal number or address; never by a name alone."""

    def __init__(self) -> None:
        self._by_phone: dict[str, list[_Entry]] = {}
        self._by_email: dict[str, list[_Entry]] = {}

    def add(self, contact_id: str, name: str, phone: str, email: str) -> None:
        """Take up a contact with its keys, of which either may be empty."""
        entry = _Entry(contact_id, name, phone, email)
        if phone:
            self._by_phone.setdefault(phone, []).append(entry)
        if email:
            self._by_email.setdefault(email, []).append(entry)

    def find(self, name: str, phones: Sequence[str], emails: Sequence[str]) -> Match:
        """Whom somebody with this name and these keys is; the more agrees, the better it fits.

        Where one key agrees, the other one differs and the names are unlike, it is somebody else: people share
        numbers and addresses with their family and their colleagues.
        """
        found = [entry for key in phones for entry in self._by_phone.get(key, ())]
        found += [entry for key in emails for entry in self._by_email.get(key, ())]
        fits: dict[str, tuple[int, bool]] = {}
        for entry in found:
            agreeing = (entry.phone in phones) + (entry.email in emails)
            differing = bool(entry.phone and phones) + bool(entry.email and emails) - agreeing
            alike = names_alike(entry.name, name)
            if differing and alike < UNLIKE:
                continue
            fits[entry.id] = max(fits.get(entry.id, (0, False)), (agreeing, alike >= ALIKE))
        if not fits:
            return Match()
        best = max(fits.values())
        return Match(tuple(contact_id for contact_id, fit in fits.items() if fit == best))
