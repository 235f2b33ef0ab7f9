"""What an operator does with a directory: check it, migrate it, back it up, restore it, and purge deleted contacts."""

from contacts_mcp.directory.maintenance._backup import migrate
from contacts_mcp.directory.maintenance._check import check
from contacts_mcp.directory.maintenance._maintenance import Maintenance
from contacts_mcp.directory.maintenance._sample import sample_contacts

__all__ = ["Maintenance", "check", "migrate", "sample_contacts"]
