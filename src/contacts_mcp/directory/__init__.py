"""The embedded Contacts API: an ASGI app on a SQLite file, for working without an account. Knows nothing of MCP.

Directory, and FastAPI and SQLAlchemy with it, is imported on first use: a server says where its file is long before.
"""

from typing import TYPE_CHECKING, Any

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._place import default_path

if TYPE_CHECKING:
    from contacts_mcp.directory._directory import Directory

__all__ = ["Directory", "DirectoryUnavailable", "default_path"]


def __getattr__(name: str) -> Any:
    if name != "Directory":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.directory._directory import Directory

    return Directory
