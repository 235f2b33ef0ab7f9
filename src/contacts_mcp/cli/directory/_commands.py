"""The commands, as they are attached."""

import typer

from contacts_mcp.cli.directory import _deleted, _upkeep
from contacts_mcp.cli.directory._keys import keys_cli
from contacts_mcp.cli.directory._serve import serve

directory_cli = typer.Typer(help="Serve a directory to others, and look after it.", no_args_is_help=True)
directory_cli.command()(serve)
directory_cli.add_typer(keys_cli, name="keys")
directory_cli.command()(_upkeep.stats)
directory_cli.command()(_upkeep.check)
directory_cli.command()(_upkeep.receipts)
directory_cli.command()(_deleted.deleted)
directory_cli.command()(_deleted.restore)
directory_cli.command()(_deleted.purge)
directory_cli.command()(_upkeep.backup)
directory_cli.command("restore-backup")(_upkeep.restore_backup)
directory_cli.command()(_upkeep.migrate)
directory_cli.command("import-sample")(_upkeep.import_sample)
