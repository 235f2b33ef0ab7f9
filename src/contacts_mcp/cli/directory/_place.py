"""Which directory a command is about, and how it is opened for it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from contacts_mcp.directory import DirectoryNotFound, DirectoryUnavailable, Location, default_path, parse_location
from contacts_mcp.settings import Settings

if TYPE_CHECKING:
    from contacts_mcp.directory import Directory
    from contacts_mcp.directory.database import Database

At = Annotated[
    str | None,
    typer.Option("--directory", help="A file, or an address such as postgresql://…; else CONTACTS_MCP_DIRECTORY."),
]

T = TypeVar("T")


def place_of(given: str | None, settings: Settings) -> Location:
    """The directory that was given, else the one of the settings, else this user's. Raises ValueError."""
    return parse_location(given) if given is not None else settings.directory or default_path()


def work_on(place: Location, work: Callable[["Directory"], Awaitable[T]]) -> T:
    """Do something with the directory at a place. Raises as `within` does."""
    from contacts_mcp.directory import Directory

    async def run() -> T:
        async with Directory(place) as directory:
            return await work(directory)

    return within(run)


def run_on(place: Location, work: Callable[["Database"], Awaitable[T]]) -> T:
    """Do something with the database at a place. Raises as `within` does."""
    from contacts_mcp.directory.maintenance import open_database

    async def run() -> T:
        database = open_database(place)
        try:
            return await work(database)
        finally:
            await database.aclose()

    return within(run)


def within(work: Callable[[], Awaitable[T]]) -> T:
    """Carry out asynchronous work.

    Raises:
        ValueError: a directory cannot be used, or what is asked for is not there, in one line.
    """
    import anyio

    from contacts_mcp.directory.maintenance import BackupRefused

    try:
        return anyio.run(work)
    except (DirectoryUnavailable, DirectoryNotFound, BackupRefused) as exc:
        raise ValueError(str(exc)) from exc
