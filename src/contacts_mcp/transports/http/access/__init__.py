"""Authentication and authorization of callers: only this machine, by WAYSCloud key, or by OAuth token."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contacts_mcp.transports.http.access._access import (
    Access,
    ApiKeyAccess,
    AuthenticationMiddleware,
    AuthorizationMiddleware,
    ConsoleOnlyAccess,
    LoopbackAccess,
    set_caller,
)

if TYPE_CHECKING:
    from contacts_mcp.transports.http.access._oauth import OAuthAccess
    from contacts_mcp.transports.http.access._oidc import OidcClient
    from contacts_mcp.transports.http.access._tokens import Issuer

__all__ = [
    "Access",
    "ApiKeyAccess",
    "AuthenticationMiddleware",
    "AuthorizationMiddleware",
    "ConsoleOnlyAccess",
    "Issuer",
    "LoopbackAccess",
    "OAuthAccess",
    "OidcClient",
    "set_caller",
]
_LAZY = {"Issuer": "_tokens", "OAuthAccess": "_oauth", "OidcClient": "_oidc"}


def __getattr__(name: str) -> Any:
    """Import what checks signatures only if tokens are checked, and Authlib only if people log in."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
