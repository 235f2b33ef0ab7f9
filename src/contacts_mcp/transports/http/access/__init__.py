"""Authentication and authorization of callers: only this machine, by WAYSCloud key, or by OAuth token."""

from typing import TYPE_CHECKING, Any

from contacts_mcp.transports.http.access._access import (
    Access,
    ApiKeyAccess,
    AuthenticationMiddleware,
    AuthorizationMiddleware,
    LoopbackAccess,
)

if TYPE_CHECKING:
    from contacts_mcp.transports.http.access._oauth import OAuthAccess
    from contacts_mcp.transports.http.access._tokens import Issuer

__all__ = [
    "Access",
    "ApiKeyAccess",
    "AuthenticationMiddleware",
    "AuthorizationMiddleware",
    "Issuer",
    "LoopbackAccess",
    "OAuthAccess",
]


def __getattr__(name: str) -> Any:
    """Import what checks signatures only if tokens are checked."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.transports.http.access import _oauth

    return getattr(_oauth, name)
