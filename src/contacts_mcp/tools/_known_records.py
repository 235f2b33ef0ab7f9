"""Answers of deletions. The service answers nothing, so they name what the call has read before."""

from pydantic import Field

from contacts_mcp.contract import Contact, Group, Record
from contacts_mcp.tools._answers import one_line


class NamedRecord(Record):
    """A contact or a group; `name` is absent if the call has not read it."""

    id: str
    name: str | None = None


class Deleted(Record):
    """The answer of a deletion."""

    done: bool
    records: list[NamedRecord] = Field(description="What was deleted or removed.")


class GroupDeleted(Deleted):
    """The group that was deleted."""

    members: int | None = Field(default=None, description="Contacts that were in the group; they stay.")


class MemberRemoved(Deleted):
    """The contact that was removed from a group."""

    group: NamedRecord


class KnownRecords:
    """The records that a call has read, to find them by name or to ask a person."""

    def __init__(self) -> None:
        self._by_id: dict[str, Contact | Group] = {}

    def add(self, record: Contact | Group) -> None:
        """Remember a record; a later one replaces it."""
        self._by_id[record.id.lower()] = record

    def name(self, record_id: str) -> NamedRecord:
        """Return the record's id, with its name if it is known."""
        record = self._by_id.get(record_id.lower())
        name = one_line(record.name) if record else None
        return NamedRecord(id=record_id, **({"name": name} if name else {}))

    def count_members(self, group_id: str) -> int | None:
        """Return the number of a group's members, if it is known."""
        record = self._by_id.get(group_id.lower())
        return record.member_count if isinstance(record, Group) else None
