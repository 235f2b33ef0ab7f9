"""How a call changes contacts, in words: for the question to a person, and for the answer that shows a plan.

Contacts are named as the directory has them. Every value is quoted and cut, and the whole description is bounded, since
the form of a host is small.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from contacts_mcp.text import quote
from contacts_mcp.tools._answers import ContactSummary, join_names, one_line

_MAX_CONTACTS, _MAX_TAGS = 5, 3
_MAX_NAME_LENGTH, _MAX_VALUE_LENGTH = 60, 40
_MAX_LIST_LENGTH = 1_600


class ContactChange(ContactSummary):
    """A contact of a plan."""

    change: str = Field(description="Old and new values.")


class Change(NamedTuple):
    """A change of a contact: its id and name in the directory, and the fields that change, before and after."""

    id: str
    name: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def severity(self) -> int:
        """How much is lost: 2 if the contact gets another name, 1 if another value is overwritten, else 0."""
        lost = {name for name in self.after if name != "tags" and self.before.get(name)}
        return 2 if "name" in lost else min(1, len(lost))


def list_changes(changes: Iterable[Change], total: int) -> str:
    """Describe the first changes, those that lose most first, a line each, and count the others of `total`."""
    worst = heapq.nlargest(_MAX_CONTACTS, changes, key=lambda change: change.severity)
    return list_lines([f"{describe_contact(each.id, each.name)}: {describe_values(each)}" for each in worst], total)


def list_lines(lines: Sequence[str], total: int) -> str:
    """List as many lines as a question has room for, at least one, and count the others of `total`."""
    shown: list[str] = []
    room = _MAX_LIST_LENGTH
    for line in lines[:_MAX_CONTACTS]:
        room -= len(line)
        if shown and room < 0:
            break
        shown.append(f"- {line}")
    more = total - len(shown)
    return "\n".join(shown + ([f"and {more:,} more"] if more > 0 else []))


def describe_contact(contact_id: str, name: str | None, limit: int = _MAX_NAME_LENGTH) -> str:
    """Name a contact as the directory does, with its id."""
    return f"{quote(name or '', limit)} (id {quote(contact_id, _MAX_NAME_LENGTH)[1:-1]})"


def describe_values(change: Change, *, with_notes: bool = False) -> str:
    """Describe the old and the new values; without `with_notes`, only how long the notes are."""
    pairs = ((name, change.before.get(name), value) for name, value in change.after.items())
    return "; ".join(_describe_pair(name, old, new, with_notes=with_notes) for name, old, new in pairs)


def show_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Show old and new values in the sample of a plan."""
    return "; ".join(f"{name}: {_shorten(before[name])} → {_shorten(value)}" for name, value in after.items())


def _shorten(value: Any) -> str:
    shown = ", ".join(value) if isinstance(value, list) else str(value or "")
    return one_line(shown, _MAX_VALUE_LENGTH) or "(empty)"


def _describe_pair(name: str, old: Any, new: Any, *, with_notes: bool) -> str:
    if name == "tags":
        return _describe_tags(old or (), new or ())
    if name == "notes" and not with_notes:
        return f"notes of {len(old or ''):,} characters → {len(new or ''):,} characters"
    before, after = (quote(str(value), _MAX_VALUE_LENGTH) if value else "(empty)" for value in (old, new))
    return f"{name} {before} → {after}"


def _describe_tags(old: Sequence[str], new: Sequence[str]) -> str:
    parts = []
    for sign, tags, others in (("+", new, old), ("-", old, new)):
        differing = [f"{sign}{quote(tag, _MAX_VALUE_LENGTH)}" for tag in tags if tag not in others]
        parts += [join_names(differing, _MAX_TAGS)] if differing else []
    return f"tags {', '.join(parts)}"
