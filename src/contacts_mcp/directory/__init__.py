"""The embedded Contacts API: an ASGI app on a database, for working without an account. Knows nothing of MCP.

Directory, and FastAPI and SQLAlchemy with it, is imported on first use: a server says where it is long before.
"""

from typing import TYPE_CHECKING, Any

from contacts_mcp.directory._errors import DirectoryNotFound, DirectoryUnavailable
from contacts_mcp.directory._location import Location, PostgresServer, default_path, parse_location

if TYPE_CHECKING:
    from contacts_mcp.directory._directory import Directory

__all__ = [
    "Directory",
    "DirectoryNotFound",
    "DirectoryUnavailable",
    "Location",
    "PostgresServer",
    "default_path",
    "parse_location",
]


def __getattr__(name: str) -> Any:
    if name != "Directory":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.directory._directory import Directory

    return Directory
