"""An operator's commands: check, migrate, back up and restore a directory, and purge deleted contacts."""

from contacts_mcp.directory.maintenance._check import check
from contacts_mcp.directory.maintenance._contacts import TenantContact
from contacts_mcp.directory.maintenance._maintenance import Maintenance
from contacts_mcp.directory.maintenance._migrate import Migration, migrate
from contacts_mcp.directory.maintenance._sample import sample_contacts

__all__ = ["Maintenance", "Migration", "TenantContact", "check", "migrate", "sample_contacts"]
