"""Warnings of create_contact about contacts that may be the same person, by the rule of imports."""

from collections.abc import Sequence

from contacts_mcp.contract import Contact, ContactsError, ListContacts
from contacts_mcp.matching import ContactIndex, email_key, main_number, person_name, phone_key
from contacts_mcp.tools._tool import Backend

_SEARCHED_DIGITS = 8
"""The last digits of a number: stored numbers may lack the country code."""
_MAX_ROWS, _MAX_SHOWN = 50, 3


async def warn_of_duplicates(backend: Backend, created: Contact) -> list[str]:
    """Return warnings about contacts with the number or e-mail address of a new one.

    The platform is not searched, which would triple its requests, and nothing is shown to a caller who may not read.
    """
    phone, email = phone_key(created.phone_number, backend.default_region), email_key(created.email)
    queries = [each for each in (main_number(phone)[-_SEARCHED_DIGITS:], email) if each]
    if not queries or not backend.may_read or not await backend.supports("scan"):
        return []
    index = ContactIndex()
    try:
        for query in queries:
            found = await backend.send(ListContacts(search=query, per_page=_MAX_ROWS))
            _add(index, [each for each in found.contacts if each.id != created.id], backend.default_region)
    except ContactsError:  # the contact was created, and a warning is not worth an error
        return []
    match = index.find(person_name(created.name, created.phone_number, created.email), [phone], [email])
    same = f"may be the same person ({', '.join(match.matching_keys)}): compare, then merge_contacts"
    other = "has the same number or e-mail address, but another name"
    return [*_warn(match.ids, same), *_warn(match.sharing, other)]


def _add(index: ContactIndex, contacts: Sequence[Contact], region: str | None) -> None:
    for each in contacts:
        name = person_name(each.name, each.phone_number, each.email)
        index.add(each.id, name, phone_key(each.phone_number, region), email_key(each.email))


def _warn(ids: Sequence[str], claim: str) -> list[str]:
    return [f"contact {contact_id} {claim}" for contact_id in ids[:_MAX_SHOWN]]
