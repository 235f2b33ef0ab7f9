"""The flags of `contacts-mcp install` and `contacts-mcp uninstall`."""

from typing import Annotated

import typer

from contacts_mcp.cli._options import Files, Region, Yes, clean_option


def _complete_host(incomplete: str) -> list[str]:
    """Complete the name of a host, for shells."""
    from contacts_mcp.install import INSTALL_HOSTS

    return [name for name in INSTALL_HOSTS if name.startswith(incomplete)]


Force = Annotated[bool, typer.Option("--force", help="Replace an entry of the same name that starts another program.")]
YesToAll = Annotated[bool, typer.Option("--yes", help="Ask nothing. Without a key, use an embedded directory.")]
Account = Annotated[
    str,
    typer.Option(
        envvar="CONTACTS_MCP_PROFILE",
        show_envvar=False,
        help="One of several accounts, such as work; each has its own entry.",
    ),
]


def install(
    host: Annotated[
        list[str] | None,
        typer.Argument(autocompletion=_complete_host, help="Such as claude-desktop. Default: all that are found."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="WAYSCloud key; - reads it from standard input. It goes into the keychain.")
    ] = None,
    directory: Annotated[
        str | None,
        typer.Option(callback=clean_option, help="Use the directory in this file or postgresql:// database."),
    ] = None,
    files: Files = None,
    default_region: Region = None,
    profile: Account = "default",
    yes: YesToAll = False,
    force: Force = False,
    show: Annotated[
        bool, typer.Option("--print", help="Print the entry for another host, and change no host's file.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the hosts, and where the server is installed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list, print JSON.")] = False,
) -> None:
    """Put the server into the files of hosts, such as Claude Desktop.

    It shows what changes and asks before it writes. A key goes into the keychain of the system, or into the user's own
    config.toml if there is none.
    """
    from contacts_mcp.cli._install import Wishes, list_hosts, print_entry, read_key_option, run_install

    if listed:
        raise typer.Exit(list_hosts(profile, as_json=as_json))
    wishes = Wishes(profile, read_key_option(key), directory, files, default_region, yes=yes, force=force)
    raise typer.Exit((print_entry if show else run_install)(host or [], wishes))


def uninstall(
    host: Annotated[list[str], typer.Argument(autocompletion=_complete_host, help="Such as cursor.")],
    profile: Account = "default",
    yes: Yes = False,
    force: Force = False,
    forget_key: Annotated[bool, typer.Option("--forget-key", help="Also delete the key of the profile.")] = False,
) -> None:
    """Remove the server from the files of hosts.

    A file in which nothing else has changed is restored to what it was, byte for byte.
    """
    from contacts_mcp.cli._install import Wishes, run_uninstall

    raise typer.Exit(run_uninstall(host, Wishes(profile, yes=yes, force=force), forget_key=forget_key))
