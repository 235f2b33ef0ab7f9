"""gdpr_delete_contact: erase a person after a person agreed, read back what is left, and say what is not known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
from pydantic import Field

from contacts_mcp.contract import (
    ContactId,
    ContactsError,
    EraseRecords,
    GdprDeleteContact,
    PersonRecord,
    Record,
    Risk,
    invalid_field,
)
from contacts_mcp.contract.models import Timestamp
from contacts_mcp.guard import Target
from contacts_mcp.tools._answers import one_line
from contacts_mcp.tools._erasure_question import check_reason, check_reason_against, erasure_target
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._person import KnownPerson, offers_persons, read_person
from contacts_mcp.tools._related import MAX_RELATED, RelatedRecord, RelatedRecords, find_related
from contacts_mcp.tools._tool import Backend, PreparedCall, TouchedRecords
from contacts_mcp.wording import count

_PERSONAL_FIELDS = ("name", "company_name", "phone_number", "email", "tags", "notes")
_SEARCH_SECONDS = 10.0  # of the time limit of a call: a slow search must not keep a person from being asked
_DOCUMENTED = "the API documents this call as: permanently anonymize contact data for GDPR compliance; irreversible"
_RECEIPTS = (
    "for each record in the directory: its id, the time, the reason and a numbered receipt, without personal data"
)
_TRAIL = "in this server's audit trail: the caller, the time and the ids"
_OTHER_RECORDS = (
    "whether other records of the person, which were merged into this one or deleted earlier, still exist: the API does"
    " not show them"
)
_OTHER_PLACES = (
    "whether and when backups, logs, sent messages and other services of WAYSCloud are erased: the API does not say;"
    " ask WAYSCloud for a confirmation, with the id and the time of the request"
)


class EraseArguments(GdprDeleteContact):
    """Erase a contact's personal data permanently (GDPR article 17). To only remove a contact, use delete_contact."""

    related_ids: list[ContactId] | None = Field(
        default=None, max_length=MAX_RELATED, description="Related records to erase, too."
    )


class ErasedRecord(Record):
    """A record that is erased, or of which the service accepted the erasure."""

    id: str
    receipt: int | None = Field(default=None, description="Number of the directory's receipt.")
    erased_at: Timestamp | None = None


class RelatedSummary(Record):
    """A record that may be the same person and was not erased."""

    id: str
    name: str | None = None
    status: str
    shared: list[str]


class ErasureResult(Record):
    """What the service shows after an erasure; `left` names the fields that are still there."""

    erased: bool
    seen: str = Field(description="What the service showed afterwards.")
    left: list[str] | None = Field(default=None, description="Fields that the service still shows.")
    records: list[ErasedRecord] | None = Field(default=None, description="Every erased record.")
    cleared: list[str] | None = Field(default=None, description="Fields whose data is gone.")
    groups_left: list[str] | None = Field(default=None, description="Ids of groups that lost them.")
    remains: list[str] | None = Field(default=None, description="What is kept of the erasure.")
    related: list[RelatedSummary] | None = Field(default=None, description="May be the same person; not erased.")
    more_related: int | None = None
    known: list[str] | None = Field(default=None, description="What is known of the erasure.")
    unknown: list[str] | None = Field(default=None, description="What is not known of it.")


@dataclass(slots=True)
class _Erasure:
    """One call: what the person was shown, what the person chose, and the erasure of exactly that.

    Attributes:
        person, related: what the last question named.
        included: related records that are erased as well, by the argument or by the form.
        results: the erased ids and receipts, for the audit trail.
        touched: the records that are erased, and their groups.
    """

    backend: Backend
    arguments: EraseArguments
    has_persons: bool
    results: dict[str, Any]
    person: KnownPerson = field(default_factory=lambda: KnownPerson(None))
    related: RelatedRecords = field(default_factory=RelatedRecords)
    included: list[RelatedRecord] = field(default_factory=list)
    touched: TouchedRecords = field(default_factory=TouchedRecords)

    async def read_target(self) -> Target:
        """Read everything that the question names. Raises NotFound, or ValidationFailed for a reason or an id."""
        check_reason(self.arguments.reason)
        self.person = await read_person(self.backend, self.arguments.contact_id, has_persons=self.has_persons)
        self.related = await self._find_related()
        self.included = self._select(self.arguments.related_ids or (), is_argument=True)
        offered = [record for each in self.related.named for record in each.records]
        check_reason_against(self.arguments.reason, [*self.person.records, *offered])
        return erasure_target(
            self.arguments.contact_id, self.person, self.included, self.related, self.arguments.reason
        )

    def choose(self, ids: Sequence[str]) -> None:
        """Include the related records that the person chose."""
        self.included += self._select(ids)

    async def _find_related(self) -> RelatedRecords:
        with anyio.move_on_after(_SEARCH_SECONDS):
            return await find_related(JobClient(self.backend), self.person, has_persons=self.has_persons)
        return RelatedRecords(gap="other records could not be searched in time")

    def _select(self, ids: Sequence[str], *, is_argument: bool = False) -> list[RelatedRecord]:
        wanted = dict.fromkeys(map(str.lower, ids))
        known = {each.record.id.lower(): each for each in self.related.named}
        if is_argument and (strangers := [each for each in wanted if each not in known]):
            raise invalid_field(
                "related_ids",
                f"names {count(len(strangers), 'contact')} that the question did not name",
                "leave them out",
            )
        return [known[each] for each in wanted]

    def list_targets(self) -> list[str]:
        """List every record that is erased: the contact first, then what was merged into it, then what was chosen."""
        shown = [*self.person.records, *(record for each in self.included for record in each.records)]
        return list(dict.fromkeys([each.id for each in shown] or [self.arguments.contact_id]))

    async def run(self) -> ErasureResult:
        """Erase what the question named, and read it back."""
        result = await (self._erase_in_directory() if self.has_persons else self._erase_on_platform())
        included = {each.record.id for each in self.included}
        left = [each for each in self.related.named if each.record.id not in included]
        related = [_summarize(each) for each in left] or None
        unknown = [*(result.unknown or ()), *([f"related records: {self.related.gap}"] if self.related.gap else [])]
        more = self.related.more or None
        return result.model_copy(
            update={
                "remains": [*([_RECEIPTS] if self.has_persons else []), _TRAIL],
                **_given(related=related, more_related=more, unknown=unknown or None),
                **_given(cleared=list(_PERSONAL_FIELDS) if result.erased else None),
            }
        )

    async def _erase_in_directory(self) -> ErasureResult:
        """Erase all records in one transaction: all or none."""
        contact_id, *others = self.list_targets()
        call = EraseRecords(contact_id=contact_id, also_erase=others, reason=self.arguments.reason)
        group_ids = [self.person.group_ids or (), *(each.group_ids for each in self.included)]
        groups = {group for each in group_ids for group in each}
        self.touched.groups.update(groups)
        self.touched.contacts.update((contact_id, *others))
        found = await self.backend.send(call)
        erased = [_to_erased(each.contact_id, each.number, each.erased_at) for each in found.receipts]
        self.results |= {"erased_ids": [each.id for each in erased], "receipts": [each.receipt for each in erased]}
        result = await self._read_back([self.arguments.contact_id, *(each.record.id for each in self.included)])
        return result.model_copy(update=_given(records=erased, groups_left=sorted(groups)))

    async def _read_back(self, ids: Sequence[str]) -> ErasureResult:
        """Read the erased contacts back: only what the directory shows now is reported as erased."""
        try:
            persons = [await read_person(self.backend, each, has_persons=True) for each in ids]
        except ContactsError:
            unread = "the directory accepted the erasure, but the contact could not be read back: call again to be sure"
            return ErasureResult(erased=False, seen=unread)
        records = {record.id: record for each in persons for record in each.records}
        left = sorted(name for name in _PERSONAL_FIELDS if any(getattr(each, name) for each in records.values()))
        if left or any(each.status != "erased" for each in records.values()):
            seen = "the directory accepted the erasure, but still shows personal data"
            return ErasureResult(erased=False, seen=seen, **_given(left=left or None))
        number = count(len(records), "record")
        return ErasureResult(erased=True, seen=f"the directory shows {number} as erased, without any data")

    async def _erase_on_platform(self) -> ErasureResult:
        """Erase one record after the other; each is read back, and a later one that fails does not hide the first."""
        first = await self._erase_one(self.arguments.contact_id, self.person.contact)
        results = {self.arguments.contact_id: first}
        for each in self.included:
            try:
                results[each.record.id] = await self._erase_one(each.record.id, each.record)
            except ContactsError as exc:
                results[each.record.id] = ErasureResult(erased=False, seen=f"{exc.code}: {exc.message}")
        seen = first.seen if len(results) == 1 else "; ".join(f"{key}: {each.seen}" for key, each in results.items())
        left = sorted({name for each in results.values() for name in each.left or ()})
        known = [line for each in results.values() for line in each.known or ()]
        return ErasureResult(
            erased=all(each.erased for each in results.values()),
            seen=seen,
            known=[*known, _DOCUMENTED],
            unknown=[_OTHER_RECORDS, _OTHER_PLACES],
            **_given(left=left or None, records=[_to_erased(key) for key, each in results.items() if each.known]),
        )

    async def _erase_one(self, contact_id: str, before: PersonRecord | None) -> ErasureResult:
        """Erase one record on the platform, and compare what it shows afterwards with what it showed before."""
        self.touched.contacts.add(contact_id)
        await self.backend.send(GdprDeleteContact(contact_id=contact_id, reason=self.arguments.reason))
        self.results.setdefault("erased_ids", []).append(contact_id)
        accepted = (
            f"the service accepted the request to erase {contact_id} at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        )
        try:
            after = (await read_person(self.backend, contact_id, has_persons=False)).contact
        except ContactsError:
            unread = (
                "the service accepted the erasure, but the contact could not be read back: read it again to be sure"
            )
            return ErasureResult(erased=False, seen=unread, known=[accepted])
        erased, seen, left = _compare(before, after)
        known = [accepted, f"read back at {_now()}: {seen}"]
        return ErasureResult(erased=erased, seen=seen, known=known, **_given(left=left or None))


def _compare(before: PersonRecord | None, after: PersonRecord | None) -> tuple[bool, str, list[str]]:
    """Return whether a contact was erased, what the service shows of it, and the fields that it still shows."""
    if after is None:
        if before is None:
            return False, "the service did not show the contact before either, so this cannot be checked", []
        return True, "the service no longer shows the contact", []
    # With nothing to compare with, every value counts as left.
    left = [
        name
        for name in _PERSONAL_FIELDS
        if getattr(after, name) and (before is None or getattr(before, name) == getattr(after, name))
    ]
    if left:
        return False, "the service accepted the erasure, but still shows personal data", left
    return True, "the contact is still listed, its personal data replaced or cleared", []


async def prepare_erasure(backend: Backend, arguments: EraseArguments) -> PreparedCall:
    """Prepare an erasure. If the directory shows that the contact was erased, no person is asked again.

    Raises NotFound before any person is asked if the directory says that the contact never existed, and RecordsUnknown
    if it does not say which records belong to the person.
    """
    check_reason(arguments.reason)
    has_persons, results = await offers_persons(backend), dict[str, Any]()
    if has_persons:
        person = await read_person(backend, arguments.contact_id, has_persons=True)
        if person.contact and person.contact.status == "erased":
            answer = await _describe_earlier(backend, arguments, person)
            return PreparedCall(Risk.READ, lambda: _answer(answer))
    # The platform does not say which groups a contact is in.
    touched = TouchedRecords(knows_groups=has_persons)
    erasure = _Erasure(backend, arguments, has_persons, results, touched=touched)
    return PreparedCall(
        Risk.ERASE,
        erasure.run,
        erasure.read_target,
        results=results,
        choose=erasure.choose,
        list_targets=erasure.list_targets,
        touched=touched,
    )


async def _describe_earlier(backend: Backend, arguments: EraseArguments, person: KnownPerson) -> ErasureResult:
    """Answer a repeated erasure: when it happened, and under which receipts."""
    contact = person.contact
    assert contact
    when = f"{contact.erased_at:%Y-%m-%d %H:%M:%S} UTC" if contact.erased_at else "an unknown time"
    seen = f"the contact was erased before, at {when}, under receipt {contact.receipt}; nothing was changed"
    others = [await read_person(backend, each, has_persons=True) for each in arguments.related_ids or ()]
    if left := [each.contact.id for each in others if each.contact and each.contact.status != "erased"]:
        seen += f"; not erased, as the question was not asked again: {', '.join(left)}; erase each by its own call"
    records = [_to_erased(each.id, each.receipt, each.erased_at) for each in person.records]
    return ErasureResult(erased=True, seen=seen, records=records)


async def _answer(answer: ErasureResult) -> ErasureResult:
    return answer


def _to_erased(contact_id: str, receipt: int | None = None, erased_at: datetime | None = None) -> ErasedRecord:
    return ErasedRecord(id=contact_id, **_given(receipt=receipt, erased_at=erased_at))


def _summarize(related: RelatedRecord) -> RelatedSummary:
    record = related.record
    name = _given(name=one_line(record.name))
    return RelatedSummary(id=record.id, status=record.status, shared=list(related.shared), **name)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _given(**values: Any) -> dict[str, Any]:
    """Return the values that are not None: an answer shows only what was set."""
    return {name: value for name, value in values.items() if value is not None}
