"""The client: sends the contract's calls to the service. The only room that knows HTTP going out.

What imports httpx is imported on first use: a server says where its key comes from long before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.client._address import BASE_URL, is_loopback, parse_base_url
from contacts_mcp.client._credential import Credential, InvalidCredential, find_credential

if TYPE_CHECKING:
    from contacts_mcp.client._client import ContactsClient
    from contacts_mcp.client._pool import ClientPool

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
_LATE = {"ClientPool": "_pool", "ContactsClient": "_client"}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
