"""Select the contacts of a job: those that match a filter, a page at a time, with or without support for scans."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from contacts_mcp.contract import (
    MAX_SCAN_ROWS,
    Contact,
    ContactPage,
    ContactType,
    GetContact,
    GroupId,
    ListContacts,
    ListGroupMembers,
    NotFound,
    ScanContacts,
    SearchText,
    Tags,
    TypeFilter,
    UnreadableAnswer,
)
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._job import MAX_CONCURRENT_CALLS, JobClient
from contacts_mcp.tools._turns import ProgressReporter

LIST_FIELDS = frozenset({"id", "type", "name", "phone_number", "email", "tags"})
"""The fields of a list's rows; other fields take one request for each contact, unless the service supports scans."""
_PAGE_SIZE = 100
_MAX_MEMBERS_READ_SINGLY = 200  # larger groups are found by listing the whole directory
_TIME_FIELDS = ("created_at", "updated_at")
_EMPTY_CONTACT: dict[str, Any] = {**dict.fromkeys(Contact.model_fields), "tags": []}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which contacts to select. All given conditions must match; an empty filter matches all contacts."""

    type: ContactType | None = None
    search: str | None = None
    tags: Sequence[str] = ()
    group_id: str | None = None

    @property
    def list_params(self) -> dict[str, Any]:
        """The part of the filter that ListContacts supports."""
        params = {"type": self.type, "search": self.search, "tags": list(self.tags) or None}
        return {name: value for name, value in params.items() if value is not None}

    def matches_member(self, contact: Contact) -> bool:
        """Whether a member of the group has the filter's type and tags."""
        tags = {tag.casefold() for tag in contact.tags}
        return self.type in (None, contact.type) and tags >= {tag.casefold() for tag in self.tags}


class FilterArguments(Arguments):
    """The arguments of a tool for the contacts that match a filter."""

    type: TypeFilter = None
    search: SearchText | None = None
    tags: Tags | None = Field(default=None, description="All must match.")

    @property
    def filter(self) -> Filter:
        return Filter(self.type, self.search, tuple(self.tags or ()))


class FilterOrGroupArguments(FilterArguments):
    """The filter arguments, and optionally a group whose members to select."""

    group_id: GroupId | None = Field(default=None, description="Only its members.")

    @property
    def filter(self) -> Filter:
        return Filter(self.type, self.search, tuple(self.tags or ()), self.group_id)


async def iter_contacts(
    client: JobClient, wanted: Filter, fields: Collection[str], progress: ProgressReporter
) -> AsyncIterator[list[Contact]]:
    """Iterate over all contacts that match a filter, each once and with at least these fields, a page at a time.

    Raises a ContactsError if the directory cannot be read, or does not honour the filter.
    """
    supports_scan = await client.backend.supports("scan")  # checked once: the answer may change during the job
    if supports_scan:
        pages = _iter_scan(client, wanted, fields, progress)
    elif wanted.group_id:
        pages = _iter_members(client, wanted, progress)
    else:
        pages = _iter_list(client, wanted, progress)
    async for page in pages:
        if supports_scan or set(fields) <= LIST_FIELDS:
            yield page
        else:
            yield await fetch_full(client, [contact.id for contact in page])


async def fetch_full(client: JobClient, ids: Collection[str]) -> list[Contact]:
    """Fetch these contacts with all fields, in this order; contacts that no longer exist are left out."""

    async def fetch(contact_id: str) -> Contact | None:
        try:
            return await client.send(GetContact(contact_id=contact_id))
        except NotFound:
            return None

    return [contact for contact in await client.map_concurrently(ids, fetch) if contact]


async def fetch_member_ids(client: JobClient, group_id: str) -> set[str]:
    """Fetch the ids of a group's members."""
    return {member.id for member in (await client.send(ListGroupMembers(group_id=group_id))).members}


async def _iter_scan(
    client: JobClient, wanted: Filter, fields: Collection[str], progress: ProgressReporter
) -> AsyncIterator[list[Contact]]:
    params = {**wanted.list_params, "group_id": wanted.group_id} if wanted.group_id else wanted.list_params
    call = ScanContacts(fields=sorted({"id", *fields}), limit=MAX_SCAN_ROWS, **params)
    while True:
        page = await client.send(call)
        known = set(page.fields)
        if not known.issuperset(call.fields):  # taken for empty, their values would be overwritten without a question
            raise UnreadableAnswer("the directory left out fields that were asked for: a proxy may change requests")
        contacts = [_to_contact(page.fields, known, row) for row in page.rows]
        await progress.advance(len(contacts))
        yield contacts
        if page.next is None:
            return
        call = call.model_copy(update={"after": page.next})


def _to_contact(fields: Sequence[str], known: set[str], row: Sequence[Any]) -> Contact:
    """Build a contact from a row of the embedded directory, whose values need no validation.

    It does what `model_construct` does, but without looking up defaults, which would take ten times as long.
    """
    values = {**_EMPTY_CONTACT, **dict(zip(fields, row, strict=True))}
    for name in _TIME_FIELDS:
        if values[name]:
            values[name] = datetime.fromisoformat(values[name])
    contact = Contact.__new__(Contact)
    object.__setattr__(contact, "__dict__", values)
    object.__setattr__(contact, "__pydantic_fields_set__", known)
    object.__setattr__(contact, "__pydantic_extra__", None)
    object.__setattr__(contact, "__pydantic_private__", None)
    return contact


async def _iter_list(client: JobClient, wanted: Filter, progress: ProgressReporter) -> AsyncIterator[list[Contact]]:
    """The pages of a list, each without the contacts of earlier pages; from the second page on, several at a time."""

    async def fetch(number: int) -> ContactPage:
        return await client.send(ListContacts(page=number, per_page=_PAGE_SIZE, **wanted.list_params))

    seen: set[str] = set()
    number, count = 1, 1
    while True:
        pages = await client.map_concurrently(range(number, number + count), fetch)
        for page in pages:
            unseen = list({row.id: row for row in page.contacts if row.id not in seen}.values())
            seen.update(row.id for row in unseen)
            progress.total = page.total
            await progress.advance(len(unseen))
            if unseen:
                yield unseen
            if not unseen or (page.total is not None and len(seen) >= page.total):
                return
        number += count
        count = MAX_CONCURRENT_CALLS
        if pages[0].total is not None:
            count = min(count, _count_pages_left(pages[0], len(seen)))


def _count_pages_left(page: ContactPage, seen: int) -> int:
    """Count the pages to come at the page size that the service uses."""
    size = max(1, min(page.per_page or _PAGE_SIZE, len(page.contacts) or _PAGE_SIZE))
    return max(1, -(-((page.total or 0) - seen) // size))


async def _iter_members(client: JobClient, wanted: Filter, progress: ProgressReporter) -> AsyncIterator[list[Contact]]:
    """The matching members of a group: read singly if they are few, else found in the list of all contacts."""
    assert wanted.group_id
    ids = await fetch_member_ids(client, wanted.group_id)
    if len(ids) <= _MAX_MEMBERS_READ_SINGLY and not wanted.search:
        members = await fetch_full(client, sorted(ids))
        await progress.advance(len(members))
        yield [member for member in members if wanted.matches_member(member)]
        return
    async for page in _iter_list(client, wanted, progress):
        yield [contact for contact in page if contact.id in ids]
