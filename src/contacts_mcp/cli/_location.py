"""Which directory a command is for, and how the command works on it."""

import shlex
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from contacts_mcp.cli._options import clean_option, interruptible
from contacts_mcp.cli._output import print_line
from contacts_mcp.directory import DirectoryError, Location, default_path, parse_location
from contacts_mcp.settings import load_settings
from contacts_mcp.wording import unknown_name

if TYPE_CHECKING:
    from contacts_mcp.directory import Directory

DirectoryOption = Annotated[
    str | None,
    typer.Option(
        "--directory",
        callback=clean_option,
        help="The directory: a file or a postgresql:// URL. Default: CONTACTS_MCP_DIRECTORY.",
    ),
]
T = TypeVar("T")


def locate(option: str | None) -> Location:
    """The directory of the option, else of the settings, else this user's. Raises ValueError."""
    settings = load_settings()  # an invalid setting is an error even if the option makes it unnecessary
    return parse_location(option) if option is not None else settings.locate_directory() or default_path()


def advise(command: str, location: Location) -> str:
    """Return a command of `contacts-mcp directory` that names this directory, to run next."""
    return f"`contacts-mcp directory {command} --directory {shlex.quote(str(location))}`"


def require_tenant(location: Location, name: str) -> None:
    """Raise ValueError if the directory has no tenant of this name."""
    known = run_on(location, lambda opened: opened.list_tenants())
    if name not in known:
        raise ValueError(f"--tenant: {unknown_name('tenant', name, known)}")


def run_on(location: Location, work: Callable[["Directory"], Awaitable[T]], *, create: bool = False) -> T:
    """Open a directory, run `work` on it and close it. Raises ValueError, in one line, if that fails.

    Only with `create` a directory that does not exist is created, which is then reported.
    """
    import anyio

    from contacts_mcp.directory import Directory

    async def run() -> T:
        async with Directory(location, create=create) as directory:
            try:
                return await work(directory)
            finally:
                if directory.is_new:
                    report_new(location)

    try:
        with interruptible():
            return anyio.run(run)
    except DirectoryError as exc:
        raise ValueError(str(exc)) from exc


def report_new(location: Location) -> None:
    """Report on standard error that a command has created the directory."""
    print_line(f"Created a new directory at {location}.", err=True)
