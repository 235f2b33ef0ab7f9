"""Serving a team over the network: who may call, within which limits, over which HTTP transport."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.transports.http._access import Access
from contacts_mcp.transports.http._app import Limits, http_app
from contacts_mcp.transports.http._health import Reach
from contacts_mcp.transports.http._keys import ByKey
from contacts_mcp.transports.http._open import Open
from contacts_mcp.transports.http._patience import Patient
from contacts_mcp.transports.http._serve import listen, run

if TYPE_CHECKING:
    from contacts_mcp.transports.http._issuer import Issuer
    from contacts_mcp.transports.http._oauth import OAuth

__all__ = ["Access", "ByKey", "Issuer", "Limits", "OAuth", "Open", "Patient", "Reach", "http_app", "listen", "run"]
_LATE = {"Issuer": "_issuer", "OAuth": "_oauth"}


def __getattr__(name: str) -> Any:
    """What checks signatures is imported where tokens are checked."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
