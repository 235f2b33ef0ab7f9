"""The plan of an import: how it is shown, how it is applied, and the result of each row."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
from pydantic import Field

from contacts_mcp.contract import CreateContact, Group, Record, Risk, UpdateContact, ValidationFailed, invalid_field
from contacts_mcp.folder import Folder
from contacts_mcp.formats import FORMATS, escape_formulas, write_csv_rows
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.tools._answers import FileAnswer, one_line
from contacts_mcp.tools._changes import Change, describe_contact, describe_values, list_changes
from contacts_mcp.tools._import_rows import Decision, Draft, MatchOptions, Source, match_rows
from contacts_mcp.tools._job import ContactWrite, JobClient, WriteResult, add_to_group, write_contacts
from contacts_mcp.tools._new_group import NewGroup, NewGroupSummary, create_if_new, describe_if_new
from contacts_mcp.tools._plan import Applied, describe_overwrites, risk_of_updates
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import Backend, JobCounts
from contacts_mcp.tools._turns import iter_sorted
from contacts_mcp.wording import count

_SAMPLE_SIZE = 3
_MAX_COLUMNS_SHOWN = 20
_MAX_PROBLEMS_SHOWN, _MAX_FAILURES_SHOWN = 10, 5
_MAX_ROWS_SHOWN, _MAX_OVERWRITTEN_SHOWN = 5, 10
_MAX_WRITE_ATTEMPTS = 5  # times that a row is written if the answer to its write is lost
_MAX_RESULT_FILES = 100  # of one imported file; further ones are only kept as downloads
_CSV_TYPE = FORMATS["csv"].mime_type
_DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
_NOT_WRITTEN = {"create": "not_created", "update": "not_updated"}
"""The outcome of rows that the import did not get to."""


class RowSample(Record):
    """A row as it was understood."""

    row: int
    name: str | None = None
    company_name: str | None = None
    phone_number: str | None = None
    email: str | None = None


class ImportAnswer(FileAnswer):
    """The plan and how the file was understood, or what was done, in the same counts. Those of rows add up to `rows`:
    `new_contacts`, `updates`, `unchanged`, `duplicates`, `ambiguous`, `invalid`, `failed`, `unknown`.
    """

    applied: Applied
    understood_as: str | None = None
    mapping: list[str] | None = None
    unused_columns: list[str] | None = None
    sample: list[RowSample] | None = Field(default=None, description="Of a plan: the first rows.")
    rows: int = Field(description="Rows of the file.")
    new_contacts: int = Field(description="Rows that become new contacts.")
    updates: int = Field(description="Rows that change a contact.")
    unchanged: int = Field(description="Rows whose contact exists and stays as it is.")
    duplicates: int = Field(description="Rows that repeat an earlier one.")
    ambiguous: int = Field(description="Rows that match several contacts.")
    invalid: int = Field(description="Rows that cannot be imported.")
    failed: int | None = Field(default=None, description="Rows that the service refused.")
    unknown: int | None = Field(default=None, description="Rows whose answer was lost; import again to check.")
    new_members: int | None = Field(default=None, description="Contacts that are added to the group.")
    new_group: NewGroupSummary | None = Field(default=None, description="The group, if it is created.")
    overwrites: int = Field(description="Non-empty fields that are replaced.")
    overwritten_contacts: list[str] | None = Field(default=None, description="The first updates that overwrite.")
    region: str | None = Field(default=None, description="Country of national numbers, and where it comes from.")
    region_change: list[str] | None = Field(
        default=None, description="Numbers that the last plan of this file, with another region, had otherwise."
    )
    converted: int = Field(description="Numbers that are converted to E.164.")
    unreachable: int = Field(description="Rows that SMS cannot reach.")
    not_reachable_by_sms: list[str] | None = Field(
        default=None, description="Why not, with the first rows; numbers are kept."
    )
    sharing: list[str] | None = Field(
        default=None, description="Rows with the number or address of a contact or row with another name: two people."
    )
    notices: list[str] | None = Field(default=None, description="Values that were changed or left out on reading.")
    extra_values: int = Field(description="Further numbers and addresses; a contact has room for one of each.")
    problems: list[str] | None = None
    plan: str | None = None
    next: str | None = None


class _RowResult(NamedTuple):
    """A line of the result file; the fields are its columns."""

    row: int
    outcome: str
    id: str | None
    detail: str


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
    written: dict[int, _RowResult] = field(default_factory=dict)
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
            **self._explain(),
            **steps,
        )

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
                result_file = await self._keep_results(client.backend)
        make_answer = partial(
            self._answer,
            applied=True,
            new_contacts=counts["created"],
            updates=counts["updated"],
            failed=counts["failed"] or None,
            unknown=counts["unknown"] or None,
            **added,
            overwrites=self.replaced,
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
        self.written[row] = _RowResult(row, outcome, result.id or decision.id, detail or "")

    async def _match_again(self, client: JobClient, uncertain: Sequence[Decision], counts: JobCounts) -> list[Decision]:
        """Match rows again whose result is unknown; return those that still have to be written.

        The result of a row that now matches several contacts stays unknown.
        """
        again = await match_rows(client, [decision.draft for decision in uncertain], self.options)
        for before, now in zip(uncertain, again, strict=True):
            row = now.draft.row
            if now.action == "unchanged":
                self._record(counts, before, WriteResult(now.id))
            elif now.action not in _NOT_WRITTEN:
                self.written[row] = _RowResult(row, "unknown", None, f"the answer was lost; now {now.detail}")
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

    def _iter_results(self) -> Iterator[_RowResult]:
        ids: dict[int, str | None] = {}
        for decision in self.decisions:
            row = decision.draft.row
            outcome = _NOT_WRITTEN.get(decision.action, decision.action)
            result = self.written.get(row) or _RowResult(row, outcome, decision.id, decision.detail)
            if decision.first is not None:
                result = result._replace(id=ids.get(decision.first))
            ids[row] = result.id
            yield result

    async def _keep_results(self, backend: Backend) -> dict[str, Any]:
        """Write the result file next to the source, or keep it as a download; return the answer's fields about it."""
        chunks = await anyio.to_thread.run_sync(list, _to_csv(self._iter_results()))
        if self.source.path is not None and isinstance(backend.files, Folder):
            with suppress(ValidationFailed):  # the contacts are written, so the import has not failed
                name = await anyio.to_thread.run_sync(_find_result_name, backend.files, self.source.path)
                return await backend.keep_file(name, _CSV_TYPE, chunks, backend.files)
        return await backend.keep_file("import.result.csv", _CSV_TYPE, chunks, None)

    def _explain(self) -> dict[str, Any]:
        """How the file was understood: the part of a plan that the answer of its application does not repeat."""
        parsed, drafts, usable = self.source.parsed, self.source.drafts, self._usable
        mapping = [f"{one_line(column, 40)} → {name}" for column, name in parsed.mapping[:_MAX_COLUMNS_SHOWN]]
        notices = _count_rows((notice, each.row) for each in drafts for notice in each.notices)
        return {
            "understood_as": _describe_format(self.source),
            "mapping": mapping or None,
            "unused_columns": [one_line(column, 40) or "" for column in parsed.unmapped[:_MAX_COLUMNS_SHOWN]] or None,
            "sample": [_to_sample(draft) for draft in usable[:_SAMPLE_SIZE]],
            "region": _describe_region(self.options),
            "region_change": self.region_change,
            "not_reachable_by_sms": _count_rows((draft.unreachable, draft.row) for draft in usable) or None,
            "sharing": self._list_sharing(usable) or None,
            "notices": [*parsed.remarks, *notices] or None,
        }

    @property
    def _usable(self) -> list[Draft]:
        return [draft for draft in self.source.drafts if not draft.problem]

    def _answer(self, **more: Any) -> ImportAnswer:
        drafts, usable, counts = self.source.drafts, self._usable, self.counts_by_action
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

    def _list_sharing(self, usable: Sequence[Draft]) -> list[str]:
        found = [draft for draft in usable if draft.sharing]
        lines = [f"row {draft.row} with {draft.sharing}" for draft in found[:_MAX_ROWS_SHOWN]]
        subject = f"{count(len(found), 'row')} {'shares' if len(found) == 1 else 'share'}"
        return [f"{subject} a number or address: {', '.join(lines)}"] if found else []

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


def _count_rows(reasons: Iterable[tuple[str, int]]) -> list[str]:
    """Count rows by reason, the most frequent first, and name the first rows of each."""
    rows: dict[str, list[int]] = {}
    for reason, row in reasons:
        if reason:
            rows.setdefault(reason, []).append(row)
    by_count = sorted(rows.items(), key=lambda item: -len(item[1]))
    return [f"{reason}: {len(found):,} ({_list_rows(found)})" for reason, found in by_count]


def _list_rows(rows: Sequence[int]) -> str:
    if len(rows) == 1:
        return f"row {rows[0]}"
    shown = ", ".join(map(str, rows[:_MAX_ROWS_SHOWN]))
    return f"rows {shown}{', …' if len(rows) > _MAX_ROWS_SHOWN else ''}"


def _describe_region(options: MatchOptions) -> str:
    if options.region is None:
        return "none: numbers without a country code are kept as they are"
    return f"{options.region}, from {'default_region' if options.is_region_given else 'the settings'}"


def _to_call(decision: Decision) -> CreateContact | UpdateContact:
    if decision.action == "update":
        return UpdateContact(contact_id=decision.id or "", **decision.values)
    fields: dict[str, Any] = {"type": "person", **decision.draft.filled_fields}
    if decision.draft.tags:
        fields["tags"] = list(decision.draft.tags)
    return CreateContact(**fields)


def _find_result_name(folder: Folder, path: str) -> str:
    """Return a free name for the result file. No file is replaced: a person may have made or edited it.

    Raises ValidationFailed if there is none.
    """
    names = (f"{path}.result{f'-{number}' if number > 1 else ''}.csv" for number in range(1, _MAX_RESULT_FILES + 1))
    if name := next(filter(folder.is_free, names), None):
        return name
    raise invalid_field("path", f"has {_MAX_RESULT_FILES} result files already; move them away")


def _to_csv(results: Iterable[_RowResult]) -> Iterator[bytes]:
    """The result file, in chunks. It holds ids, but no personal data. Details may quote the service."""
    cells = (
        (str(row), outcome, escape_formulas(id_ or ""), escape_formulas(detail))
        for row, outcome, id_, detail in results
    )
    rows = chain([_RowResult._fields], cells)
    while chunk := list(islice(rows, 2_000)):
        yield write_csv_rows(chunk)


def _to_sample(draft: Draft) -> RowSample:
    values = {name: one_line(value) for name, value in draft.filled_fields.items() if name in RowSample.model_fields}
    return RowSample(row=draft.row, **{name: value for name, value in values.items() if value})


def _describe_format(source: Source) -> str:
    parsed = source.parsed
    delimiter = _DELIMITER_NAMES.get(parsed.delimiter or "")
    return ", ".join(filter(None, [parsed.format, parsed.dialect, parsed.encoding, delimiter]))
