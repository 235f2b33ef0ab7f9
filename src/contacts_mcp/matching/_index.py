"""An index of contacts by phone and e-mail, with which an import finds the contact of a row."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contacts_mcp.matching._similarity import (
    MIN_COMPATIBLE_NAME,
    MIN_SAME_NAME,
    SAME_EMAIL,
    SAME_PHONE,
    are_compatible,
    is_same_number,
    main_number,
    name_key,
    name_key_similarity,
)

_MAX_POSTINGS = 50
"""A key with more contacts, such as a switchboard's number, is also indexed together with their names."""


class Match(NamedTuple):
    """The result of a lookup: no contact, one, or several that match equally well.

    Attributes:
        ids: The contacts' ids.
        matching_keys: Which keys match (`same phone`, `same e-mail`).
        name_similarity: How similar the names are (0 to 1).
        sharing: Ids of contacts with an equal key, but the name of another person.
    """

    ids: tuple[str, ...] = ()
    matching_keys: tuple[str, ...] = ()
    name_similarity: float = 0.0
    sharing: tuple[str, ...] = ()

    @property
    def id(self) -> str | None:
        """The contact's id, if there is exactly one."""
        return self.ids[0] if len(self.ids) == 1 else None


_NO_MATCH = Match()


class ContactIndex:
    """Contacts by `phone_key` and `email_key`; 100,000 contacts take about 30 MB.

    If a contact is added again with other keys or names, both the old and the new ones find it; but a person whose name
    is not compatible with all of them is another one: `K. Berg` may be Kari or Kjell, not both.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._names: list[str] = []
        self._phones: list[str] = []
        self._emails: list[str] = []
        self._by_key: dict[str, int | list[int]] = {}  # positions; most keys have one
        self._by_key_and_name: dict[tuple[str, str], list[int]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, contact_id: str, name: str | None, phone_key: str, email_key: str) -> None:
        """Add a contact; a missing key is ''."""
        position = len(self._ids)
        self._ids.append(contact_id)
        self._names.append(name or "")
        self._phones.append(phone_key)
        self._emails.append(email_key)
        if phone_key:
            self._add_posting(main_number(phone_key), position)
        if email_key:
            self._add_posting(email_key, position)

    def find(self, name: str | None, phones: Sequence[str], emails: Sequence[str]) -> Match:
        """Find the contact with an equal key and a compatible name.

        A contact with an equal key and another name, or with another extension of the number, is another person, who
        shares the number or e-mail address. Of several matches, two equal keys win over one, then the more similar
        name, in three steps.
        """
        keys = (*map(main_number, phones), *emails)
        if self._by_key.keys().isdisjoint(keys):
            return _NO_MATCH
        folded, best, best_rank = name_key(name), dict[str, Match](), (0, 0)
        candidates = [
            (self._ids[position], self._matching_keys(position, phones, emails), name_key(self._names[position]))
            for position in self._candidates(folded, keys)
        ]
        sharing = dict.fromkeys(
            contact_id for contact_id, keys, other in candidates if not keys or not are_compatible(folded, other)
        )
        for contact_id, keys, other in candidates:
            if contact_id in sharing:
                continue
            similarity = name_key_similarity(folded, other)
            name_rank = (similarity >= MIN_COMPATIBLE_NAME) + (similarity >= MIN_SAME_NAME) + (similarity == 1)
            rank = (len(keys), name_rank)
            if rank > best_rank:
                best, best_rank = {}, rank
            if rank == best_rank:
                best.setdefault(contact_id, Match((contact_id,), keys, similarity))
        match = next(iter(best.values()), Match())
        return match._replace(ids=tuple(best), sharing=tuple(sharing))

    def _add_posting(self, key: str, position: int) -> None:
        postings = self._by_key.setdefault(key, position)
        if postings is position:
            return
        if isinstance(postings, int):
            postings = self._by_key[key] = [postings]
        postings.append(position)
        if len(postings) > _MAX_POSTINGS:
            for member in postings if len(postings) == _MAX_POSTINGS + 1 else (position,):
                by_name = (key, _sort_words(name_key(self._names[member])))
                self._by_key_and_name.setdefault(by_name, []).append(member)

    def _candidates(self, name: str, keys: Sequence[str]) -> Iterator[int]:
        seen: set[int] = set()
        for key in filter(None, keys):
            postings = self._by_key.get(key, [])
            if isinstance(postings, int):
                postings = [postings]
            elif len(postings) > _MAX_POSTINGS:
                postings = self._by_key_and_name.get((key, _sort_words(name))) or postings[:_MAX_POSTINGS]
            yield from (position for position in postings[:_MAX_POSTINGS] if position not in seen)
            seen.update(postings[:_MAX_POSTINGS])

    def _matching_keys(self, position: int, phones: Sequence[str], emails: Sequence[str]) -> tuple[str, ...]:
        phone = (SAME_PHONE,) if any(is_same_number(self._phones[position], each) for each in phones) else ()
        email = (SAME_EMAIL,) if self._emails[position] and self._emails[position] in emails else ()
        return phone + email


def _sort_words(name: str) -> str:
    return " ".join(sorted(name.split()))
