"""The values of a guarded write in a question: new ones, or old and new ones, quoted and told apart.

New values are shown in full, with the number of characters that cannot be seen. Old ones are cut, so that what somebody
has stored cannot make a question too long. Notes are only counted: a misleading sentence is easily hidden in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contacts_mcp.text import quote, sanitize

EMPTY = "(empty)"
_MAX_OLD_LENGTH, _MAX_REMOVED_LENGTH = 80, 40
_MAX_REMOVED = 10  # items of a list


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A field that a call changes, with its values before and after: texts, lists of texts, or None if empty."""

    field: str
    before: str | Sequence[str] | None
    after: str | Sequence[str] | None


def quote_new_values(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the quoted new values, by field."""
    return {name: _quote_new(name, value) for name, value in values.items()}


def quote_changes(changes: Sequence[ValueChange]) -> dict[str, str]:
    """Return the quoted old and new values, such as `"A" → "B"`, by field; of a list, what is added and removed."""
    return {change.field: _quote_change(change) for change in changes}


def join_values(values: Mapping[str, str]) -> str:
    """Return values in one line."""
    return "; ".join(f"{name}: {value}" for name, value in values.items())


def _quote_change(change: ValueChange) -> str:
    before, after = change.before or "", change.after or ""
    if change.field == "notes":
        return f"{_count(before)} → {_count(after)}"
    if isinstance(before, str) and isinstance(after, str):
        old = _quote(before, _MAX_OLD_LENGTH) if before else EMPTY
        return f"{old} → {_quote(after, len(after)) if after else EMPTY}"
    return _quote_items(list(before), list(after))


def _quote_items(before: list[str], after: list[str]) -> str:
    added = [f"+{_quote(each, len(each))}" for each in after if each not in before]
    removed = [f"-{_quote(each, _MAX_REMOVED_LENGTH)}" for each in before if each not in after]
    more = len(removed) - _MAX_REMOVED
    shown = [*added, *removed[:_MAX_REMOVED], *([f"and {more} more removed"] if more > 0 else [])]
    return ", ".join(shown) or "in another order"


def _quote_new(name: str, value: Any) -> str:
    if name == "notes":
        return _count(str(value))
    if isinstance(value, list):
        return ", ".join(_quote_new("", item) for item in value)
    return _quote(str(value), len(str(value)))


def _quote(text: str, limit: int) -> str:
    hidden = len(text) - len(sanitize(text, len(text)))
    return quote(text, limit) + (f" [+{hidden} hidden characters]" if hidden else "")


def _count(notes: str | Sequence[str]) -> str:
    return f"{len(notes):,} characters"
