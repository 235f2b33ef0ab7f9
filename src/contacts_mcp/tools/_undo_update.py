"""Undo an update of update_matching_contacts by its receipt: the plan, and how it is applied."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import Field

from contacts_mcp.contract import (
    MAX_BATCH_SIZE,
    UUID,
    Conflict,
    NotFound,
    ReadUndo,
    Risk,
    UndoneContact,
    UndoUpdate,
    invalid_field,
)
from contacts_mcp.guard import Target
from contacts_mcp.text import quote
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, one_line
from contacts_mcp.tools._changes import Change, ContactChange, list_changes, show_values
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._plan import Applied, PlanArguments, describe_overwrites, fingerprint_plan, risk_of_updates
from contacts_mcp.tools._plan_row import PlanRow, plan_row
from contacts_mcp.tools._plan_row import list_changes as list_field_changes
from contacts_mcp.tools._tool import JobCounts
from contacts_mcp.tools._turns import iterate_cooperatively
from contacts_mcp.wording import count

UNDO = "undo"  # the extension with which a directory undoes updates
_SAMPLE_SIZE, _MAX_NAME_LENGTH = 5, 40
_RECOVERABLE = ("tags", "phone_number")
"""Fields that an update only adds to or writes as E.164, so that nothing is lost by undoing it."""
_NOT_OFFERED = "this directory keeps no values that updates replace"
_GONE = "this update can no longer be undone: its receipt is unknown here, was used, or is older than a day"
_NOTHING_CHANGED = "nothing was changed"
_CHANGED_SINCE = "was changed again since the update, and stays as it is"
_DELETED_SINCE = "was deleted since the update, and stays as it is"


class UpdateUndone(ShortAnswer):
    """The plan, or what was done, in the same counts: `restores` + `changed_since` + `deleted` + `erased` =
    `contacts`.
    """

    applied: Applied
    contacts: int = Field(description="Contacts that the update changed.")
    restores: int = Field(description="Contacts that get their old values back.")
    changed_since: int = Field(description="Contacts that were changed again since the update, and stay as they are.")
    deleted: int = Field(description="Contacts that were deleted since; they stay as they are.")
    erased: int = Field(description="Contacts that were erased since.")
    overwrites: int | None = Field(default=None, description="Of a plan: non-empty fields that are replaced.")
    sample: list[ContactChange] | None = Field(default=None, description="Of a plan: the first changes.")
    left_alone: list[ContactSummary] = Field(description="Some of the contacts that were changed since.")
    plan: str | None = None
    next: str | None = None


@dataclass(slots=True)
class _Contacts:
    """The contacts of an update: those that get their values back, and those that stay as they are."""

    restores: list[UndoneContact] = field(default_factory=list)
    changed: list[UndoneContact] = field(default_factory=list)
    deleted: list[UndoneContact] = field(default_factory=list)
    erased: int = 0

    @property
    def total(self) -> int:
        return len(self.restores) + len(self.changed) + len(self.deleted) + self.erased


@dataclass(frozen=True)
class UndoPlan:
    """A plan to undo an update."""

    receipt: str
    contacts: _Contacts
    fingerprint: str

    @property
    def change_count(self) -> int:
        return len(self.contacts.restores)

    @cached_property
    def overwrites(self) -> Counter[str]:
        """How many contacts lose the value that the update gave to each field."""
        lost = (
            name
            for each in self.contacts.restores
            for name, value in each.current.items()
            if value and name not in _RECOVERABLE
        )
        return Counter(lost)

    @property
    def risk(self) -> Risk:
        return risk_of_updates(self.change_count, self.overwrites)

    def to_answer(self, **fields: Any) -> UpdateUndone:
        return UpdateUndone(
            applied=False,
            contacts=self.contacts.total,
            restores=self.change_count,
            changed_since=len(self.contacts.changed),
            deleted=len(self.contacts.deleted),
            erased=self.contacts.erased,
            overwrites=self.overwrites.total(),
            sample=self._sample(),
            left_alone=self._left_alone(),
            **fields,
        )

    def iter_rows(self) -> Iterator[PlanRow]:
        """Iterate over the contacts of the update, but for erased ones: first those that get their values back."""
        for each in self.contacts.restores:
            yield plan_row("update", each.name, each.id, changes=list_field_changes(each.current, each.before))
        for each in self.contacts.changed:
            yield plan_row("unchanged", each.name, each.id, notes=[_CHANGED_SINCE])
        for each in self.contacts.deleted:
            yield plan_row("unchanged", each.name, each.id, notes=[_DELETED_SINCE])

    def list_targets(self) -> Sequence[str]:
        return [each.id for each in self.contacts.restores]

    def to_target(self) -> Target:
        restores, total = self.contacts.restores, self.change_count
        names = [quote(each.name or "", _MAX_NAME_LENGTH) for each in restores[:_SAMPLE_SIZE]]
        label = f"{count(total, 'contact')}, {', '.join(names)}" + (" and others" if total > len(names) else "")
        changes = (Change(each.id, each.name, each.current, each.before) for each in restores)
        effect = "An update is undone: these contacts get the values back that it replaced."
        lines = [effect, list_changes(changes, total), describe_overwrites(self.overwrites)]
        return Target(label, "\n".join(filter(None, lines)), self.fingerprint)

    async def apply(self, client: JobClient, counts: JobCounts) -> UpdateUndone:
        """Undo the update. The directory checks again which contacts were changed since."""
        counts.to_do = left = self.change_count + len(self.contacts.changed) + len(self.contacts.deleted)
        progress = client.progress("contacts restored", counts.to_do)
        async with client.cancel_grace():
            while left:
                call = UndoUpdate(receipt=self.receipt, contacts=min(MAX_BATCH_SIZE, self.change_count))
                done = await client.send(call)
                counts.update(restored=done.restored, changed_since=done.changed, deleted=done.deleted)
                await progress.advance(done.restored + done.changed + done.deleted)
                left = done.remaining
        return UpdateUndone(
            applied=True,
            contacts=self.contacts.total,
            restores=counts["restored"],
            changed_since=counts["changed_since"],
            deleted=counts["deleted"],
            erased=self.contacts.erased,
            left_alone=self._left_alone(),
        )

    def _sample(self) -> list[ContactChange]:
        return [
            ContactChange(id=each.id, name=one_line(each.name), change=show_values(each.current, each.before))
            for each in self.contacts.restores[:_SAMPLE_SIZE]
        ]

    def _left_alone(self) -> list[ContactSummary]:
        return [ContactSummary(id=each.id, name=one_line(each.name)) for each in self.contacts.changed[:_SAMPLE_SIZE]]


async def plan_undo(client: JobClient, receipt: str, arguments: PlanArguments) -> UndoPlan:
    """Plan to undo an update.

    Raises:
        ValidationFailed: the service undoes no updates, or this is no receipt.
        NotFound: the update cannot be undone any more.
    """
    if not (await client.backend.offer()).has(UNDO):
        raise invalid_field("undo", f"cannot be used here: {_NOT_OFFERED}", _NOTHING_CHANGED)
    if not UUID.fullmatch(receipt.strip()):
        raise invalid_field("undo", "is not a receipt", "take the `undo` that the update answered when it was applied")
    try:
        contacts = await _read(client, receipt)
    except (NotFound, Conflict):
        raise NotFound(_GONE, advice=_NOTHING_CHANGED) from None
    steps = ((each.id, each.current, each.before) for each in contacts.restores)
    return UndoPlan(receipt, contacts, await fingerprint_plan(arguments, steps))


async def _read(client: JobClient, receipt: str) -> _Contacts:
    """Read the contacts of an update, a page at a time."""
    found = _Contacts()
    progress = client.progress("contacts read")
    after: str | None = None
    while True:
        page = await client.send(ReadUndo(receipt=receipt, after=after))
        async for each in iterate_cooperatively(page.contacts):
            match each.status:
                case "unchanged":
                    found.restores.append(each)
                case "changed":
                    found.changed.append(each)
                case "deleted":
                    found.deleted.append(each)
        found.erased = page.erased
        await progress.advance(len(page.contacts))
        if page.next is None:
            return found
        after = page.next
