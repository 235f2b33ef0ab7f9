"""Which directory a command is for, and how the command works on it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from contacts_mcp.cli._options import clean_option, interruptible
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
    return parse_location(option) if option is not None else settings.directory or default_path()


def locate_existing(option: str | None) -> Location:
    """The directory as `locate` finds it. Raises ValueError if the file does not exist: opening it would create it."""
    location = locate(option)
    if isinstance(location, Path) and not location.exists():
        raise ValueError(f"there is no directory at {location}; name its file with --directory")
    return location


def require_tenant(location: Location, name: str) -> None:
    """Raise ValueError if the directory has no tenant of this name."""
    known = run_on(location, lambda opened: opened.list_tenants())
    if name not in known:
        raise ValueError(f"--tenant: {unknown_name('tenant', name, known)}")


def run_on(location: Location, work: Callable[["Directory"], Awaitable[T]]) -> T:
    """Open a directory, run `work` on it and close it. Raises ValueError, in one line, if that fails."""
    import anyio

    from contacts_mcp.directory import Directory

    async def run() -> T:
        async with Directory(location) as directory:
            return await work(directory)

    try:
        with interruptible():
            return anyio.run(run)
    except DirectoryError as exc:
        raise ValueError(str(exc)) from exc
