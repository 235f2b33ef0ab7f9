"""Lists that honour what was asked.

The API's page names no query parameters, and a service may ignore one silently. So each page is held against what
was asked. Where a filter is ignored, the client pages through the directory and filters itself, within a bound;
rows that were not filtered are never returned as if they were.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from secrets import token_hex

import anyio

from contacts_mcp.contract import Contact, ContactPage, FilterIgnored, ListContacts, ProgressCallback
from contacts_mcp.text import digits, fold, search_tokens

MOST_FILTERED = 2_000
"""Contacts that are paged through at most where the service does not filter."""
_ROWS = 100  # the most that the service gives at once

Fetch = Callable[[ListContacts], Awaitable[ContactPage]]


class Listing:
    """Lists contacts over a function that fetches a page as the service gives it.

    It remembers, for its life, whether the service searches.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._searches: bool | None = None
        self._probing = anyio.Lock()

    async def page(self, call: ListContacts, report: ProgressCallback | None = None) -> ContactPage:
        """One page that honours the call; `report` is told of the others that this takes.

        Raises FilterIgnored where that cannot be had.
        """
        ignored = ["search"] if call.search and self._searches is False else []
        if not ignored:
            page = await self._fetch(call)
            _require_page(call, page)
            ignored = await self._ignored(call, page.contacts)
            if not ignored:
                return page
        return await self._filter(call, ignored, report)

    async def _ignored(self, call: ListContacts, rows: list[Contact]) -> list[str]:
        """The filters that these rows show to be ignored."""
        ignored = [] if all(_has_type(row, call.type) for row in rows) else ["type"]
        ignored += [] if all(_has_tags(row, call.tags) for row in rows) else ["tags"]
        if call.search and not all(matches(row, call.search) for row in rows) and not await self._does_search():
            ignored.append("search")
        return ignored

    async def _does_search(self) -> bool:
        """Whether the service searches at all.

        It may find words in fields that rows lack, so a row that does not show them proves nothing; a search for
        what nobody has tells.
        """
        async with self._probing:
            if self._searches is None:
                self._searches = not (await self._fetch(ListContacts(search=token_hex(16), per_page=1))).contacts
            return self._searches

    async def _filter(self, call: ListContacts, ignored: list[str], report: ProgressCallback | None) -> ContactPage:
        """Do the service's filtering; a search here sees what the rows show, which is no company and no notes."""
        found: list[Contact] = []
        async for rows in self._all_rows(call, ", ".join(f"`{name}`" for name in ignored), report):
            await self._ignored(call, rows)  # a later row may be the first to show whether the service searches
            found += [row for row in rows if _has_type(row, call.type) and _has_tags(row, call.tags)]
        if call.search and self._searches is False:
            found = [row for row in found if matches(row, call.search)]
        start = (call.page - 1) * call.per_page
        rows = found[start : start + call.per_page]
        return ContactPage(contacts=rows, total=len(found), page=call.page, per_page=call.per_page)

    async def _all_rows(
        self, call: ListContacts, ignored: str, report: ProgressCallback | None
    ) -> AsyncIterator[list[Contact]]:
        """The service's pages, each without the contacts of earlier ones."""
        seen: set[str] = set()
        rows: list[Contact] = []
        number, total = 1, None
        while number == 1 or (rows and (total is None or len(seen) < total)):
            asked = call.model_copy(update={"page": number, "per_page": _ROWS})
            page = await self._fetch(asked)
            _require_page(asked, page)
            rows, total, number = page.contacts, page.total, number + 1
            fresh = list({row.id: row for row in rows if row.id not in seen}.values())
            if rows and not fresh:
                raise _page_ignored()
            seen.update(row.id for row in fresh)
            if max(total or 0, len(seen)) > MOST_FILTERED:
                amount = f"{total:,}" if total else f"more than {MOST_FILTERED:,}"
                raise FilterIgnored(
                    f"the service ignores {ignored}, and of its {amount} contacts no more than {MOST_FILTERED:,}"
                    " can be filtered here"
                )
            if report is not None:
                await report(len(seen), total, "contacts read")
            yield fresh


def matches(row: Contact, search: str) -> bool:
    """Whether a row shows every word of a search, or holds its phone digits."""
    number = digits(search).lstrip("0")
    if number and not any(character.isalpha() for character in search):
        return number in digits(row.phone_number or "")
    shown = fold(" ".join(filter(None, (row.name, row.company_name, row.email, row.phone_number))))
    return all(token in shown for token in search_tokens(search))


def _require_page(call: ListContacts, page: ContactPage) -> None:
    if page.page not in (None, call.page):
        raise _page_ignored()


def _page_ignored() -> FilterIgnored:
    return FilterIgnored(
        "the service ignores `page` and shows another page than was asked for", advice="ask for page 1"
    )


def _has_type(row: Contact, wanted: str | None) -> bool:
    if wanted is None:
        return True
    if row.type is None:
        raise _unprovable("type")
    return row.type.casefold() == wanted


def _has_tags(row: Contact, wanted: list[str] | None) -> bool:
    if not wanted:
        return True
    if "tags" not in row.model_fields_set:
        raise _unprovable("tags")
    return {tag.casefold() for tag in wanted} <= {tag.casefold() for tag in row.tags}


def _unprovable(name: str) -> FilterIgnored:
    """A row without the field is no match and no mismatch: to show it and to drop it would both be a guess."""
    return FilterIgnored(f"the service's rows carry no `{name}`, so whether it filters by it cannot be told")
