"""The commands, as they are attached."""

import typer

from contacts_mcp.cli.audit import _records
from contacts_mcp.cli.audit._verify import verify

audit_cli = typer.Typer(help="Verify and read the audit trail.", no_args_is_help=True)
audit_cli.command()(verify)
audit_cli.command()(_records.show)
audit_cli.command()(_records.tail)
