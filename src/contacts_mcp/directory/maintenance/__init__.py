"""What an operator does with a directory: check it, migrate it, back it up, restore it, and purge deleted contacts."""

from contacts_mcp.directory.maintenance._backup import RestoreResult, back_up, migrate, restore_backup
from contacts_mcp.directory.maintenance._check import check
from contacts_mcp.directory.maintenance._maintenance import Maintenance, purge, restore_contact
from contacts_mcp.directory.maintenance._sample import sample_contacts

__all__ = [
    "Maintenance",
    "RestoreResult",
    "back_up",
    "check",
    "migrate",
    "purge",
    "restore_backup",
    "restore_contact",
    "sample_contacts",
]
