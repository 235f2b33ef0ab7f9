"""`contacts-mcp` and its commands; a command imports what it needs when it runs."""

import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from contacts_mcp import __version__
from contacts_mcp.cli._audit import audit_cli
from contacts_mcp.cli._command_line import CommandLine
from contacts_mcp.cli._directory import directory_cli
from contacts_mcp.cli._install_commands import install, uninstall
from contacts_mcp.cli._keys import keys_cli
from contacts_mcp.cli._options import AsJson, Files, Region, clean_option, enable_gc, serve_app
from contacts_mcp.cli._output import print_line, print_result, safe_output
from contacts_mcp.guard import GuardMode
from contacts_mcp.settings import Auth, Settings, load_settings
from contacts_mcp.wording import count, nearest

_INVALID_CHOICE = re.compile(r"'([^']*)' is not one of (.*)", re.DOTALL)
_CHOICE = re.compile(r"'([^']*)'")


class _Commands(TyperGroup):
    """The commands; an invalid value is reported without the words that pydantic puts before its message."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as exc:
            exc.message = _with_nearest(exc.message.removeprefix("Value error, "))
            raise


def _with_nearest(message: str) -> str:
    """Add the nearest choice to click's message about an invalid one."""
    if not (found := _INVALID_CHOICE.fullmatch(message)):
        return message
    near = nearest(found[1], _CHOICE.findall(found[2]))
    return f"{message} Did you mean '{near}'?" if near else message


cli = CommandLine(
    name="contacts-mcp",
    cls=_Commands,
    help="An MCP server for the WAYSCloud Contacts API, with an embedded directory for working without an account.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its colors would be escaped like any other control sequence
)
directory_cli.add_typer(keys_cli, name="keys")
cli.add_typer(directory_cli, name="directory")
cli.add_typer(audit_cli, name="audit")

Directory = Annotated[
    str | None,
    typer.Option(
        callback=clean_option, help="Use the directory in this file or postgresql:// database, even if there is a key."
    ),
]
ReadOnly = Annotated[
    bool | None, typer.Option("--read-only/--no-read-only", help="List and run only tools that write nothing.")
]
Tools = Annotated[str | None, typer.Option(help="The only tools to list and run, such as list_contacts,get_contact.")]
Mode = Annotated[
    GuardMode | None, typer.Option("--guard", help="How consent to destructive tools is obtained. Default: ask.")
]
ExcludeTools = Annotated[
    str | None, typer.Option(help="Tools that are neither listed nor run, such as gdpr_delete_contact.")
]
Profile = Annotated[
    str | None, typer.Option(help="One of several accounts, with its own settings and key, such as work.")
]
Confirm = Annotated[str | None, typer.Option(help="Further tools that need consent, such as update_contact.")]
Audit = Annotated[
    str | None,
    typer.Option(callback=clean_option, help="Where the audit trail goes: stderr, otlp, a file, or several."),
]
PublicHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--public-host", callback=clean_option, help="A host name that clients use, such as contacts.example.com."
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin", callback=clean_option, help="Origin of a web page whose scripts may call the server."
    ),
]


_AT_A_TERMINAL = """\
This command is for an MCP host, such as Claude Code, which starts it and writes messages to its standard input.
At a terminal it waits for such messages; Ctrl-C ends it. Try one of these instead:
  contacts-mcp demo                     see the server at work
  contacts-mcp doctor                   check what is configured
  contacts-mcp serve --transport http   serve hosts on this machine over HTTP
  contacts-mcp --help                   all commands"""


class Transport(StrEnum):
    """How clients connect; http and sse are one app that serves both."""

    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"


def main() -> None:
    """Run the command line. An invalid setting or a system error prints one line and exits with code 2."""
    with safe_output():
        try:
            cli()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader is gone, as after `| head`
            raise SystemExit(1) from None
        except (ValueError, OSError) as exc:
            print_line(f"contacts-mcp: {exc}", err=True)
            raise SystemExit(2) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        import platform

        system = f"{platform.system()} {platform.machine()}"
        typer.echo(f"contacts-mcp {__version__} (Python {platform.python_version()}, {system})")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version, and those of Python and the system.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """An MCP server for the WAYSCloud Contacts API."""


@cli.command()
def serve(
    transport: Annotated[Transport, typer.Option(help="stdio for one host; http or sse for a team.")] = Transport.STDIO,
    host: Annotated[
        str | None, typer.Option(callback=clean_option, help="Address to bind to. Default: 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port. Default: 8000; 0 is any free port.", min=0, max=65_535)
    ] = None,
    auth: Annotated[Auth | None, typer.Option(help="How callers over a network authenticate.")] = None,
    public_host: PublicHosts = None,
    allow_origin: Origins = None,
    directory: Directory = None,
    files: Files = None,
    read_only: ReadOnly = None,
    tools: Tools = None,
    exclude_tools: ExcludeTools = None,
    guard: Mode = None,
    confirm: Confirm = None,
    audit: Audit = None,
    default_region: Region = None,
    profile: Profile = None,
) -> None:
    """Serve one MCP host over stdio, or a team over the network."""
    network = {"auth": auth, "public_host": public_host or None, "allow_origin": allow_origin or None}
    if transport is Transport.STDIO:
        _refuse_network_flags(**network, host=host, port=port)
    settings = load_settings(
        **network,
        directory=directory,
        files=files,
        read_only=read_only,
        tools=tools,
        exclude_tools=exclude_tools,
        guard=guard,
        confirm=confirm,
        audit=audit,
        default_region=default_region,
        profile=profile,
    )
    if transport is Transport.STDIO:
        _serve_stdio(settings)
    else:
        _serve_network(settings, host or "127.0.0.1", 8000 if port is None else port)


def _refuse_network_flags(**flags: object) -> None:
    """Refuse flags that have no effect over stdio, so that no operator relies on them."""
    for name, value in flags.items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag} is for a server over a network; add --transport http, or leave {flag} out")


def _serve_stdio(settings: Settings) -> None:
    """Serve one host until it disconnects; the first line on standard error names the backend."""
    import anyio

    from contacts_mcp.app import (
        announce,
        build_app,
        choose_backend,
        configure_logging,
        credential_reload,
        forbid_core_dumps,
        hangup_handler,
        open_shared_state,
        record_answers,
        require_shared_approvals,
    )
    from contacts_mcp.transports import serve_stdio

    forbid_core_dumps()
    backend = choose_backend(settings, Path.home())
    shared_state, warning = open_shared_state(settings, backend)
    require_shared_approvals(settings, backend, shared_state)
    app = build_app(settings, backend, own_file=True, shared_state=shared_state)
    configure_logging(settings, default="text")
    announce("; ".join(filter(None, (app.summary, warning))))
    if sys.stdin and sys.stdin.isatty():
        for line in _AT_A_TERMINAL.splitlines():
            print_line(line, err=True)
    enable_gc()
    recorder = record_answers(settings, app, Path.home())
    reloads = [credential_reload(app.connection, settings, Path.home()), *([recorder.stop] if recorder else [])]
    anyio.run(serve_stdio, app.server, hangup_handler(*reloads), recorder)


def _serve_network(settings: Settings, host: str, port: int) -> None:
    """Serve callers over a network until SIGTERM or SIGINT."""
    from contacts_mcp.app import build_network_app, configure_logging, forbid_core_dumps, require_reachable

    forbid_core_dumps()
    require_reachable(settings, host)
    network = build_network_app(settings, Path.home())
    configure_logging(settings, default="json")
    serve_app(network.asgi, network.summary, host, port, "/mcp and /sse", *network.reloads)


@cli.command("open")
def open_console(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser, or print the address instead.")
    ] = True,
    directory: Directory = None,
    read_only: ReadOnly = None,
) -> None:
    """Open the console in the browser of this computer.

    It shows contacts, imports, duplicates, pending approvals and the audit trail. It ends with Ctrl-C, or when no page
    is open.
    """
    from contacts_mcp.cli._open import run_console

    settings = load_settings(directory=directory, read_only=read_only, auth=Auth.NONE)
    run_console(settings, Path.home(), browser=browser)


@cli.command()
def doctor(
    host: Annotated[
        str | None,
        typer.Option(help="Start the server as this host does, such as claude-desktop, and show what a person sees."),
    ] = None,
    directory: Directory = None,
    audit: Audit = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show what is configured, check it, and say what to correct."""
    if host is not None:
        from contacts_mcp.cli._doctor_host import examine_host

        settings = load_settings(directory=directory, audit=audit, profile=profile)
        raise typer.Exit(examine_host(host, settings, Path.home(), as_json=as_json))
    from contacts_mcp.cli._doctor import examine

    flags = {"directory": directory, "audit": audit, "profile": profile}
    raise typer.Exit(examine(lambda: load_settings(**flags), Path.home(), as_json=as_json))


cli.command()(install)
cli.command()(uninstall)


@cli.command()
def approvals(
    watch: Annotated[bool, typer.Option("--watch", help="Wait for new questions until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Only list what is pending, as JSON.")] = False,
    directory: Directory = None,
) -> None:
    """Decide on what an assistant wants to do, in this terminal.

    It needs the server's settings, and terminal in CONTACTS_MCP_APPROVAL.
    """
    from contacts_mcp.cli._approvals import run_approvals

    if watch and as_json:
        raise ValueError("--json only lists; leave --watch out")
    raise typer.Exit(run_approvals(load_settings(directory=directory), Path.home(), watch=watch, as_json=as_json))


@cli.command()
def demo(
    directory: Annotated[
        str | None,
        typer.Option(
            callback=clean_option,
            help="Use this empty file or postgresql:// database, and keep the sample contacts in it.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Show the messages between client and server as JSON.")
    ] = False,
) -> None:
    """Show an assistant at work in a temporary directory.

    It adds, finds, groups and deletes contacts.
    """
    from contacts_mcp.cli._demo import run_demo

    raise typer.Exit(run_demo(directory, as_json))


@cli.command()
def schemas(
    out: Annotated[Path, typer.Option(callback=clean_option, help="The folder to write to.")] = Path("tool_schemas"),
    as_json: AsJson = False,
) -> None:
    """Write every tool's schemas to files.

    Also the tools as the APIs of OpenAI, Anthropic and Gemini take them.
    """
    written = write_schemas(out)
    print_result([f"{count(written, 'file')} written to {out}"], {"folder": str(out), "files": written}, as_json)


def write_schemas(folder: Path) -> int:
    """Write the schema files, each whole or not at all, and return how many there are."""
    from contacts_mcp.tools import TOOLS, export_files

    folder.mkdir(parents=True, exist_ok=True)
    files = export_files(TOOLS)
    for name, text in files.items():
        with NamedTemporaryFile("w", dir=folder, prefix=f".{name}.", delete=False, encoding="utf-8") as draft:
            draft.write(text)
        os.chmod(draft.name, 0o644)  # noqa: PTH101 - a temporary file is private, a schema is not
        os.replace(draft.name, folder / name)  # noqa: PTH105
    return len(files)
