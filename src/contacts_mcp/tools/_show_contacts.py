"""show_contacts: open the panel with the contacts, in hosts that show one (MCP Apps)."""

from pydantic import Field

from contacts_mcp.contract import ListContacts, Record
from contacts_mcp.tools._select import FilterOrGroupArguments
from contacts_mcp.tools._tool import Backend, read_tool

_SHOWN = "the person sees the contacts in a panel, in which they can search, edit and select"


class ShowContacts(FilterOrGroupArguments):
    """Show contacts to the person in a panel where they can search, edit and select; it returns none of them to you."""


class ShownContacts(Record):
    """What the panel shows."""

    shown: str
    total: int | None = Field(default=None, description="Contacts that match, if no group was given.")


async def _run(backend: Backend, arguments: ShowContacts) -> ShownContacts:
    total = None
    if arguments.group_id is None:
        page = await backend.send(ListContacts(**arguments.filter.list_params, per_page=1))
        total = page.total
    return ShownContacts(shown=_SHOWN, total=total)


show_contacts = read_tool("show_contacts", ShowContacts, ShownContacts, _run, view="contacts")
