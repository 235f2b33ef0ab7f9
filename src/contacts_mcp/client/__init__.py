"""The client: sends the contract's calls to the service. The only room that knows HTTP going out.

ContactsClient, and httpx with it, is imported on first use: a server says where its key comes from long before.
"""

from typing import TYPE_CHECKING, Any

from contacts_mcp.client._address import BASE_URL, base_address
from contacts_mcp.client._credential import Credential, UnusableCredential, find_credential

if TYPE_CHECKING:
    from contacts_mcp.client._client import ContactsClient

__all__ = ["BASE_URL", "ContactsClient", "Credential", "UnusableCredential", "base_address", "find_credential"]


def __getattr__(name: str) -> Any:
    if name != "ContactsClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.client._client import ContactsClient

    return ContactsClient
