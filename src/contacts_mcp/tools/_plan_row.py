"""A row of a plan as a panel shows it: a contact or a row of a file, and what the plan does with it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from pydantic import Field

from contacts_mcp.contract import Record
from contacts_mcp.text import escape_invisible, sanitize, sanitize_line

_MAX_NAME_LENGTH, _MAX_VALUE_LENGTH, _MAX_NOTE_LENGTH = 200, 500, 300
_MAX_NOTES = 20
_CONTEXT_LENGTH = 20  # characters that are shown before the first difference of two long texts

RowAction = Literal["create", "update", "unchanged", "duplicate", "ambiguous", "invalid", "add", "merge", "delete"]
CHANGING_ACTIONS: frozenset[RowAction] = frozenset({"create", "update", "add", "merge", "delete"})
"""The actions of rows that change something when the plan is applied."""


class FieldChange(Record):
    """A field that changes, with its old and its new value; a value that is absent is empty."""

    field: str
    before: str | None = None
    after: str | None = None


class PlanRow(Record):
    """A contact or a row of a file, and what the plan does with it."""

    row: int | None = Field(default=None, description="Number of the file's row.")
    id: str | None = Field(default=None, description="Id of the contact, if there is one.")
    name: str
    action: RowAction
    changes: list[FieldChange]
    notes: list[str] = Field(description="Why a person should look at the row.")


class RowedPlan(Protocol):
    """A plan that can be shown row by row."""

    @property
    def fingerprint(self) -> str: ...

    def iter_rows(self) -> Iterator[PlanRow]:
        """Iterate over all rows. It may take long, so it runs in a worker thread."""
        ...


def plan_row(
    action: RowAction,
    name: str | None,
    contact_id: str | None = None,
    *,
    row: int | None = None,
    changes: Sequence[FieldChange] = (),
    notes: Sequence[str] = (),
) -> PlanRow:
    """Build a row. Names and notes are cut and sanitized; empty notes are left out."""
    found = {name: value for name, value in {"row": row, "id": contact_id}.items() if value is not None}
    return PlanRow(
        **found,
        name=sanitize_line(name or "", _MAX_NAME_LENGTH),
        action=action,
        changes=list(changes),
        notes=[sanitize_line(each, _MAX_NOTE_LENGTH) for each in notes if each][:_MAX_NOTES],
    )


def list_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """List the fields of two records that differ, in the order of `after`; a field that one of them lacks is empty."""
    names = dict.fromkeys([*after, *before])
    pairs = ((name, _to_text(before.get(name)), _to_text(after.get(name))) for name in names)
    return [_to_change(name, old, new) for name, old, new in pairs if old != new]


def joins_group(group_name: str | None) -> FieldChange:
    """Return the change of a contact that becomes a member of a group."""
    return _to_change("group", "", group_name or "")


def _to_change(name: str, old: str, new: str) -> FieldChange:
    values = dict(zip(("before", "after"), _cut(old, new), strict=True))
    return FieldChange(field=name, **{side: value for side, value in values.items() if value})


def _to_text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _cut(old: str, new: str) -> tuple[str, str]:
    """Cut and sanitize two texts so that their first difference is seen, even if it is an invisible character."""
    cut = _MAX_VALUE_LENGTH
    if max(len(old), len(new)) > cut and old[:cut] == new[:cut]:
        differing = (place for place, (left, right) in enumerate(zip(old, new, strict=False)) if left != right)
        start = next(differing, min(len(old), len(new))) - _CONTEXT_LENGTH
        old, new = f"…{old[start:]}", f"…{new[start:]}"
    shown = sanitize(old, cut), sanitize(new, cut)
    return (
        shown if shown[0] != shown[1] else (sanitize(escape_invisible(old), cut), sanitize(escape_invisible(new), cut))
    )
