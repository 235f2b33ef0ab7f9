"""Who may call: whoever is on this machine, who brings a key, or who brings a token."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.transports.http.access._access import Access
from contacts_mcp.transports.http.access._door import Admission, Permission
from contacts_mcp.transports.http.access._keys import ByKey
from contacts_mcp.transports.http.access._open import Open

if TYPE_CHECKING:
    from contacts_mcp.transports.http.access._issuer import Issuer
    from contacts_mcp.transports.http.access._oauth import OAuth

__all__ = ["Access", "Admission", "ByKey", "Issuer", "OAuth", "Open", "Permission"]
_LATE = {"Issuer": "_issuer", "OAuth": "_oauth"}


def __getattr__(name: str) -> Any:
    """What checks signatures is imported where tokens are checked."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
