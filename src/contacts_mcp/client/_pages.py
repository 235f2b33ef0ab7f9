"""Walks through all pages of a list of contacts."""

from collections.abc import Awaitable, Callable

from contacts_mcp.client._quirks import unseen
from contacts_mcp.contract import Contact, ContactPage, ListContacts

_MAX_PAGE_SIZE = 100


class ContactPages:
    """The pages of a list, from the call's page on; without a call, of all contacts.

    A contact that moves to a later page meanwhile is returned once.
    """

    def __init__(self, call: ListContacts | None) -> None:
        self._call = call or ListContacts(per_page=_MAX_PAGE_SIZE)
        self._number = self._call.page
        self._seen: set[str] = set()
        self._is_done = False

    async def fetch_next(self, send: Callable[[ListContacts], Awaitable[ContactPage]]) -> list[Contact]:
        """Fetch the next page; return its contacts that were on no earlier page, or an empty list after the last."""
        if self._is_done:
            return []
        page = await send(self._call.model_copy(update={"page": self._number}))
        rows = unseen(page.contacts, self._seen)
        before = (self._call.page - 1) * (page.per_page or self._call.per_page)
        self._is_done = not rows or (page.total is not None and before + len(self._seen) >= page.total)
        self._number += 1
        return rows
