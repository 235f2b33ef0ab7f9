"""What import_contacts answers: how a file was understood, and what its rows come to."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

from pydantic import Field

from contacts_mcp.contract import Record
from contacts_mcp.tools._answers import FileAnswer
from contacts_mcp.tools.importing._decide import Decision
from contacts_mcp.tools.importing._draft import Draft
from contacts_mcp.tools.importing._source import Source
from contacts_mcp.tools.steps import cut

_SAMPLE = 3
_COLUMNS = 20


class Understood(Record):
    """A row as it was understood."""

    row: int
    name: str | None = None
    company_name: str | None = None
    phone_number: str | None = None
    email: str | None = None


class Imported(FileAnswer):
    """How a file was understood, and what its rows come to (or came to). The counts of rows add up to `rows`."""

    applied: bool
    understood_as: str
    mapping: list[str] | None = None
    unused_columns: list[str] | None = None
    sample: list[Understood]
    rows: int
    new: int | None = None
    updates: int | None = None
    created: int | None = None
    updated: int | None = None
    unchanged: int
    duplicates: int = Field(description="Rows that repeat an earlier one.")
    ambiguous: int = Field(description="Rows that fit several contacts.")
    invalid: int
    failed: int | None = None
    unknown: int | None = Field(default=None, description="Rows whose answer was lost; a repetition settles them.")
    joining: int | None = None
    joined: int | None = None
    overwritten: int = Field(description="Non-empty fields that get another value.")
    unreachable: int = Field(description="Rows whose number is none that SMS reaches; it is kept.")
    left_over: int = Field(description="Further numbers and addresses, for which a contact has no room.")
    problems: list[str] | None = None
    plan: str | None = None
    next: str | None = None


def imported(source: Source, decisions: Iterable[Decision], problems: list[str], **more: Any) -> Imported:
    """The answer about these decisions; `more` is what a plan and an import that was done say differently."""
    reading, drafts = source.reading, source.drafts
    count = Counter(decision.what for decision in decisions)
    return Imported(
        understood_as=_understood_as(source),
        mapping=[f"{cut(column, 40)} → {name}" for column, name in reading.mapping[:_COLUMNS]] or None,
        unused_columns=[cut(column, 40) or "" for column in reading.unmapped[:_COLUMNS]] or None,
        sample=[_sample(draft) for draft in islice((draft for draft in drafts if not draft.problem), _SAMPLE)],
        rows=len(drafts),
        unchanged=count["unchanged"],
        duplicates=count["duplicate"],
        ambiguous=count["ambiguous"],
        invalid=count["invalid"],
        unreachable=sum(draft.unreachable for draft in drafts),
        left_over=sum(draft.left_over for draft in drafts),
        problems=problems or None,
        **more,
    )


def _sample(draft: Draft) -> Understood:
    shown = {name: cut(value) for name, value in draft.said.items() if name in Understood.model_fields}
    return Understood(row=draft.row, **{name: value for name, value in shown.items() if value})


def _understood_as(source: Source) -> str:
    reading = source.reading
    how = [reading.format, reading.dialect, reading.encoding, _DELIMITERS.get(reading.delimiter or "")]
    return ", ".join(filter(None, how))


_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
