"""What an operator does with a directory: looking after it, copying it, bringing it back."""

from contacts_mcp.directory._opening import open_database
from contacts_mcp.directory.upkeep.backup import BackupRefused

__all__ = ["BackupRefused", "open_database"]
