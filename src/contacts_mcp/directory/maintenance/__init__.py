"""What an operator does with a directory: check it, migrate it, back it up, restore it, and purge deleted contacts."""

from contacts_mcp.directory._opening import open_database
from contacts_mcp.directory.maintenance._backup import BackupRefused, Restored, back_up, restore
from contacts_mcp.directory.maintenance._check import check
from contacts_mcp.directory.maintenance._lifecycle import (
    ContactErased,
    count_records,
    list_deleted,
    moment_before,
    purge,
    restore_contact,
)
from contacts_mcp.directory.maintenance._migrate import migrate
from contacts_mcp.directory.maintenance._sample import sample_contacts

__all__ = [
    "BackupRefused",
    "ContactErased",
    "Restored",
    "back_up",
    "check",
    "count_records",
    "list_deleted",
    "migrate",
    "moment_before",
    "open_database",
    "purge",
    "restore",
    "restore_contact",
    "sample_contacts",
]
