"""The client: sends the contract's calls to the service over HTTP.

Names that need httpx are imported on first use, so that a server can report its credential before httpx is loaded.
"""

from typing import TYPE_CHECKING, Any

from contacts_mcp.client._credentials import (
    BASE_URL,
    Credential,
    InvalidCredential,
    find_credential,
    is_loopback,
    parse_base_url,
)

if TYPE_CHECKING:
    from contacts_mcp.client._client import ClientPool, ContactsClient

__all__ = [
    "BASE_URL",
    "ClientPool",
    "ContactsClient",
    "Credential",
    "InvalidCredential",
    "find_credential",
    "is_loopback",
    "parse_base_url",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.client import _client

    return getattr(_client, name)
