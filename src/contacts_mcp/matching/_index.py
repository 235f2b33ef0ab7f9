"""The directory by phone and e-mail, to tell who a row of a file is."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contacts_mcp.matching._keys import name_key
from contacts_mcp.matching._likeness import SAME_EMAIL, SAME_PHONE
from contacts_mcp.matching._names import ALIKE, UNLIKE, name_key_similarity

_MANY = 50
"""Contacts with one number, from where they are looked up by name as well: a switchboard may have thousands."""

Places = int | list[int]


class Match(NamedTuple):
    """Whom a row means: nobody (no ids), one contact, or one of several that cannot be told apart.

    `agreed` is which keys did (`same phone`, `same e-mail`), `name` how alike the names are (0 to 1), of the best.
    """

    ids: tuple[str, ...] = ()
    agreed: tuple[str, ...] = ()
    name: float = 0.0

    @property
    def id(self) -> str | None:
        """The contact, where it is one."""
        return self.ids[0] if len(self.ids) == 1 else None

    @property
    def is_ambiguous(self) -> bool:
        """Whether several contacts fit equally well."""
        return len(self.ids) > 1


class ContactIndex:
    """Contacts by `phone_key` and `email_key`; about 30 MB for a hundred thousand.

    A contact that was added again with other keys is found by the old and the new ones.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._names: list[str] = []
        self._phones: list[str] = []
        self._emails: list[str] = []
        self._by_key: dict[str, Places] = {}
        self._by_key_and_name: dict[tuple[str, str], list[int]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, contact_id: str, name: str | None, phone_key: str, email_key: str) -> None:
        """Take a contact in; '' stands for a key that it has not."""
        place = len(self._ids)
        self._ids.append(contact_id)
        self._names.append(name or "")
        self._phones.append(phone_key)
        self._emails.append(email_key)
        if phone_key:
            self._put(phone_key, place)
        if email_key:
            self._put(email_key, place)

    def find(self, name: str | None, phones: Sequence[str], emails: Sequence[str]) -> Match:
        """Whom somebody of this name with these keys is.

        Only an equal key makes a match. Where another key differs and the names are clearly unlike, a number or an
        address is merely shared. Of several the one on which most agrees: both keys before one, then the name.
        """
        folded, best, rank = name_key(name), dict[str, Match](), (0, 0)
        for place in self._sharing(folded, (*phones, *emails)):
            agreed = self._agreed(place, phones, emails)
            other = name_key(self._names[place])
            alike = name_key_similarity(folded, other)
            if folded and other and alike < UNLIKE and self._contradicted(place, phones, emails):
                continue
            here = (len(agreed), (alike >= UNLIKE) + (alike >= ALIKE) + (alike == 1))
            if here > rank:
                best, rank = {}, here
            if here == rank:
                best.setdefault(self._ids[place], Match((self._ids[place],), agreed, alike))
        found = list(best.values())
        return found[0]._replace(ids=tuple(best)) if found else Match()

    def _put(self, key: str, place: int) -> None:
        places = self._by_key.setdefault(key, place)
        if places is place:
            return
        if isinstance(places, int):
            places = self._by_key[key] = [places]
        places.append(place)
        if len(places) > _MANY:
            for member in places if len(places) == _MANY + 1 else (place,):
                self._by_key_and_name.setdefault((key, _in_any_order(name_key(self._names[member]))), []).append(member)

    def _sharing(self, name: str, keys: Sequence[str]) -> Iterator[int]:
        seen: set[int] = set()
        for key in filter(None, keys):
            places = self._by_key.get(key, [])
            if isinstance(places, int):
                places = [places]
            elif len(places) > _MANY:
                places = self._by_key_and_name.get((key, _in_any_order(name))) or places[:_MANY]
            yield from (place for place in places[:_MANY] if place not in seen)
            seen.update(places[:_MANY])

    def _agreed(self, place: int, phones: Sequence[str], emails: Sequence[str]) -> tuple[str, ...]:
        phone = (SAME_PHONE,) if self._phones[place] and self._phones[place] in phones else ()
        email = (SAME_EMAIL,) if self._emails[place] and self._emails[place] in emails else ()
        return phone + email

    def _contradicted(self, place: int, phones: Sequence[str], emails: Sequence[str]) -> bool:
        def differs(own: str, others: Sequence[str]) -> bool:
            return bool(own and any(others)) and own not in others

        return differs(self._phones[place], phones) or differs(self._emails[place], emails)


def _in_any_order(name: str) -> str:
    return " ".join(sorted(name.split()))
