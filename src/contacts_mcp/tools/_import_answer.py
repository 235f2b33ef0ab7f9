"""The answer of an import: counts, how the file was understood, and which rows a person should look at."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from contacts_mcp.contract import Record
from contacts_mcp.tools._answers import FileAnswer, one_line
from contacts_mcp.tools._import_rows import Decision, Draft, MatchOptions, Source
from contacts_mcp.tools._new_group import NewGroupSummary
from contacts_mcp.tools._plan import Applied
from contacts_mcp.wording import count

_SAMPLE_SIZE, _MAX_ROWS_SHOWN, _MAX_COLUMNS_SHOWN = 3, 5, 20
_DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}


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
        default=None, description="Why not; a plan names the first rows, the result file all. Numbers are kept."
    )
    sharing: list[str] | None = Field(
        default=None, description="Rows with the number or address of a contact or row with another name: two people."
    )
    notices: list[str] | None = Field(default=None, description="Values that were changed or left out on reading.")
    extra_values: int = Field(description="Further numbers and addresses; a contact has room for one of each.")
    problems: list[str] | None = None
    plan: str | None = None
    next: str | None = None


def explain(source: Source, decisions: Sequence[Decision], options: MatchOptions) -> dict[str, Any]:
    """Say how a file was understood: the part of a plan that the answer of its application does not repeat."""
    parsed, usable = source.parsed, source.usable
    mapping = [f"{one_line(column, 40)} → {name}" for column, name in parsed.mapping[:_MAX_COLUMNS_SHOWN]]
    notices = _count_rows((notice, each.row) for each in source.drafts for notice in each.notices)
    return {
        "understood_as": _describe_format(source),
        "mapping": mapping or None,
        "unused_columns": [one_line(column, 40) or "" for column in parsed.unmapped[:_MAX_COLUMNS_SHOWN]] or None,
        "sample": [_to_sample(draft) for draft in usable[:_SAMPLE_SIZE]],
        "region": _describe_region(options),
        "not_reachable_by_sms": _count_rows((draft.unreachable, draft.row) for draft in usable) or None,
        "sharing": _list_sharing(decisions) or None,
        "notices": [*parsed.remarks, *notices] or None,
    }


def count_unreachable(usable: Iterable[Draft]) -> list[str]:
    """Count the rows that SMS cannot reach by reason, the most frequent first."""
    reasons = Counter(draft.unreachable for draft in usable if draft.unreachable)
    return [f"{reason}: {number:,}" for reason, number in reasons.most_common()]


def _to_sample(draft: Draft) -> RowSample:
    values = {name: one_line(value) for name, value in draft.filled_fields.items() if name in RowSample.model_fields}
    return RowSample(row=draft.row, **{name: value for name, value in values.items() if value})


def _describe_format(source: Source) -> str:
    parsed = source.parsed
    delimiter = _DELIMITER_NAMES.get(parsed.delimiter or "")
    return ", ".join(filter(None, [parsed.format, parsed.dialect, parsed.encoding, delimiter]))


def _describe_region(options: MatchOptions) -> str:
    if options.region is None:
        return "none: numbers without a country code are kept as they are"
    return f"{options.region}, from {'default_region' if options.is_region_given else 'the settings'}"


def _list_sharing(decisions: Sequence[Decision]) -> list[str]:
    found = [decision for decision in decisions if decision.sharing]
    lines = [f"row {each.draft.row} with {each.sharing}" for each in found[:_MAX_ROWS_SHOWN]]
    subject = f"{count(len(found), 'row')} {'shares' if len(found) == 1 else 'share'}"
    return [f"{subject} a number or address: {', '.join(lines)}"] if found else []


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
