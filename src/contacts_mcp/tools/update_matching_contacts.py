"""update_matching_contacts: one change for all contacts that a filter meets."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp import phones
from contacts_mcp.contract import Contact, ContactType, Record, Risk, Text, UpdateContact
from contacts_mcp.guard import PromptWording, Target
from contacts_mcp.text import quote
from contacts_mcp.tools._answers import Brief, ShortAnswer
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._job_counts import JobCounts
from contacts_mcp.tools._phones import Region
from contacts_mcp.tools._tags import retagged
from contacts_mcp.tools._tool import PreparedCall
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.steps import (
    MANY,
    FilteredOrGrouped,
    JobClient,
    Outcome,
    Planned,
    Progress,
    Writing,
    brief,
    chosen,
    cut,
    fingerprint_of,
    plan_or_apply,
    some,
    write_all,
)

_SAMPLE = 5
_SET = {"set_type": "type", "set_company_name": "company_name", "set_notes": "notes"}


class UpdateMatchingContacts(FilteredOrGrouped, Planned):
    """Change all contacts that a filter meets: tags, fields, numbers to E.164. First shows a plan; for one contact use
    update_contact.
    """

    set_type: ContactType | None = None
    set_company_name: Text | None = None
    set_notes: Text | None = Field(default=None, description="Replaces their notes.")
    add_tags: list[Text] | None = None
    remove_tags: list[Text] | None = None
    normalize_phones: bool = Field(default=False, description="Write valid numbers as E.164.")
    default_region: Region | None = Field(default=None, description="Of national numbers, e.g. NO.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not (self.normalize_phones or self.sets or self.add_tags or self.remove_tags):
            raise PydanticCustomError("nothing", "names nothing to change")
        return self

    @property
    def sets(self) -> dict[str, Any]:
        """The fields that are set, by the contact's name for them."""
        values = {name: getattr(self, argument) for argument, name in _SET.items()}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def fields(self) -> set[str]:
        """What has to be known of a contact to tell what would change."""
        return {"id", "name", "tags", "phone_number", *self.sets}


class Changed(Brief):
    """A contact, and what changes in it."""

    change: str


class Failed(Record):
    """A contact that could not be changed, and why."""

    id: str
    why: str


class MatchingUpdated(ShortAnswer):
    """How many contacts match and change; after it was applied also what became of them. The counts add up."""

    applied: bool
    matched: int
    unchanged: int
    to_change: int | None = None
    changed: int | None = None
    failed: int | None = None
    unknown: int | None = Field(default=None, description="The answer was lost; the change may have been made.")
    overwritten: int = Field(description="Non-empty fields that get another value.")
    not_normalized: int | None = Field(default=None, description="Numbers that are not valid in any writing.")
    sample: list[Changed]
    failures: list[Failed] | None = None
    plan: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    contact_id: str
    values: dict[str, Any]
    before: dict[str, Any]


@dataclass(slots=True)
class _Changes:
    arguments: UpdateMatchingContacts
    region: str | None
    matched: int = 0
    not_normalized: int = 0
    steps: list[_Change] = field(default_factory=list)
    sample: list[Changed] = field(default_factory=list)
    overwritten: Counter[str] = field(default_factory=Counter)
    fingerprint: str = ""

    def look_at(self, contact: Contact) -> None:
        """Note what would change in a contact."""
        self.matched += 1
        wanted = {**self.arguments.sets, **self._tags(contact), **self._phone(contact)}
        values = {name: value for name, value in wanted.items() if value != getattr(contact, name)}
        if not values:
            return
        # To write the same number as E.164 takes nothing away, and a tag can be put back.
        before = {name: getattr(contact, name) for name in values}
        self.overwritten.update(name for name, value in before.items() if name in self.arguments.sets and value)
        self.steps.append(_Change(contact.id, values, before))
        if len(self.sample) < _SAMPLE:
            self.sample.append(Changed(**brief(contact, "name").model_dump(), change=_told(contact, values)))

    def _tags(self, contact: Contact) -> dict[str, Any]:
        add, remove = self.arguments.add_tags or [], self.arguments.remove_tags or []
        return {"tags": retagged(contact.tags, add, remove)} if add or remove else {}

    def _phone(self, contact: Contact) -> dict[str, Any]:
        if not self.arguments.normalize_phones or not contact.phone_number:
            return {}
        number = phones.normalize(contact.phone_number, self.region)
        self.not_normalized += number is None
        return {"phone_number": number} if number else {}

    @property
    def changes(self) -> int:
        return len(self.steps)

    @property
    def risk(self) -> Risk:
        """Grave where it is many, or where something is lost that nobody could put back."""
        return Risk.DESTROY if len(self.steps) >= MANY or self.overwritten else Risk.WRITE

    def shown(self) -> MatchingUpdated:
        again = "show the person the plan; on their yes call again with apply and this plan"
        return self._answer(applied=False, to_change=len(self.steps), plan=self.fingerprint, next=again)

    def target(self) -> Target:
        names = [quote(each.name or "", 60) for each in self.sample]
        more = [""] * (len(self.steps) - len(names))
        return Target(
            label=f"{len(self.steps):,} contacts, {some([*names, *more], _SAMPLE)}",
            effect=_effect(self.arguments, self.overwritten),
            phrase="",
            fingerprint=self.fingerprint,
        )

    async def carry_out(self, backend: Backend, counts: JobCounts) -> MatchingUpdated:
        counts.to_do = len(self.steps)
        failures: list[Failed] = []

        def settle(contact_id: str, outcome: Outcome) -> None:
            counts["unknown" if outcome.unsettled else "failed" if outcome.fault else "changed"] += 1
            if outcome.fault and len(failures) < _SAMPLE:
                failures.append(Failed(id=contact_id, why=cut(str(outcome.fault), 120) or ""))

        writings = (
            Writing(step.contact_id, UpdateContact(contact_id=step.contact_id, **step.values)) for step in self.steps
        )
        await write_all(
            backend, JobClient(backend), writings, settle, Progress(backend.report, "contacts", counts.to_do)
        )
        done = {name: counts[name] for name in ("changed", "failed", "unknown")}
        return self._answer(applied=True, failures=failures or None, **done)

    def _answer(self, **more: Any) -> MatchingUpdated:
        return MatchingUpdated(
            matched=self.matched,
            unchanged=self.matched - len(self.steps),
            overwritten=self.overwritten.total(),
            not_normalized=self.not_normalized or None,
            sample=self.sample,
            **more,
        )


def _told(contact: Contact, values: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {_short(getattr(contact, name))} → {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    shown = ", ".join(value) if isinstance(value, list) else str(value or "")
    return cut(shown, 40) or "(empty)"


def _effect(arguments: UpdateMatchingContacts, overwritten: Counter[str]) -> str:
    """What a person is told that happens to each of them."""
    parts = [f"{name} becomes {quote(str(value), 200)}" for name, value in arguments.sets.items()]
    parts += _listed("tags added", arguments.add_tags) + _listed("tags removed", arguments.remove_tags)
    parts += ["phone numbers are written as E.164"] if arguments.normalize_phones else []
    lost = [f"{count:,} times {name}" for name, count in overwritten.items()]
    return f"{'; '.join(parts)}." + (f" What is there now is overwritten: {', '.join(lost)}." if lost else "")


def _listed(what: str, tags: Iterable[str] | None) -> list[str]:
    return [f"{what}: {some([quote(tag, 60) for tag in tags], 10)}"] if tags else []


async def _prepare(backend: Backend, arguments: UpdateMatchingContacts) -> PreparedCall:
    async def look() -> _Changes:
        return await _plan(backend, arguments)

    return await plan_or_apply(backend, arguments, look)


async def _plan(backend: Backend, arguments: UpdateMatchingContacts) -> _Changes:
    plan = _Changes(arguments, arguments.default_region or backend.default_region)
    progress = Progress(backend.report, "contacts read")
    async for page in chosen(backend, JobClient(backend), arguments.filter, arguments.fields, progress):
        for contact in page:
            plan.look_at(contact)
    steps = sorted((step.contact_id, step.values, step.before) for step in plan.steps)
    plan.fingerprint = fingerprint_of(arguments, steps)
    return plan


update_matching_contacts = workflow_tool(
    "update_matching_contacts",
    UpdateMatchingContacts,
    MatchingUpdated,
    _prepare,
    risk=Risk.DESTROY,
    min_risk=Risk.WRITE,
    wording=PromptWording("Change", "change"),
)
