"""Pages on which a person decides whether a call may run: on this computer, or over a network after a login."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.approval_page._browser import has_browser, open_in_browser
from contacts_mcp.approval_page._loopback import LoopbackPage

if TYPE_CHECKING:
    from contacts_mcp.approval_page._app import (
        Deciding,
        Login,
        approval_pages,
        not_found,
        page_response,
        protected,
        read_form,
        redirect,
    )
    from contacts_mcp.approval_page._client_address import client_address
    from contacts_mcp.approval_page._login import KeyLogin
    from contacts_mcp.approval_page._oidc_login import CALLBACK_PATH, OidcLogin, Provider
    from contacts_mcp.approval_page._sessions import Session, Sessions, scheme_of
    from contacts_mcp.approval_page._views import PageFault, Views

__all__ = [
    "CALLBACK_PATH",
    "Deciding",
    "KeyLogin",
    "Login",
    "LoopbackPage",
    "OidcLogin",
    "PageFault",
    "Provider",
    "Session",
    "Sessions",
    "Views",
    "approval_pages",
    "client_address",
    "has_browser",
    "not_found",
    "open_in_browser",
    "page_response",
    "protected",
    "read_form",
    "redirect",
    "scheme_of",
]
_LAZY = {
    "_app": (
        *("Deciding", "Login", "approval_pages"),
        *("not_found", "page_response", "protected", "read_form", "redirect"),
    ),
    "_client_address": ("client_address",),
    "_login": ("KeyLogin",),
    "_oidc_login": ("CALLBACK_PATH", "OidcLogin", "Provider"),
    "_sessions": ("Session", "Sessions", "scheme_of"),
    "_views": ("PageFault", "Views"),
}


def __getattr__(name: str) -> Any:
    """Import what needs a network when it is used: a server over stdio may never open a page."""
    for module, names in _LAZY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
