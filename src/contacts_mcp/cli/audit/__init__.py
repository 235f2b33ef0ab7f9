"""`contacts-mcp audit`: what an operator does with the audit trail."""

from contacts_mcp.cli.audit._commands import audit_cli

__all__ = ["audit_cli"]
