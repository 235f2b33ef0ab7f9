"""update_matching_contacts: make one change to all contacts that match a filter."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp import phones
from contacts_mcp.contract import Contact, NewType, Record, Risk, Tags, Text, UpdateContact
from contacts_mcp.contract.models import Timestamp
from contacts_mcp.guard import PromptWording, Target
from contacts_mcp.text import quote
from contacts_mcp.tools._answers import ShortAnswer, join_names, one_line, summarize
from contacts_mcp.tools._changes import Change, ContactChange, list_changes, show_values
from contacts_mcp.tools._job import ContactWrite, JobClient, JobUndo, WriteResult, write_contacts
from contacts_mcp.tools._plan import (
    Applied,
    PlanArguments,
    describe_overwrites,
    fingerprint_plan,
    plan_or_apply,
    risk_of_updates,
)
from contacts_mcp.tools._plan_row import PlanRow, RowedPlan, plan_row
from contacts_mcp.tools._plan_row import list_changes as list_field_changes
from contacts_mcp.tools._select import FilterOrGroupArguments, iter_contacts
from contacts_mcp.tools._tool import Backend, JobCounts, Tool
from contacts_mcp.tools._turns import iter_sorted, iterate_cooperatively
from contacts_mcp.tools._undo_update import UNDO, UndoPlan, UpdateUndone, plan_undo
from contacts_mcp.tools._values import Region, edit_tags, require_tag_count
from contacts_mcp.wording import count

_SAMPLE_SIZE = 5
_MAX_NAME_LENGTH, _MAX_TAG_LENGTH, _MAX_NUMBER_LENGTH = 40, 40, 30
_NO_UNDO = "this update cannot be undone: it has too many contacts, or the directory cannot keep their old values"
_FIELD_BY_ARGUMENT = {"set_type": "type", "set_company_name": "company_name", "set_notes": "notes"}


class UpdateMatchingContacts(FilterOrGroupArguments, PlanArguments):
    """Change all contacts that match a filter: tags, fields, numbers to E.164. First shows a plan; for one contact, use
    update_contact.
    """

    set_type: NewType = None
    set_company_name: Text | None = None
    set_notes: Text | None = Field(default=None, description="Replaces their notes.")
    add_tags: Tags | None = None
    remove_tags: Tags | None = None
    normalize_phones: bool = Field(default=False, description="Write valid numbers as E.164.")
    default_region: Region | None = Field(default=None, description="Country of numbers without +, e.g. NO.")
    undo: Text | None = Field(default=None, description="Receipt of an update to undo, without filter.")

    @model_validator(mode="after")
    def _check_changes_something(self) -> Self:
        if self.undo is not None:
            if self.model_dump(exclude_defaults=True).keys() - {"undo", "apply", "plan"}:
                raise PydanticCustomError("undo", "undo cannot be combined with other arguments")
            return self
        if not (self.normalize_phones or self.set_fields or self.add_tags or self.remove_tags):
            repeat = ": repeat the arguments of the plan" if self.apply else ""
            raise PydanticCustomError("nothing", f"names nothing to change{repeat}")
        return self

    @property
    def set_fields(self) -> dict[str, Any]:
        """The fields of a contact that are set, and their values."""
        values = {name: getattr(self, argument) for argument, name in _FIELD_BY_ARGUMENT.items()}
        return {name: value for name, value in values.items() if value is not None}


class UnchangedContact(Record):
    """A contact that was not changed as asked."""

    id: str
    why: str


class MatchingUpdated(ShortAnswer):
    """The plan, or what was done, in the same counts: `unchanged` + `updates` + `failed` + `unknown` = `matched`."""

    applied: Applied
    matched: int = Field(description="Contacts that match the filter.")
    unchanged: int = Field(description="Matching contacts that already have the values.")
    updates: int = Field(description="Contacts that change.")
    failed: int | None = Field(default=None, description="Contacts that could not be changed.")
    unknown: int | None = Field(default=None, description="Contacts whose answer was lost; they may be changed.")
    overwrites: int = Field(description="Non-empty fields that are replaced.")
    not_normalized: int | None = Field(default=None, description="Contacts whose number is not valid.")
    not_normalized_sample: list[UnchangedContact] | None = Field(default=None, description="The first of them.")
    sample: list[ContactChange] | None = Field(default=None, description="Of a plan: the first changes.")
    failures: list[UnchangedContact] | None = None
    undo: str | None = Field(default=None, description="Receipt to undo this update with.")
    undo_until: Timestamp | None = Field(default=None, description="Until when it can be undone.")
    undo_note: str | None = Field(default=None, description="Why it cannot be undone.")
    plan: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Update:
    contact_id: str
    name: str | None
    values: dict[str, Any]
    before: dict[str, Any]
    overwrites: tuple[str, ...]


class _Unchanged(NamedTuple):
    """A contact that matches and stays as it is."""

    contact_id: str
    name: str | None


@dataclass(slots=True)
class _Plan:
    """The updates of a call.

    Attributes:
        unchanged, reasons: the contacts that stay as they are, and why numbers are not normalized, by contact; only
            filled if `lists_rows`.
    """

    arguments: UpdateMatchingContacts
    region: str | None
    lists_rows: bool = False
    matched: int = 0
    not_normalized: int = 0
    not_normalized_sample: list[UnchangedContact] = field(default_factory=list)
    updates: list[_Update] = field(default_factory=list)
    sample: list[ContactChange] = field(default_factory=list)
    unchanged: list[_Unchanged] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""

    def add(self, contact: Contact) -> None:
        """Plan the update of a contact, if it differs."""
        self.matched += 1
        wanted = {**self.arguments.set_fields, **self._edit_tags(contact), **self._normalize_phone(contact)}
        values = {name: value for name, value in wanted.items() if value != getattr(contact, name)}
        if not values:
            if self.lists_rows:
                self.unchanged.append(_Unchanged(contact.id, contact.name))
            return
        before = {name: getattr(contact, name) for name in values}
        # Nothing is lost by writing the same number as E.164, or by tags, which can be added again.
        overwrites = tuple(name for name, value in before.items() if name in self.arguments.set_fields and value)
        self.updates.append(_Update(contact.id, contact.name, values, before, overwrites))
        if len(self.sample) < _SAMPLE_SIZE:
            change = show_values(before, values)
            self.sample.append(ContactChange(**summarize(contact, "name").model_dump(), change=change))

    def _edit_tags(self, contact: Contact) -> dict[str, Any]:
        add, remove = self.arguments.add_tags or [], self.arguments.remove_tags or []
        if not (add or remove):
            return {}
        tags = edit_tags(contact.tags, add, remove)
        require_tag_count(tags, "add_tags", f"contact {contact.id}")
        return {"tags": tags}

    def _normalize_phone(self, contact: Contact) -> dict[str, Any]:
        if not self.arguments.normalize_phones or not contact.phone_number:
            return {}
        number = phones.normalize(contact.phone_number, self.region)
        if number:
            return {"phone_number": number}
        self.not_normalized += 1
        is_in_sample = len(self.not_normalized_sample) < _SAMPLE_SIZE
        if is_in_sample or self.lists_rows:
            why = f"{quote(contact.phone_number, _MAX_NUMBER_LENGTH)} is {phones.describe_invalid(self.region)}"
            self.not_normalized_sample += [UnchangedContact(id=contact.id, why=why)] * is_in_sample
            self.reasons |= {contact.id: why} if self.lists_rows else {}
        return {}

    @property
    def change_count(self) -> int:
        return len(self.updates)

    @property
    def overwrites(self) -> Counter[str]:
        """How many contacts lose the value of each field."""
        return Counter(name for update in self.updates for name in update.overwrites)

    @property
    def risk(self) -> Risk:
        return risk_of_updates(len(self.updates), self.overwrites)

    def to_answer(self, **fields: str | None) -> MatchingUpdated:
        counts = {"updates": len(self.updates), "overwrites": self.overwrites.total()}
        return self._answer(applied=False, sample=self.sample, **counts, **fields)

    def iter_rows(self) -> Iterator[PlanRow]:
        """Iterate over the contacts that match: first those that change."""
        for each in self.updates:
            changes, notes = list_field_changes(each.before, each.values), self._list_notes(each.contact_id)
            yield plan_row("update", each.name, each.contact_id, changes=changes, notes=notes)
        for contact_id, name in self.unchanged:
            yield plan_row("unchanged", name, contact_id, notes=self._list_notes(contact_id))

    def _list_notes(self, contact_id: str) -> list[str]:
        return [self.reasons[contact_id]] if contact_id in self.reasons else []

    def list_targets(self) -> list[str]:
        return [update.contact_id for update in self.updates]

    def to_target(self) -> Target:
        total = len(self.updates)
        names = [quote(each.name or "", _MAX_NAME_LENGTH) for each in self.updates[:_SAMPLE_SIZE]]
        label = f"{count(total, 'contact')}, {', '.join(names)}" + (" and others" if total > len(names) else "")
        changes = (Change(each.contact_id, each.name, each.before, each.values) for each in self.updates)
        lines = [_describe_effect(self.arguments), list_changes(changes, total), describe_overwrites(self.overwrites)]
        return Target(label, "\n".join(filter(None, lines)), self.fingerprint)

    async def apply(self, client: JobClient, counts: JobCounts) -> MatchingUpdated:
        counts.to_do = len(self.updates)
        failures: list[UnchangedContact] = []
        overwrites = 0

        def record(update: _Update, result: WriteResult) -> None:
            nonlocal overwrites
            counts[result.failure or "updated"] += 1
            if result.error is None:
                overwrites += len(update.overwrites)
            elif len(failures) < _SAMPLE_SIZE:
                failures.append(UnchangedContact(id=update.contact_id, why=one_line(str(result.error), 120) or ""))

        writes = (ContactWrite(each, UpdateContact(contact_id=each.contact_id, **each.values)) for each in self.updates)
        undo = JobUndo() if await client.backend.supports(UNDO) else None
        await write_contacts(client, writes, record, client.progress("contacts updated", counts.to_do), undo)
        done = {"updates": counts["updated"], "failed": counts["failed"], "unknown": counts["unknown"]}
        undoing = _describe_undo(undo) if undo and counts["updated"] else {}
        return self._answer(applied=True, overwrites=overwrites, failures=failures or None, **done, **undoing)

    def _answer(self, **more: Any) -> MatchingUpdated:
        return MatchingUpdated(
            matched=self.matched,
            unchanged=self.matched - len(self.updates),
            not_normalized=self.not_normalized or None,
            not_normalized_sample=self.not_normalized_sample or None,
            **more,
        )


def _describe_undo(undo: JobUndo) -> dict[str, Any]:
    """Return the fields of the answer that say whether and until when an update can be undone."""
    return {"undo": undo.receipt, "undo_until": undo.until} if undo.until else {"undo_note": _NO_UNDO}


def _describe_effect(arguments: UpdateMatchingContacts) -> str:
    """What happens to each of the contacts, for the question."""
    parts = [f"{name} becomes {_describe_new(name, value)}" for name, value in arguments.set_fields.items()]
    parts += _list_tags("tags added", arguments.add_tags) + _list_tags("tags removed", arguments.remove_tags)
    parts += ["phone numbers are written as E.164"] if arguments.normalize_phones else []
    return f"{'; '.join(parts)}."


def _describe_new(name: str, value: str) -> str:
    return f"a text of {len(value):,} characters" if name == "notes" else quote(value, 100)


def _list_tags(what: str, tags: Iterable[str] | None) -> list[str]:
    return [f"{what}: {join_names([quote(tag, _MAX_TAG_LENGTH) for tag in tags])}"] if tags else []


async def _make_plan(
    client: JobClient, arguments: UpdateMatchingContacts, *, lists_rows: bool = False
) -> _Plan | UndoPlan:
    if arguments.undo is not None:
        return await plan_undo(client, arguments.undo, arguments)
    plan = _Plan(arguments, arguments.default_region or client.backend.default_region, lists_rows)
    fields = {"id", "name", "tags", "phone_number", *arguments.set_fields}
    async for page in iter_contacts(client, arguments.filter, fields, client.progress("contacts read")):
        async for contact in iterate_cooperatively(page):
            plan.add(contact)
    by_id = iter_sorted(plan.updates, key=attrgetter("contact_id"))
    steps = ((each.contact_id, each.name, each.values, each.before) for each in by_id)
    plan.fingerprint = await fingerprint_plan(arguments, steps)
    return plan


async def _plan_rows(backend: Backend, arguments: UpdateMatchingContacts) -> RowedPlan:
    return await _make_plan(JobClient(backend), arguments, lists_rows=True)


update_matching_contacts = Tool(
    name="update_matching_contacts",
    risk=Risk.DESTROY,
    arguments=UpdateMatchingContacts,
    answer=MatchingUpdated,
    prepare=plan_or_apply(_make_plan),
    plans_first=True,
    min_risk=Risk.WRITE,
    wording=PromptWording("Change", "change"),
    shows_stored_data=True,
    plan_rows=_plan_rows,
    other_answers=(UpdateUndone,),
    extension_args={"undo": UNDO},
    view="plan",
)
