"""What an operator does with a directory: check it, migrate it, back it up, restore it, and purge deleted contacts."""

from contacts_mcp.directory.maintenance._backup import ProgressCallback, RestoreResult, back_up, restore_backup
from contacts_mcp.directory.maintenance._check import check, check_receipts
from contacts_mcp.directory.maintenance._migrate import migrate
from contacts_mcp.directory.maintenance._records import count_records, list_deleted, purge, restore_contact
from contacts_mcp.directory.maintenance._sample import add_samples, sample_contacts

__all__ = [
    "ProgressCallback",
    "RestoreResult",
    "add_samples",
    "back_up",
    "check",
    "check_receipts",
    "count_records",
    "list_deleted",
    "migrate",
    "purge",
    "restore_backup",
    "restore_contact",
    "sample_contacts",
]
