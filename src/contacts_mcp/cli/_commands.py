"""`contacts-mcp` and its commands. What a command needs beyond its flags is imported when it runs."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from contacts_mcp import __version__
from contacts_mcp.cli._audit import audit_cli
from contacts_mcp.cli._directory import directory_cli
from contacts_mcp.guard import GuardMode
from contacts_mcp.settings import Auth, load_settings

cli = typer.Typer(
    name="contacts-mcp",
    help="An MCP server for the WAYSCloud Contacts API, with an embedded directory for working without an account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(directory_cli, name="directory")
cli.add_typer(audit_cli, name="audit")

Directory = Annotated[
    str | None,
    typer.Option(help="Use the directory in this file or postgresql:// database, even where there is a key."),
]
ReadOnly = Annotated[bool | None, typer.Option("--read-only", help="List and run nothing but reads.")]
Tools = Annotated[str | None, typer.Option(help="The only tools to list and run, such as list_contacts,get_contact.")]
Mode = Annotated[GuardMode | None, typer.Option("--guard", help="How consent is come by; ask by default.")]
Confirm = Annotated[str | None, typer.Option(help="Writing tools to guard as well, such as update_contact.")]
Files = Annotated[Path | None, typer.Option(help="The one folder to import files from and export them to.")]
Audit = Annotated[str | None, typer.Option(help="Where the audit trail goes: stderr, otlp, a file, or several.")]
Region = Annotated[str | None, typer.Option("--default-region", help="Region of national numbers, such as NO.")]
PublicHosts = Annotated[list[str] | None, typer.Option("--public-host", help="A name the server is called by.")]
Origins = Annotated[list[str] | None, typer.Option("--allow-origin", help="A web page whose scripts may call.")]


class Transport(StrEnum):
    """How bytes reach the server; http and sse are one app, with both addresses."""

    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"


Wire = Annotated[Transport, typer.Option(help="stdio for one host; http or sse for a team.")]


def main() -> None:
    """Run the command line; what a setting or the machine refuses is one line and exit code 2."""
    try:
        cli()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads on, as after `| head`
        raise SystemExit(1) from None
    except (ValueError, OSError) as exc:
        typer.echo(f"contacts-mcp: {exc}", err=True)
        raise SystemExit(2) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"contacts-mcp {__version__}")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """An MCP server for the WAYSCloud Contacts API."""


@cli.command()
def serve(
    transport: Wire = Transport.STDIO,
    host: Annotated[str | None, typer.Option(help="Address to bind to; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 8000 by default, 0 for any.", min=0, max=65_535)] = None,
    auth: Annotated[Auth | None, typer.Option(help="How callers over a network are told apart.")] = None,
    public_host: PublicHosts = None,
    allow_origin: Origins = None,
    directory: Directory = None,
    files: Files = None,
    read_only: ReadOnly = None,
    tools: Tools = None,
    guard: Mode = None,
    confirm: Confirm = None,
    audit: Audit = None,
    default_region: Region = None,
) -> None:
    """Serve one MCP host over standard input and output, or a team over the network."""
    if transport is Transport.STDIO:
        _refuse(auth=auth, host=host, port=port, public_host=public_host or None, allow_origin=allow_origin or None)
    settings = load_settings(
        auth=auth,
        public_host=public_host or None,
        allow_origin=allow_origin or None,
        directory=directory,
        files=files,
        read_only=read_only,
        tools=tools,
        guard=guard,
        confirm=confirm,
        audit=audit,
        default_region=default_region,
    )
    from contacts_mcp.cli import _serve

    if transport is Transport.STDIO:
        _serve.serve_host(settings)
    else:
        _serve.serve_network(settings, host or "127.0.0.1", 8000 if port is None else port)


def _refuse(**of_network: object) -> None:
    """Turn down flags that would do nothing: who gives them believes that there is a network, and who may use it."""
    for name, value in of_network.items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag} is for a server over a network; add --transport http, or leave {flag} out")


@cli.command()
def doctor(directory: Directory = None, audit: Audit = None) -> None:
    """Say what is set up, whether it works, and what to do where it does not."""
    from contacts_mcp.cli._doctor import examine

    raise typer.Exit(examine(lambda: load_settings(directory=directory, audit=audit), Path.home()))


@cli.command()
def demo(
    directory: Annotated[
        str | None,
        typer.Option(help="Use this empty file or postgresql:// database, and keep the sample contacts in it."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Show the messages between client and server as JSON.")
    ] = False,
) -> None:
    """Show the server at work: an assistant adds, finds, groups and deletes contacts in a temporary directory."""
    from contacts_mcp.cli._demo import run_demo

    raise typer.Exit(run_demo(directory, as_json))


@cli.command()
def schemas(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("tool_schemas"),
) -> None:
    """Write every tool's schemas, and the tools for the OpenAI, Anthropic and Gemini APIs."""
    from contacts_mcp.cli._schemas import write_schemas

    typer.echo(f"{write_schemas(out)} files written to {out}")
