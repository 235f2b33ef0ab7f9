"""The embedded Contacts API: an ASGI app on a database, for working without an account. It knows nothing about MCP.

`Directory` loads FastAPI and SQLAlchemy, so it is imported on first use: a server starts without waiting for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.directory._errors import (
    NO_DIRECTORY,
    BackupRefused,
    ContactErased,
    DirectoryError,
    DirectoryNotFound,
    DirectoryUnavailable,
)
from contacts_mcp.directory._location import Location, PostgresServer, default_path, parse_location, with_replica

if TYPE_CHECKING:
    from contacts_mcp.directory._directory import ApiKey, Directory
    from contacts_mcp.directory.maintenance import TenantContact

__all__ = [
    "DEFAULT_RATE_LIMIT",
    "EXTENSIONS",
    "KEY_CACHE_SECONDS",
    "NO_DIRECTORY",
    "UNDO",
    "ApiKey",
    "BackupRefused",
    "ContactErased",
    "Directory",
    "DirectoryError",
    "DirectoryNotFound",
    "DirectoryUnavailable",
    "Location",
    "PostgresServer",
    "TenantContact",
    "default_path",
    "list_extensions",
    "parse_location",
    "with_replica",
]

EXTENSIONS = ("batch", "persons", "receipts", "restore", "scan")
"""The names of what the directory offers beyond the documented API."""

UNDO = "undo"
"""What it also offers if it has a key for the values that a bulk update replaces: see `list_extensions`."""

DEFAULT_RATE_LIMIT = 1_200
"""Requests a minute that each key may make, unless the service is started with another limit."""

KEY_CACHE_SECONDS = 3
"""How long a service trusts what it last read about a key, and so how long a revoked key may still work."""


def list_extensions(location: Location, *, has_keys: bool) -> tuple[str, ...]:
    """Return the extensions of a directory at a location. A file makes its own key; a server's is given."""
    return (*EXTENSIONS, UNDO) if has_keys or not isinstance(location, PostgresServer) else EXTENSIONS


_LAZY = {"ApiKey": "_directory", "Directory": "_directory", "TenantContact": "maintenance"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
