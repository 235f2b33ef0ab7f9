"""What should be in the directory, as a few lines of plain Python keep it.

People are known by their e-mail address and groups by the last word of their name, which never change: so the book of
before can be laid beside the book of after, and beside what is there.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

LogFields = dict[str, Any]
FIELDS = ("type", "name", "company_name", "phone_number", "email", "tags", "notes")
_ROW = ("type", "name", "phone_number", "email", "tags")
_MEMBER = ("name", "phone_number")


@dataclass
class Book:
    """People and groups in the order of their creation."""

    people: dict[str, LogFields] = field(default_factory=dict)
    groups: dict[str, LogFields] = field(default_factory=dict)

    def copy(self) -> "Book":
        return deepcopy(self)

    def with_person(self, fields: LogFields) -> "Book":
        after = self.copy()
        after.people[fields["email"]] = fields
        return after

    def with_changes(self, email: str, changes: LogFields) -> "Book":
        after = self.copy()
        after.people[email] |= changes
        return after

    def without_person(self, email: str) -> "Book":
        after = self.copy()
        del after.people[email]
        for group in after.groups.values():
            group["members"] = [member for member in group["members"] if member != email]
        return after

    def with_group(self, key: str, **changes: Any) -> "Book":
        """A group added, or changed."""
        after = self.copy()
        after.groups[key] = {"description": None, "members": [], **after.groups.get(key, {}), **changes}
        return after

    def without_group(self, key: str) -> "Book":
        after = self.copy()
        del after.groups[key]
        return after

    def met_by(self, **filters: Any) -> list[str]:
        """Whom a filter by type and tags means."""
        tags, kind = set(filters.get("tags", ())), filters.get("type")
        return [
            email for email, each in self.people.items() if tags <= set(each["tags"]) and kind in (None, each["type"])
        ]


def person(**fields: Any) -> LogFields:
    return {**dict.fromkeys(FIELDS), "type": "person", "tags": [], **fields}


def shown(fields: LogFields, names: Iterable[str] = FIELDS) -> LogFields:
    """As tools answer it: what is empty is left out."""
    return {name: fields[name] for name in names if fields[name] is not None}


def row_of(fields: LogFields) -> LogFields:
    return shown(fields, _ROW)


def member_of(fields: LogFields) -> LogFields:
    return shown(fields, _MEMBER)


def retagged(tags: list[str], add: Iterable[str], remove: Iterable[str]) -> list[str]:
    return [tag for tag in dict.fromkeys([*tags, *add]) if tag not in set(remove)]


def key_of(group_name: str) -> str:
    return group_name.rsplit(maxsplit=1)[-1]
