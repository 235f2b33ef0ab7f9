"""What the tools work with for each caller: the connection, and the caller's own key, files and write budget."""

from collections.abc import Callable

from contacts_mcp.app._connections import Connection, PerCallerConnection
from contacts_mcp.file_links import FileLinks
from contacts_mcp.folder import Folder
from contacts_mcp.server import BackendFactory, Caller
from contacts_mcp.settings import Settings
from contacts_mcp.tools import (
    NO_FOLDER_CONFIGURED,
    NO_PATHS_OVER_NETWORK,
    Backend,
    CallerLinks,
    Downloads,
    KeptListings,
    LinkedDownloads,
    PlannedFiles,
    WriteBudgets,
)


def backend_factory(
    settings: Settings,
    connection: Connection,
    *,
    paths: bool,
    make_downloads: Callable[[Folder | None], Downloads] | None = None,
    links: FileLinks | None = None,
) -> BackendFactory:
    """Return a function that builds each caller's backend, with their own key, write budget and downloads.

    `make_downloads` gets the folder for files; by default downloads are kept in memory, or in the folder of `links`.
    """
    files: Folder | str = NO_PATHS_OVER_NETWORK
    if paths:
        files = Folder(settings.files.expanduser()) if settings.files else NO_FOLDER_CONFIGURED
    downloads = LinkedDownloads(links) if links else Downloads()
    if make_downloads:
        downloads = make_downloads(files if isinstance(files, Folder) else None)
    planned_files, budgets = PlannedFiles(), WriteBudgets(settings.write_budget)
    listings = KeptListings()
    per_caller = connection if isinstance(connection, PerCallerConnection) else None

    def backend_for(caller: Caller) -> Backend:
        return Backend(
            per_caller.sender_for(caller) if per_caller else connection,
            settings.default_region,
            files=files,
            downloads=downloads,
            links=CallerLinks(links, caller.principal) if links else None,
            planned_files=planned_files,
            listings=listings,
            owner=caller.principal,
            budget=budgets.for_caller(caller.principal),
            tells_scopes=caller.credential.is_of_directory if caller.credential else connection.tells_scopes,
            known_extensions=connection.known_extensions,
        )

    return backend_for
