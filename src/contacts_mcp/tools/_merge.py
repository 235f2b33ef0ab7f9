"""The merge of one cluster: the values that the kept contact gets, the words of the question, and the changes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from contacts_mcp.contract import (
    AddGroupMembers,
    Conflict,
    Contact,
    ContactsError,
    DeleteContact,
    Group,
    MergeRecords,
    NotFound,
    Record,
    UpdateContact,
    ValidationFailed,
)
from contacts_mcp.matching import is_same_value
from contacts_mcp.text import quote
from contacts_mcp.tools._answers import ContactSummary, join_names, one_line, summarize
from contacts_mcp.tools._changes import Change, describe_contact, describe_values
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._plan_row import PlanRow, joins_group, plan_row
from contacts_mcp.tools._plan_row import list_changes as list_field_changes
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import JobCounts, TouchedRecords
from contacts_mcp.tools._values import edit_tags

_MAX_DESCRIBED = 3  # contacts of which the question shows more than the name and id
_SHOWN_FIELDS = ("name", "company_name", "phone_number", "email", "tags", "notes")
_SINGLE_FIELDS = ("type", "name", "company_name", "phone_number", "email")
_FIELDS_KEPT_IN_NOTES = ("phone_number", "email")  # a person may have two, a contact has room for one
_RECORD_ERRORS = (Conflict, NotFound, ValidationFailed)
"""Errors about one record; after any other, the next change would probably fail, too."""


class FieldConflict(Record):
    """A field in which the contacts differed."""

    field: str
    kept: str
    dropped: list[str]
    resolution: str = Field(description="Whose value won, and where the others are.")


class MergedContact(Record):
    """A contact that was kept, and what happened to the others."""

    contact: ContactSummary
    changed: list[str] = Field(description="Fields of the kept contact that changed.")
    conflicts: list[FieldConflict]
    groups_joined: list[str] = Field(description="Groups that the kept contact was added to.")
    groups_left: list[str] | None = Field(default=None, description="Ids of groups that lost deleted contacts.")
    deleted: list[str] = Field(description="Ids of the deleted contacts.")
    not_deleted: list[str] | None = Field(default=None, description="Ids of contacts that remain, and why.")


def stops_merging(error: ContactsError) -> bool:
    """Whether the next cluster would probably meet the same error."""
    return not isinstance(error, _RECORD_ERRORS)


@dataclass(slots=True)
class Merge:
    """The merge of one cluster.

    Attributes:
        keep, others: the contacts as they are.
        prefer: whose value wins, that of `keep` or the `newest`.
        groups: the groups that the kept contact is added to.
        groups_left: ids of all groups of the others.
        values: what the kept contact gets.
        changed, joined, deleted, errors: what `apply` has done, and why contacts are still there, by id.
    """

    keep: Contact
    others: list[Contact]
    prefer: str
    groups: list[Group]
    groups_left: list[str]
    has_persons: bool
    region: str | None
    values: dict[str, Any] = field(default_factory=dict)
    conflicts: list[FieldConflict] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    joined: list[Group] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    errors: dict[str, ContactsError] = field(default_factory=dict)
    _dropped_for_notes: list[str] = field(default_factory=list)
    _is_complete: bool = False  # whether the kept contact has all data

    def __post_init__(self) -> None:
        for name in _SINGLE_FIELDS:
            self._combine_field(name)
        self.values["tags"] = edit_tags(self.keep.tags, [tag for other in self.others for tag in other.tags])
        self.values["notes"] = self._combine_notes()
        self.values = {name: value for name, value in self.values.items() if value != getattr(self.keep, name)}

    def _combine_field(self, name: str) -> None:
        """Choose one of the values; an empty field is no conflict."""
        order = [self.keep, *self.others]
        if self.prefer == "newest":
            order.sort(key=lambda contact: contact.updated_at.timestamp() if contact.updated_at else 0, reverse=True)
        found: list[str] = []
        for contact in order:
            value = getattr(contact, name)
            if value and not any(is_same_value(name, value, each, self.region) for each in found):
                found.append(value)
        if not found:
            return
        kept, *dropped = found
        self.values[name] = kept
        if not dropped:
            return
        resolution = f"{'the newest contact' if self.prefer == 'newest' else 'the contact to keep'} wins"
        if name in _FIELDS_KEPT_IN_NOTES:
            self._dropped_for_notes += dropped
            resolution += "; the other value is kept in the notes"
        shown = [one_line(value) or "" for value in dropped]
        conflict = FieldConflict(field=name, kept=one_line(kept) or "", dropped=shown, resolution=resolution)
        self.conflicts.append(conflict)

    def _combine_notes(self) -> str | None:
        """Each note once, and the values that have no room elsewhere."""
        notes = [contact.notes for contact in (self.keep, *self.others) if contact.notes]
        known = "\n".join(notes)
        also = [value for value in self._dropped_for_notes if value not in known]
        lines = list(dict.fromkeys(notes)) + ([f"Also: {', '.join(also)}"] if also else [])
        return "\n".join(lines) or None

    @property
    def ids(self) -> list[str]:
        """The ids of all contacts, the one that is kept first."""
        return [self.keep.id, *(other.id for other in self.others)]

    @property
    def step_count(self) -> int:
        """How many changes `apply` makes."""
        return bool(self.values) + len(self.groups) + len(self.others)

    @property
    def state(self) -> list[Any]:
        """All that a person agrees to, for the fingerprint."""
        records = [contact.model_dump() for contact in (self.keep, *self.others)]
        return [*records, sorted((group.id, group.name) for group in self.groups)]

    def iter_rows(self) -> Iterator[PlanRow]:
        """Iterate over the contacts: what the kept one gets, and what the others have, which are deleted."""
        before = {name: getattr(self.keep, name) for name in self.values}
        changes = [*list_field_changes(before, self.values), *(joins_group(group.name) for group in self.groups)]
        notes = [_describe_conflict(each) for each in self.conflicts]
        yield plan_row("merge", self.keep.name, self.keep.id, changes=changes, notes=notes)
        for other in self.others:
            values = {name: getattr(other, name) for name in _SHOWN_FIELDS}
            yield plan_row("delete", other.name, other.id, changes=list_field_changes(values, {}))

    def describe(self) -> list[str]:
        """Describe the merge under a question that names the contact to keep."""
        groups = f"The kept contact is added to {self._describe_groups()}."
        return [
            "Its data is completed from these contacts, which are then deleted:",
            *(f"- {other}" for other in self._describe_others(in_full=True)),
            *([f"In the kept contact: {self._describe_values()}."] if self.values else []),
            *([f"Not kept: {lost}."] if (lost := self._describe_lost()) else []),
            *([groups] if self.groups else []),
        ]

    def describe_item(self, number: int, *, in_full: bool) -> list[str]:
        """Describe the merge as an item of a list; `in_full` also shows what tells contacts of one name apart."""
        kept = describe_record(self.keep) if in_full else describe_contact(self.keep.id, self.keep.name, 20)
        return [
            f"{number}. Kept: {kept}",
            *(f"- Deleted: {other}" for other in self._describe_others(in_full=in_full)),
            *([f"- Changed: {self._describe_values()}"] if self.values else []),
            *([f"- Not kept: {lost}"] if (lost := self._describe_lost()) else []),
            *([f"- Added to {self._describe_groups()}"] if self.groups else []),
        ]

    def _describe_others(self, *, in_full: bool) -> Iterator[str]:
        """Name each of the contacts that are deleted; in short lines if they are many."""
        for other in self.others:
            is_short = not in_full or len(self.others) > _MAX_DESCRIBED
            yield describe_contact(other.id, other.name, 20) if is_short else describe_record(other)

    def _describe_values(self) -> str:
        before = {name: getattr(self.keep, name) for name in self.values}
        return describe_values(Change(self.keep.id, self.keep.name, before, self.values))

    def _describe_lost(self) -> str:
        """Name the values that are not even kept in the notes."""
        lost = [each for each in self.conflicts if each.field not in _FIELDS_KEPT_IN_NOTES]
        return "; ".join(f"{each.field} {join_names([quote(value, 30) for value in each.dropped], 2)}" for each in lost)

    def _describe_groups(self) -> str:
        names = join_names([quote(group.name or "", 40) for group in self.groups], 3)
        return f"{len(self.groups)} of their groups: {names}"

    async def apply(self, client: JobClient, counts: JobCounts, touched: TouchedRecords) -> None:
        """Update the kept contact and add it to the groups; only after that delete the others.

        Raises a ContactsError, before anything is deleted, if the kept contact does not get all data.
        """
        if self.values:
            touched.contacts.add(self.keep.id)
            touched.has_new_values = True
            self.keep = await client.send(UpdateContact(contact_id=self.keep.id, **self.values))
            counts["updated"] += 1
            self.changed = list(self.values)
        self._is_complete = True
        for group in self.groups:
            touched.groups.add(group.id)
            if await _join_group(client, group, self.keep, counts):
                self.joined.append(group)
        touched.contacts.update(other.id for other in self.others)
        touched.groups.update(self.groups_left)
        await self._delete_others(client, counts)

    async def _delete_others(self, client: JobClient, counts: JobCounts) -> None:
        """Delete the others, and keep the error for each that is still there.

        A directory that can, links them to the kept contact, so that an erasure of that one reaches them, too.
        """
        ids = [other.id for other in self.others]
        if self.has_persons:
            try:
                await client.send(MergeRecords(contact_id=self.keep.id, merge_ids=ids))
            except ContactsError as exc:
                counts["not_deleted"] += len(ids)
                self.errors = dict.fromkeys(ids, exc)
            else:
                counts["deleted"] += len(ids)
        else:
            for other in ids:
                if error := await _delete_contact(client, other, counts):
                    self.errors[other] = error
        self.deleted = [each for each in ids if each not in self.errors]

    def to_fields(self) -> dict[str, Any]:
        """Return the fields of MergedContact: what `apply` has done so far."""
        return {
            "contact": summarize(self.keep),
            "changed": self.changed,
            "conflicts": self.conflicts if self._is_complete else [],
            "groups_joined": [one_line(group.name) or group.id for group in self.joined],
            "groups_left": (self.groups_left or None) if self.deleted or self.errors else None,
            "deleted": self.deleted,
            "not_deleted": [f"{contact_id}: {error.code}" for contact_id, error in self.errors.items()] or None,
        }


def _describe_conflict(conflict: FieldConflict) -> str:
    dropped = join_names([quote(value, 60) for value in conflict.dropped], 3)
    return f"{conflict.field}: {quote(conflict.kept, 60)} is kept, not {dropped}; {conflict.resolution}"


async def _join_group(client: JobClient, group: Group, contact: Contact, counts: JobCounts) -> bool:
    """Whether the contact was added; a group that was deleted meanwhile is left out."""
    try:
        await client.send(AddGroupMembers(group_id=group.id, contact_ids=[contact.id]))
    except NotFound:
        counts.to_do = (counts.to_do or 1) - 1
        return False
    counts["joined"] += 1
    return True


async def _delete_contact(client: JobClient, contact_id: str, counts: JobCounts) -> ContactsError | None:
    """Delete a contact; return the error if it is still there."""
    try:
        await client.send(DeleteContact(contact_id=contact_id))
    except NotFound:
        pass  # deleted meanwhile
    except ContactsError as exc:
        counts["not_deleted"] += 1
        return exc
    counts["deleted"] += 1
    return None
