"""Which contacts a job is about: those that a filter meets, a page at a time, whatever the service offers."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

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
    Text,
)
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools.steps._pace import AT_ONCE, JobClient
from contacts_mcp.tools.steps._progress import Progress

_ROWS = 100
_FEW = 200
"""Members that are read one by one rather than looked for in the whole directory."""
SHOWN_IN_LISTS = frozenset({"id", "type", "name", "phone_number", "email", "tags"})
"""What rows of lists hold; anything else takes a request for each contact, unless the service can be scanned."""
_TIMES = ("created_at", "updated_at")


class Filtered(BaseModel):
    """The arguments of a tool that is about the contacts which a filter meets."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    type: ContactType | None = None
    search: Text | None = None
    tags: list[Text] | None = Field(default=None, description="All must match.")

    @property
    def filter(self) -> "Filter":
        """The filter that these arguments make."""
        return Filter(self.type, self.search, tuple(self.tags or ()))


class FilteredOrGrouped(Filtered):
    """The same, with the members of a group as a filter more."""

    group_id: GroupId | None = Field(default=None, description="Only members of this group.")

    @property
    def filter(self) -> "Filter":
        """The filter that these arguments make."""
        return Filter(self.type, self.search, tuple(self.tags or ()), self.group_id)


@dataclass(frozen=True, slots=True)
class Filter:
    """All that is given has to match; a filter without anything is met by every contact."""

    type: ContactType | None = None
    search: str | None = None
    tags: Sequence[str] = ()
    group_id: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What of it a list can be asked for."""
        asked = {"type": self.type, "search": self.search, "tags": list(self.tags) or None}
        return {name: value for name, value in asked.items() if value is not None}


async def chosen(
    backend: Backend, pace: JobClient, wanted: Filter, fields: Collection[str], progress: Progress
) -> AsyncIterator[list[Contact]]:
    """Every contact that the filter meets, once, with at least these fields; a page at a time.

    Raises:
        ContactsError: the directory cannot be read, or does not honour the filter.
    """
    scans = await backend.supports("scan")  # asked for once: in the middle the answer may be another
    if scans:
        pages = _scan(pace, wanted, fields, progress)
    elif wanted.group_id:
        pages = _members(pace, wanted, progress)
    else:
        pages = _pages(pace, wanted, progress)
    async for page in pages:
        if scans or set(fields) <= SHOWN_IN_LISTS:
            yield page
        else:
            yield await complete(pace, [contact.id for contact in page])


async def complete(pace: JobClient, ids: Collection[str]) -> list[Contact]:
    """These contacts in full, in this order; those that are gone by now are left out."""
    found: dict[str, Contact] = {}

    async def read(contact_id: str) -> None:
        try:
            found[contact_id] = await pace.send(GetContact(contact_id=contact_id))
        except NotFound:
            return

    await pace.map_concurrently(ids, read)
    return [found[contact_id] for contact_id in ids if contact_id in found]


async def member_ids(pace: JobClient, group_id: str) -> set[str]:
    """The ids of a group's members."""
    return {member.id for member in (await pace.send(ListGroupMembers(group_id=group_id))).members}


async def _scan(
    pace: JobClient, wanted: Filter, fields: Collection[str], progress: Progress
) -> AsyncIterator[list[Contact]]:
    after: str | None = None
    asked = {**wanted.given, "group_id": wanted.group_id} if wanted.group_id else wanted.given
    while True:
        call = ScanContacts(fields=sorted({"id", *fields}), limit=MAX_SCAN_ROWS, **asked)
        page = await pace.send(call if after is None else call.model_copy(update={"after": after}))
        known = set(page.fields)
        contacts = [_record(page.fields, known, row) for row in page.rows]
        await progress.advance(len(contacts))
        yield contacts
        after = page.next
        if after is None:
            return


def _record(fields: Sequence[str], known: set[str], row: Sequence[Any]) -> Contact:
    """A contact of a row that the directory wrote in its final form.

    This is what `model_construct` does, but for looking up the defaults, which takes ten times as long as the rest.
    """
    values = {**_ABSENT, **dict(zip(fields, row, strict=True))}
    for name in _TIMES:
        if values[name]:
            values[name] = datetime.fromisoformat(values[name])
    contact = Contact.__new__(Contact)
    object.__setattr__(contact, "__dict__", values)
    object.__setattr__(contact, "__pydantic_fields_set__", known)
    object.__setattr__(contact, "__pydantic_extra__", None)
    object.__setattr__(contact, "__pydantic_private__", None)
    return contact


_ABSENT: dict[str, Any] = {**dict.fromkeys(Contact.model_fields), "tags": []}


async def _pages(pace: JobClient, wanted: Filter, progress: Progress) -> AsyncIterator[list[Contact]]:
    """The pages of a list, several at once from the second on, each without the contacts of earlier ones."""
    seen: set[str] = set()
    number, at_once = 1, 1
    while True:
        answers = await _fetch(pace, wanted, range(number, number + at_once))
        for answer in answers:
            fresh = list({row.id: row for row in answer.contacts if row.id not in seen}.values())
            seen.update(row.id for row in fresh)
            progress.total = answer.total
            await progress.advance(len(fresh))
            if fresh:
                yield fresh
            if not fresh or (answer.total is not None and len(seen) >= answer.total):
                return
        number += at_once
        at_once = AT_ONCE if answers[0].total is None else min(AT_ONCE, _left(answers[0], len(seen)))


async def _fetch(pace: JobClient, wanted: Filter, numbers: Sequence[int]) -> list[ContactPage]:
    found: dict[int, ContactPage] = {}

    async def fetch(number: int) -> None:
        found[number] = await pace.send(ListContacts(page=number, per_page=_ROWS, **wanted.given))

    await pace.map_concurrently(numbers, fetch)
    return [found[number] for number in numbers]


def _left(page: ContactPage, seen: int) -> int:
    """How many pages are still to come, at the size that the service gives."""
    size = max(1, min(page.per_page or _ROWS, len(page.contacts) or _ROWS))
    return max(1, -(-((page.total or 0) - seen) // size))


async def _members(pace: JobClient, wanted: Filter, progress: Progress) -> AsyncIterator[list[Contact]]:
    """The members that the filter meets: read one by one where they are few, else found among all contacts."""
    assert wanted.group_id
    ids = await member_ids(pace, wanted.group_id)
    if len(ids) <= _FEW and not wanted.search:
        members = await complete(pace, sorted(ids))
        await progress.advance(len(members))
        yield [member for member in members if _meets(member, wanted)]
        return
    async for page in _pages(pace, wanted, progress):
        yield [contact for contact in page if contact.id in ids]


def _meets(contact: Contact, wanted: Filter) -> bool:
    has = {tag.casefold() for tag in contact.tags}
    return wanted.type in (None, contact.type) and has >= {tag.casefold() for tag in wanted.tags}
