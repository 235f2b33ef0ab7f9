"""Workarounds for what the API documentation leaves open or contradicts: list filters, paging and updates.

The page names no query parameters, and a service may ignore one without an error. So each page is checked against the
call. If a filter is ignored, the client pages through the directory and filters itself, up to a bound; unfiltered rows
are never returned as filtered ones.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from secrets import token_hex
from typing import Any

import anyio

from contacts_mcp.client._responses import EmptyAnswer
from contacts_mcp.contract import Call, Contact, ContactPage, ProgressCallback, calls, errors
from contacts_mcp.text import digits, fold, search_tokens

MAX_FILTERED_CONTACTS = 2_000
"""Most contacts that the client reads to filter them itself."""
_PAGE_SIZE = 100  # the service's maximum

Send = Callable[[Call[Any]], Awaitable[Any]]
"""Sends one call as it is."""


class ContactLister:
    """Lists contacts with filters that hold, over pages as the service returns them; learns whether it searches."""

    def __init__(self, fetch: Callable[[calls.ListContacts], Awaitable[ContactPage]]) -> None:
        self._fetch = fetch
        self._searches: bool | None = None
        self._probing = anyio.Lock()

    async def page(self, call: calls.ListContacts, report: ProgressCallback | None = None) -> ContactPage:
        """Return the page that the call asks for; `report` is called for each further page that this takes.

        Raises FilterIgnored if the service ignores a filter, and the client cannot filter instead.
        """
        ignored = ["search"] if call.search and self._searches is False else []
        if not ignored:
            page = await self._fetch(call)
            _require_page(call, page)
            ignored = await self._ignored_filters(call, page.contacts)
            if not ignored:
                return page
        return await self._filtered_page(call, ignored, report)

    async def _ignored_filters(self, call: calls.ListContacts, rows: list[Contact]) -> list[str]:
        """Return the filters that the service ignores, judging by these rows."""
        ignored = [] if all(_has_type(row, call.type) for row in rows) else ["type"]
        ignored += [] if all(_has_tags(row, call.tags) for row in rows) else ["tags"]
        if call.search and not all(matches(row, call.search) for row in rows) and not await self._does_search():
            ignored.append("search")
        return ignored

    async def _does_search(self) -> bool:
        """Whether the service searches at all, found out by a search for random text.

        A row without the search words proves nothing: the service may have found them in a field that rows lack.
        """
        async with self._probing:
            if self._searches is None:
                self._searches = not (await self._fetch(calls.ListContacts(search=token_hex(16), per_page=1))).contacts
            return self._searches

    async def _filtered_page(
        self, call: calls.ListContacts, ignored: list[str], report: ProgressCallback | None
    ) -> ContactPage:
        """Filter all rows here; a search sees only the fields of rows, not company or notes."""
        found: list[Contact] = []
        async for rows in self._all_rows(call, ", ".join(f"`{name}`" for name in ignored), report):
            await self._ignored_filters(call, rows)  # a later row may be the first to show whether the service searches
            found += [row for row in rows if _has_type(row, call.type) and _has_tags(row, call.tags)]
        if call.search and self._searches is False:
            found = [row for row in found if matches(row, call.search)]
        start = (call.page - 1) * call.per_page
        rows = found[start : start + call.per_page]
        return ContactPage(contacts=rows, total=len(found), page=call.page, per_page=call.per_page)

    async def _all_rows(
        self, call: calls.ListContacts, ignored: str, report: ProgressCallback | None
    ) -> AsyncIterator[list[Contact]]:
        """Yield the service's pages, each without the contacts of earlier ones."""
        seen: set[str] = set()
        rows: list[Contact] = []
        number, total = 1, None
        while number == 1 or (rows and (total is None or len(seen) < total)):
            page_call = call.model_copy(update={"page": number, "per_page": _PAGE_SIZE})
            page = await self._fetch(page_call)
            _require_page(page_call, page)
            rows, total, number = page.contacts, page.total, number + 1
            new = unseen(rows, seen)
            if rows and not new:
                raise _page_ignored()
            if max(total or 0, len(seen)) > MAX_FILTERED_CONTACTS:
                count = f"{total:,}" if total else f"more than {MAX_FILTERED_CONTACTS:,}"
                raise errors.FilterIgnored(
                    f"the service ignores {ignored} and has {count} contacts, but this client filters at most"
                    f" {MAX_FILTERED_CONTACTS:,}"
                )
            if report is not None:
                await report(len(seen), total, "contacts read")
            yield new


def unseen(rows: list[Contact], seen: set[str]) -> list[Contact]:
    """Return the rows whose ids are not in `seen`, each once, and add their ids to it."""
    new = list({row.id: row for row in rows if row.id not in seen}.values())
    seen.update(row.id for row in new)
    return new


def matches(row: Contact, search: str) -> bool:
    """Whether a row contains every word of a search, or its phone digits."""
    number = digits(search).lstrip("0")
    if number and not any(character.isalpha() for character in search):
        return number in digits(row.phone_number or "")
    shown = fold(" ".join(filter(None, (row.name, row.company_name, row.email, row.phone_number))))
    return all(token in shown for token in search_tokens(search))


def _require_page(call: calls.ListContacts, page: ContactPage) -> None:
    if page.page not in (None, call.page):
        raise _page_ignored()


def _page_ignored() -> errors.FilterIgnored:
    return errors.FilterIgnored("the service ignores `page` and returned another page", advice="ask for page 1")


def _has_type(row: Contact, wanted: str | None) -> bool:
    if wanted is None:
        return True
    if row.type is None:
        raise _unverifiable("type")
    return row.type.casefold() == wanted


def _has_tags(row: Contact, wanted: list[str] | None) -> bool:
    if not wanted:
        return True
    if "tags" not in row.model_fields_set:
        raise _unverifiable("tags")
    return {tag.casefold() for tag in wanted} <= {tag.casefold() for tag in row.tags}


def _unverifiable(name: str) -> errors.FilterIgnored:
    """Make the error for rows without the filtered field: returning or dropping them would both be a guess."""
    return errors.FilterIgnored(
        f"the service's rows have no `{name}`, so this client cannot check whether it was filtered by"
    )


async def update(call: calls.UpdateContact | calls.UpdateContactGroup, send: Send) -> Any:
    """Change a record and return it; reads it back if the service accepts the change without a body (204)."""
    try:
        return await _patch(call, send)
    except EmptyAnswer:
        pass
    try:
        return await send(_get_call(call))
    except errors.ContactsError as exc:
        raise errors.OutcomeUnknown("the change was accepted without an answer, and reading it back failed") from exc


async def _patch(call: calls.UpdateContact | calls.UpdateContactGroup, send: Send) -> Any:
    """Send only the changed fields, and the current name if the service insists on one.

    The page marks `name` as required, yet says that only provided fields are updated (API page: Update contact).
    """
    try:
        return await send(call)
    except errors.ValidationFailed as refusal:
        if "name" in call.model_fields_set or "name" not in (fault.path for fault in refusal.faults):
            raise
        current = await send(_get_call(call))
        if current.name is None:
            raise
        return await send(call.model_copy(update={"name": current.name}))


def _get_call(call: calls.UpdateContact | calls.UpdateContactGroup) -> Call[Any]:
    if isinstance(call, calls.UpdateContact):
        return calls.GetContact(contact_id=call.contact_id)
    return calls.GetContactGroup(group_id=call.group_id)
