"""The plan of an import: what is done with each row, and how it is applied."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import anyio
import anyio.to_thread

from contacts_mcp.contract import CreateContact, Group, Risk, UpdateContact
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.tools._answers import one_line
from contacts_mcp.tools._changes import Change, describe_contact, describe_values, list_changes
from contacts_mcp.tools._import_answer import ImportAnswer, count_unreachable, explain
from contacts_mcp.tools._import_results import RowResult, keep_results
from contacts_mcp.tools._import_rows import Decision, MatchOptions, Source, match_unique
from contacts_mcp.tools._job import ContactWrite, JobClient, WriteResult, add_to_group, write_contacts
from contacts_mcp.tools._new_group import NewGroup, create_if_new, describe_if_new
from contacts_mcp.tools._plan import describe_overwrites, risk_of_updates
from contacts_mcp.tools._plan_row import FieldChange, PlanRow, RowAction, joins_group, plan_row
from contacts_mcp.tools._plan_row import list_changes as list_field_changes
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import JobCounts
from contacts_mcp.tools._turns import iter_sorted
from contacts_mcp.wording import count

_MAX_PROBLEMS_SHOWN, _MAX_FAILURES_SHOWN, _MAX_OVERWRITTEN_SHOWN = 10, 5, 10
_MAX_WRITE_ATTEMPTS = 5  # times that a row is written if the answer to its write is lost
_NOT_WRITTEN = {"create": "not_created", "update": "not_updated"}
"""The outcome of rows that the import did not get to."""


@dataclass(slots=True)
class ImportPlan:
    """What is done with each row, and who is added to the group.

    Attributes:
        members: the ids of the group's members before the import.
        region_change: which numbers differ from the last plan of the file, which had another region.
        written: the results of the rows that were written, by row.
        replaced: how many non-empty fields were replaced.
    """

    group: Group | None
    source: Source
    decisions: list[Decision]
    options: MatchOptions
    members: frozenset[str]
    fingerprint: str = ""
    region_change: list[str] | None = None
    written: dict[int, RowResult] = field(default_factory=dict)
    replaced: int = 0

    @property
    def counts_by_action(self) -> Counter[str]:
        return Counter(decision.action for decision in self.decisions)

    @property
    def to_write(self) -> list[Decision]:
        return [decision for decision in self.decisions if decision.action in _NOT_WRITTEN]

    @property
    def overwrites(self) -> Counter[str]:
        """How many contacts lose the value of each field."""
        return Counter(name for decision in self.decisions for name in decision.overwrites)

    @property
    def adds_to_group(self) -> int:
        """How many contacts are added to the group."""
        return len(self._list_joining()) + self.counts_by_action["create"] if self.group else 0

    @property
    def change_count(self) -> int:
        return len(self.to_write) + self.adds_to_group + isinstance(self.group, NewGroup)

    @property
    def risk(self) -> Risk:
        return risk_of_updates(self.counts_by_action["update"], self.overwrites)

    def list_targets(self) -> list[str]:
        """List the contacts that are updated or added to the group."""
        updated = (each.id for each in self.decisions if each.id and each.action == "update")
        return list(dict.fromkeys([*updated, *self._list_joining()]))

    def _list_joining(self) -> list[str]:
        """List the contacts of the directory that are added to the group."""
        if self.group is None:
            return []
        found = dict.fromkeys(each.id for each in self.decisions if each.id)
        return [each for each in found if each not in self.members]

    def to_answer(self, **steps: str | None) -> ImportAnswer:
        counts = self.counts_by_action
        return self._answer(
            applied=False,
            new_contacts=counts["create"],
            updates=counts["update"],
            new_members=self.adds_to_group if self.group else None,
            new_group=describe_if_new(self.group),
            overwrites=self.overwrites.total(),
            overwritten_contacts=self._list_overwritten() or None,
            region_change=self.region_change,
            **explain(self.source, self.decisions, self.options),
            **steps,
        )

    def iter_rows(self) -> Iterator[PlanRow]:
        """Iterate over the rows of the file."""
        joining = set(self._list_joining())
        for each in self.decisions:
            changes = _list_changes(each)
            action: RowAction = each.action
            if self.group and (each.action == "create" or each.id in joining):
                joining.discard(each.id or "")  # another row may be the same contact
                changes.append(joins_group(self.group.name))
                action = "add" if each.action == "unchanged" else each.action
            draft = each.draft
            yield plan_row(action, draft.name, each.id, row=draft.row, changes=changes, notes=_list_notes(each))

    def to_target(self) -> Target:
        """The question names the contacts as the directory has them: whom they are about is not for the file to say."""
        updates, creates = (self.counts_by_action[action] for action in ("update", "create"))
        changed = count(updates, "contact") if updates else "no existing contact"
        label = f"{changed}{f', and create {creates:,}' if creates else ''}, with data from a file"
        lines = [list_changes((_to_change(each) for each in self.decisions if each.action == "update"), updates)]
        lines += [describe_overwrites(self.overwrites)]
        if self.group is not None:
            lines.append(f"Added to {describe_record(self.group)}: {count(self.adds_to_group, 'contact')}.")
        return Target(
            label, "\n".join(filter(None, lines)), hash_json([self.fingerprint, self.group and self.group.model_dump()])
        )

    async def apply(self, client: JobClient, counts: JobCounts) -> ImportAnswer:
        """Write the rows, then add the contacts to the group. The result file is written even after an error."""
        counts.to_do = len(self.decisions)
        by_action = await anyio.to_thread.run_sync(lambda: self.counts_by_action)
        counts.update({action: count for action, count in by_action.items() if action not in _NOT_WRITTEN})
        result_file: dict[str, Any] = {}
        try:
            await self._write(client, counts)
            added = await self._add_to_group(client, counts)
        finally:
            with anyio.CancelScope(shield=True):
                result_file = await keep_results(client.backend, self.source.path, self._iter_results())
        make_answer = partial(
            self._answer,
            applied=True,
            new_contacts=counts["created"],
            updates=counts["updated"],
            failed=counts["failed"] or None,
            unknown=counts["unknown"] or None,
            **added,
            overwrites=self.replaced,
            not_reachable_by_sms=count_unreachable(self.source.usable) or None,
            **result_file,
            next="call again without apply for what failed" if counts["failed"] or counts["unknown"] else None,
        )
        return await anyio.to_thread.run_sync(make_answer)

    async def _write(self, client: JobClient, counts: JobCounts) -> None:
        """Write the rows. If the answer to a write is lost, the row is matched again: its contact may be there now."""
        left = await anyio.to_thread.run_sync(lambda: self.to_write)
        progress = client.progress("rows written", len(left))
        for attempt in range(1, _MAX_WRITE_ATTEMPTS + 1):
            writes = (ContactWrite(decision, _to_call(decision)) for decision in left)
            await write_contacts(client, writes, partial(self._record, counts), progress)
            uncertain = [decision for decision in left if self.written[decision.draft.row].outcome == "unknown"]
            if not uncertain or attempt == _MAX_WRITE_ATTEMPTS:
                return
            left = await self._match_again(client, uncertain, counts)

    def _record(self, counts: JobCounts, decision: Decision, result: WriteResult) -> None:
        """Record the result of a row; an unknown result from an earlier attempt is replaced."""
        row = decision.draft.row
        if row in self.written:
            counts["unknown"] -= 1
        outcome = result.failure or ("created" if decision.action == "create" else "updated")
        counts[outcome] += 1
        if outcome == "created" and result.id:
            counts.created_ids.append(result.id)
        if result.error is None:
            self.replaced += len(decision.overwrites)
        detail = one_line(str(result.error), 200) if result.error else decision.detail
        self.written[row] = RowResult(row, outcome, result.id or decision.id, detail or "")

    async def _match_again(self, client: JobClient, uncertain: Sequence[Decision], counts: JobCounts) -> list[Decision]:
        """Match rows again whose result is unknown; return those that still have to be written.

        The result of a row that now matches several contacts stays unknown.
        """
        again = await match_unique(client, [decision.draft for decision in uncertain], self.options)
        for before, now in zip(uncertain, again, strict=True):
            row = now.draft.row
            if now.action == "unchanged":
                self._record(counts, before, WriteResult(now.id))
            elif now.action not in _NOT_WRITTEN:
                self.written[row] = RowResult(row, "unknown", None, f"the answer was lost; now {now.detail}")
        return [decision for decision in again if decision.action in _NOT_WRITTEN]

    async def _add_to_group(self, client: JobClient, counts: JobCounts) -> dict[str, Any]:
        """Add the imported contacts to the group, which is created first if it is new; return the answer's fields."""
        if self.group is None:
            return {}
        group = await create_if_new(client, self.group, counts)
        ids = await anyio.to_thread.run_sync(self._list_new_members)
        progress = client.progress("contacts added to the group", len(ids))
        await add_to_group(client, group.id, ids, lambda _: None, progress)
        return {"new_members": len(ids), "new_group": describe_if_new(self.group, group.id)}

    def _list_new_members(self) -> list[str]:
        """List the imported contacts that are not in the group yet, in the order in which they are added."""
        return [*iter_sorted([*{result.id for result in self._iter_results() if result.id} - self.members], key=str)]

    def _iter_results(self) -> Iterator[RowResult]:
        ids: dict[int, str | None] = {}
        for decision in self.decisions:
            row = decision.draft.row
            outcome = _NOT_WRITTEN.get(decision.action, decision.action)
            result = self.written.get(row) or RowResult(row, outcome, decision.id, decision.detail)
            if decision.first is not None:
                result = result._replace(id=ids.get(decision.first))
            ids[row] = result.id
            yield result.with_reach(decision.draft.unreachable)

    def _answer(self, **more: Any) -> ImportAnswer:
        drafts, usable, counts = self.source.drafts, self.source.usable, self.counts_by_action
        return ImportAnswer(
            rows=len(drafts),
            unchanged=counts["unchanged"],
            duplicates=counts["duplicate"],
            ambiguous=counts["ambiguous"],
            invalid=counts["invalid"],
            converted=sum(draft.is_converted for draft in usable),
            unreachable=sum(bool(draft.unreachable) for draft in usable),
            extra_values=sum(draft.extra_values for draft in drafts),
            problems=self._list_problems() or None,
            **more,
        )

    def _list_overwritten(self) -> list[str]:
        """Describe what the first updates replace, a line for each contact."""
        updates = islice((decision for decision in self.decisions if decision.overwrites), _MAX_OVERWRITTEN_SHOWN)
        changes = (_to_change(each, each.overwrites) for each in updates)
        return [f"{describe_contact(each.id, each.name)}: {describe_values(each, with_notes=True)}" for each in changes]

    def _list_problems(self) -> list[str]:
        """The first rows that a person should look at."""
        unusable = [decision for decision in self.decisions if decision.action in ("invalid", "ambiguous")]
        lines = [f"row {decision.draft.row} {decision.detail}" for decision in unusable[:_MAX_PROBLEMS_SHOWN]]
        unwritten = [result for result in self.written.values() if result.outcome in ("failed", "unknown")]
        return lines + [f"row {result.row}: {result.detail}" for result in unwritten[:_MAX_FAILURES_SHOWN]]


def _to_change(decision: Decision, fields: Mapping[str, Any] | None = None) -> Change:
    """The change of a matched contact; with `fields`, only of these."""
    after = {name: decision.values[name] for name in (decision.before if fields is None else fields)}
    return Change(decision.id or "", decision.name, decision.before, after)


def _list_changes(decision: Decision) -> list[FieldChange]:
    """List what a row changes: all fields of a new contact, or those that an update sets."""
    if decision.action != "create":
        return list_field_changes(decision.before, decision.values)
    return list_field_changes({}, {**decision.draft.filled_fields, "tags": decision.draft.tags})


def _list_notes(decision: Decision) -> list[str]:
    """Say why a person should look at a row, of one that is imported only in part or not at all."""
    draft = decision.draft
    notes = [decision.detail] if decision.action in ("invalid", "ambiguous", "duplicate") else []
    if decision.action != "invalid":
        notes += [f"not reachable by SMS: {draft.unreachable}"] if draft.unreachable else []
        notes += [f"shares a number or address with {decision.sharing}"] if decision.sharing else []
    return [*notes, *draft.notices]


def _to_call(decision: Decision) -> CreateContact | UpdateContact:
    if decision.action == "update":
        return UpdateContact(contact_id=decision.id or "", **decision.values)
    fields: dict[str, Any] = {"type": "person", **decision.draft.filled_fields}
    if decision.draft.tags:
        fields["tags"] = list(decision.draft.tags)
    return CreateContact(**fields)
