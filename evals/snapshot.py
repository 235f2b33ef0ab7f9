"""What a directory holds at one moment, as the judge sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import ListContactGroups
from contacts_mcp.directory import Directory, TenantContact

FIELDS = ("type", "name", "company_name", "phone_number", "email", "tags", "notes")


@dataclass(frozen=True, slots=True)
class StoredContact:
    """A contact: its fields, without the empty ones, and whether it is `live`, `deleted` or `erased`."""

    fields: Mapping[str, Any]
    status: str


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group: its name, and the ids of its members."""

    name: str
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Contacts and groups by id, and the reasons of all erasures, the oldest first."""

    contacts: Mapping[str, StoredContact]
    groups: Mapping[str, StoredGroup]
    reasons: Sequence[str]


async def read_snapshot(path: Path) -> Snapshot:
    """Read a directory."""
    async with Directory(path, create=False) as directory:
        listed = await directory.maintenance.list_contacts(("live", "deleted", "erased"))
        contacts = await directory.maintenance.read_contacts([row["id"] for row in listed.rows])
        receipts = await directory.maintenance.list_receipts()
    async with ContactsClient.for_directory(path) as client:
        names = {group.id: group.name or "" for group in (await client.send(ListContactGroups())).groups}
    return Snapshot(
        {contact.record.row["id"]: _to_stored(contact) for contact in contacts},
        {group_id: StoredGroup(name, _members_of(contacts, group_id)) for group_id, name in names.items()},
        [receipt["reason"] for receipt in receipts],
    )


def _to_stored(contact: TenantContact) -> StoredContact:
    row = contact.record.row
    fields = {name: row[name] for name in FIELDS if row[name]}
    return StoredContact(fields, contact.record.status)


def _members_of(contacts: Sequence[TenantContact], group_id: str) -> frozenset[str]:
    return frozenset(
        contact.record.row["id"] for contact in contacts if any(group["id"] == group_id for group in contact.groups)
    )
