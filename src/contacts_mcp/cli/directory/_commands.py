"""The commands, as they are attached."""

import typer

from contacts_mcp.cli.directory._keys import keys_cli
from contacts_mcp.cli.directory._serve import serve

directory_cli = typer.Typer(help="Serve a directory to others, and look after it.", no_args_is_help=True)
directory_cli.command()(serve)
directory_cli.add_typer(keys_cli, name="keys")
