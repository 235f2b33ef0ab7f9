"""Warnings of create_contact about contacts that may be the same person, by the rule of imports."""

from collections.abc import AsyncIterator, Sequence

import anyio

from contacts_mcp.contract import Contact, ContactsError, ListContacts
from contacts_mcp.matching import ContactIndex, email_key, main_number, person_name, phone_key
from contacts_mcp.text import fold
from contacts_mcp.tools._tool import Backend

HINT_SECONDS = 3.0
"""How long an answer may wait for its warnings."""
_SEARCHED_DIGITS = 8
"""The last digits of a number: stored numbers may lack the country code."""
_MAX_ROWS, _MAX_SHOWN = 50, 3


async def warn_of_duplicates(backend: Backend, created: Contact) -> list[str]:
    """Return warnings about contacts that are identical to a new one, or have its number or e-mail address.

    The embedded directory is searched for each key. The platform is searched once, for the text that an identical
    contact has. Nothing is shown to a caller who may not read.
    """
    if not backend.may_read:
        return []
    with anyio.move_on_after(HINT_SECONDS):
        try:
            found = [each async for each in _search(backend, created) if each.id != created.id]
        except ContactsError:  # the contact was created, and a warning is not worth an error
            return []
        return _compare(created, found, backend.default_region)
    return []


async def _search(backend: Backend, created: Contact) -> AsyncIterator[Contact]:
    for query in await _queries(backend, created):
        for each in (await backend.send(ListContacts(search=query, per_page=_MAX_ROWS))).contacts:
            yield each


async def _queries(backend: Backend, created: Contact) -> list[str]:
    email = email_key(created.email)
    if not await backend.supports("scan"):
        return [text for text in (created.phone_number, email, created.name) if text][:1]
    digits = main_number(phone_key(created.phone_number, backend.default_region))[-_SEARCHED_DIGITS:]
    return [text for text in (digits, email) if text] or [text for text in (created.name,) if text]


def _compare(created: Contact, others: Sequence[Contact], region: str | None) -> list[str]:
    """Return one warning for each of the first contacts that are identical, alike, or share a key."""
    unique = {each.id: each for each in others}
    content = _content(created, region)
    identical = [each.id for each in unique.values() if _content(each, region) == content]
    index = ContactIndex()
    for each in unique.values():
        name = person_name(each.name, each.phone_number, each.email)
        index.add(each.id, name, phone_key(each.phone_number, region), email_key(each.email))
    match = index.find(
        person_name(created.name, created.phone_number, created.email),
        [phone_key(created.phone_number, region)],
        [email_key(created.email)],
    )
    alike = [each for each in match.ids if each not in identical]
    same = f"may be the same person ({', '.join(match.matching_keys)}): compare, then merge_contacts"
    return [
        *_warn(identical, "has the same name, number and e-mail address: if it is the same person, merge_contacts"),
        *_warn(alike, same),
        *_warn(match.sharing, "has the same number or e-mail address, but another name"),
    ]


def _content(contact: Contact, region: str | None) -> tuple[str, ...]:
    phone, email = phone_key(contact.phone_number, region), email_key(contact.email)
    texts = (contact.name, phone or contact.phone_number, email or contact.email)
    return tuple(fold(text or "") for text in texts)


def _warn(ids: Sequence[str], claim: str) -> list[str]:
    return [f"contact {contact_id} {claim}" for contact_id in ids[:_MAX_SHOWN]]
