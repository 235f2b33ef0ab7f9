"""gdpr_delete_contact: erase, then read back, since only what was seen may be reported as erased."""

from contacts_mcp.contract import Contact, ContactsError, GdprDeleteContact, GetContact, NotFound
from contacts_mcp.tools._answers import Erased
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._derive import derive_tool

_PERSONAL = ("name", "company_name", "phone_number", "email", "tags", "notes")


async def _run(backend: Backend, call: GdprDeleteContact) -> Erased:
    read = GetContact(contact_id=call.contact_id)
    before = await _read(backend, read)
    await backend.send(call)
    try:
        after = await _read(backend, read)
    except ContactsError:
        return Erased(erased=False, seen="accepted, but it could not be read back: read the contact again to be sure")
    if before is None and after is None:
        return Erased(erased=False, seen="accepted; it was not shown before either, so it cannot be checked here")
    if after is None:
        return Erased(erased=True, seen="the service no longer shows the contact")
    left = [name for name in _PERSONAL if getattr(after, name) and _same(name, before, after)]
    if left:
        return Erased(erased=False, seen="accepted, but the service still shows personal data", left=left)
    return Erased(erased=True, seen="the contact is still listed, its personal data replaced or cleared")


async def _read(backend: Backend, read: GetContact) -> Contact | None:
    try:
        return await backend.send(read)
    except NotFound:
        return None


def _same(name: str, before: Contact | None, after: Contact) -> bool:
    """Whether a field still holds what it held; with nothing to compare with, whatever it holds counts."""
    return before is None or getattr(before, name) == getattr(after, name)


gdpr_delete_contact = derive_tool(GdprDeleteContact, answer=Erased, run=_run)
