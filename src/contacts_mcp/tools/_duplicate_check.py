"""Contacts like a new one: exact duplicates, which create_contact refuses, and likely ones, which its answer shows."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import anyio
from pydantic import Field

from contacts_mcp.contract import Conflict, Contact, ContactsError, CreateContact, GetContact, ListContacts, Record
from contacts_mcp.matching import ContactIndex, email_key, is_same_number, main_number, person_name, phone_key
from contacts_mcp.text import fold, quote
from contacts_mcp.tools._answers import one_line
from contacts_mcp.tools._tool import Backend

SEARCH_SECONDS = 3.0
"""How long a creation may wait for the search for records that exist already."""
_SEARCHED_DIGITS = 8
"""The last digits of a number: stored numbers may lack the country code."""
_MAX_SEARCH_LENGTH, _MAX_NAME_LENGTH = 255, 60
_MAX_ROWS, _MAX_SHOWN = 50, 3
_KEYS = ("phone_number", "email")

NOT_CHECKED = "duplicates were not checked, because the search for them failed: look with find_contacts"
_LIKELY = "this may be the same person as one of likely_duplicates: compare, then merge_contacts"
_SHARES = "has the same number or e-mail address, but another name"


class DuplicateContact(Conflict):
    """The contact exists already. Nothing was created."""

    code = "duplicate"


class LikelyDuplicate(Record):
    """A contact that may be the same person as a new one."""

    id: str
    name: str | None = None
    same: list[str] = Field(description="The fields that agree.")

    @property
    def agreement(self) -> str:
        """What agrees, in words."""
        return f"same {' and '.join(self.same)}"


class Duplicates(NamedTuple):
    """The contacts like a new one.

    Attributes:
        exact: those that a person would call the same record.
        likely: those that may be the same person.
        sharing: the ids of those with the same number or e-mail address, but the name of another person.
        is_known: whether they were searched; a caller who may not read has nothing searched.
    """

    exact: Sequence[LikelyDuplicate] = ()
    likely: Sequence[LikelyDuplicate] = ()
    sharing: Sequence[str] = ()
    is_known: bool = True

    def shown(self) -> list[LikelyDuplicate]:
        """Return the first exact and likely duplicates."""
        return [*self.exact, *self.likely][:_MAX_SHOWN]

    def warnings(self) -> list[str]:
        """Return what the caller who created the contact should check."""
        if not self.is_known:
            return [NOT_CHECKED]
        warnings = [f"contact {contact_id} {_SHARES}" for contact_id in self.sharing[:_MAX_SHOWN]]
        return [_LIKELY, *warnings] if self.likely else warnings

    def effect(self) -> str:
        """Describe the first duplicates to a person who is asked about the creation; empty if there are none."""
        shown = [
            f"{quote(each.name or '', _MAX_NAME_LENGTH)} (id {each.id}, {each.agreement})" for each in self.shown()
        ]
        return f"It may be the same as {', '.join(shown)}." if shown else ""

    def refusal(self) -> DuplicateContact:
        """Return the error about the exact duplicates. It repeats nothing that is stored but their ids."""
        claims = [f"contact {each.id} exists already ({each.agreement})" for each in self.exact[:_MAX_SHOWN]]
        return DuplicateContact(
            ", ".join(claims),
            advice="nothing was created; change that contact with update_contact, or call again with"
            " allow_duplicate: true only if they are two different people",
        )


async def find_duplicates(backend: Backend, new: CreateContact) -> Duplicates:
    """Find the contacts like a new one, before it is created.

    The embedded directory is searched for each key. The platform is searched once, for the text that an identical
    contact has. Nothing is searched for a caller who may not read: a result would tell what is stored. Without an
    answer in SEARCH_SECONDS the duplicates are unknown, because a slow search must not prevent a creation.
    """
    if not backend.may_read:
        return Duplicates()
    with anyio.move_on_after(SEARCH_SECONDS), suppress(ContactsError):
        found = {each.id: each async for each in _search(backend, new)}
        exact = [each for each in found.values() if _is_exact(new, each, backend.default_region)]
        if new.company_name and exact and not _has_key(new):
            exact = await _in_same_company(backend, new.company_name, exact)
        return _sort(new, found, [each.id for each in exact], backend.default_region)
    return Duplicates(is_known=False)


async def _search(backend: Backend, new: CreateContact) -> AsyncIterator[Contact]:
    for query in await _queries(backend, new):
        text = query.strip()[:_MAX_SEARCH_LENGTH]
        for each in (await backend.send(ListContacts(search=text, per_page=_MAX_ROWS))).contacts:
            yield each


async def _queries(backend: Backend, new: CreateContact) -> list[str]:
    email = email_key(new.email)
    if not await backend.supports("scan"):
        return [text for text in (new.phone_number, email, new.name) if text][:1]
    digits = main_number(phone_key(new.phone_number, backend.default_region))[-_SEARCHED_DIGITS:]
    return [text for text in (digits, email) if text] or [new.name]


def _is_exact(new: CreateContact, other: Contact, region: str | None) -> bool:
    """Whether a person would call the two the same record: name and number or address agree, and neither key differs.

    A value that only one of them has is no difference: it can be added to the other. The name alone is enough only if
    neither has a number or an address: people share names, but then nothing tells the two apart. A person and a company
    are never the same.
    """
    if other.type not in (None, new.type) or not _is_namesake(new, other, region):
        return False
    same = _same_fields(_content(new, region), _content(other, region))
    return len(same) > 1 or not (_has_key(new) or _has_key(other))


def _is_namesake(new: CreateContact, other: Contact, region: str | None) -> bool:
    """Whether the two have the same name, and no two numbers or addresses that differ."""
    one, two = _content(new, region), _content(other, region)
    return one["name"] == two["name"] and all(one[key] in ("", two[key]) or not two[key] for key in _KEYS)


def _has_key(contact: Contact | CreateContact) -> bool:
    return any(getattr(contact, name) for name in _KEYS)


def _content(contact: Contact | CreateContact, region: str | None) -> dict[str, str]:
    """Return what is compared, without case, accents and notation. A placeholder for a number is compared as text."""
    phone, email = phone_key(contact.phone_number, region), email_key(contact.email)
    texts = {"name": contact.name, "phone_number": phone or contact.phone_number, "email": email or contact.email}
    return {name: _line(text) for name, text in texts.items()}


def _line(text: str | None) -> str:
    return " ".join(fold(text or "").split())


def _same_fields(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    same = {name for name, value in one.items() if value and value == other[name]}
    if is_same_number(one["phone_number"], other["phone_number"]):  # one may lack the extension
        same.add("phone_number")
    return [name for name in one if name in same]


async def _in_same_company(backend: Backend, company: str, namesakes: Sequence[Contact]) -> list[Contact]:
    """Return the newest of the contacts that have only the name, if it is in no other company.

    Rows of lists lack the company, and only one of them is read: a call that is repeated finds what it created.
    """
    newest = await backend.send(GetContact(contact_id=namesakes[0].id))
    return [newest] if _line(newest.company_name) in ("", _line(company)) else []


def _sort(new: CreateContact, found: Mapping[str, Contact], exact: Collection[str], region: str | None) -> Duplicates:
    """Sort what was found by the rule of imports. It needs a key, so the same name is likely if no key differs."""
    index = ContactIndex()
    for each in found.values():
        name = person_name(each.name, each.phone_number, each.email)
        index.add(each.id, name, phone_key(each.phone_number, region), email_key(each.email))
    name = person_name(new.name, new.phone_number, new.email)
    match = index.find(name, [phone_key(new.phone_number, region)], [email_key(new.email)])
    one = _content(new, region)
    described = {each.id: _describe(each, _same_fields(one, _content(each, region))) for each in found.values()}
    alike = dict.fromkeys([*match.ids, *(each.id for each in found.values() if _is_namesake(new, each, region))])
    return Duplicates(
        exact=[described[each] for each in exact],
        likely=[described[each] for each in alike if each not in exact],
        sharing=match.sharing,
    )


def _describe(contact: Contact, same: list[str]) -> LikelyDuplicate:
    return LikelyDuplicate(id=contact.id, name=one_line(contact.name), same=same)
