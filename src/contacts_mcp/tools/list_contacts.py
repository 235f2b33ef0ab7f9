"""list_contacts: the service's page, and where the next one is."""

from contacts_mcp.contract import ListContacts
from contacts_mcp.tools._answers import ContactListing, next_page
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._derive import derive_tool


async def _run(backend: Backend, call: ListContacts) -> ContactListing:
    found = await backend.send(call)
    page, per_page = found.page or call.page, found.per_page or max(call.per_page, len(found.contacts))
    return ContactListing(
        contacts=found.contacts,
        total=found.total,
        page=page,
        per_page=per_page,
        next_page=next_page(page, per_page, len(found.contacts), found.total),
        similar=found.similar,
    )


list_contacts = derive_tool(ListContacts, answer=ContactListing, run=_run)
