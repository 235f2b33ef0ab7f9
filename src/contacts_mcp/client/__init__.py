"""The clients: send the contract's calls to the service over HTTP, from asynchronous code or from any other.

Names that need httpx are imported on first use, so that a server can report its credential before httpx is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.client._credentials import (
    BASE_URL,
    Credential,
    InvalidCredential,
    credential_file,
    find_credential,
    is_loopback,
    parse_base_url,
)

if TYPE_CHECKING:
    from contacts_mcp.client._client import ClientOptions, ContactsClient
    from contacts_mcp.client._pool import ClientPool
    from contacts_mcp.client._sync import SyncContactsClient

__all__ = [
    "BASE_URL",
    "ClientOptions",
    "ClientPool",
    "ContactsClient",
    "Credential",
    "InvalidCredential",
    "SyncContactsClient",
    "credential_file",
    "find_credential",
    "is_loopback",
    "parse_base_url",
]


_MODULES = {
    "ClientOptions": "_client",
    "ClientPool": "_pool",
    "ContactsClient": "_client",
    "SyncContactsClient": "_sync",
}
"""The modules of the names that are imported on first use."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
