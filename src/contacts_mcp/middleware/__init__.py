"""ASGI middleware that the MCP server over HTTP and the directory service share."""

from contacts_mcp.middleware._bodies import BODY_SCOPE_KEY, BodyLimitMiddleware, BodyQuota
from contacts_mcp.middleware._errors import ErrorMiddleware, Refusal
from contacts_mcp.middleware._requests import (
    CURRENT_REQUEST_ID,
    REQUEST_ID_SCOPE_KEY,
    RequestIdMiddleware,
    bearer_token,
    presented_keys,
    route_path,
)

__all__ = [
    "BODY_SCOPE_KEY",
    "CURRENT_REQUEST_ID",
    "REQUEST_ID_SCOPE_KEY",
    "BodyLimitMiddleware",
    "BodyQuota",
    "ErrorMiddleware",
    "Refusal",
    "RequestIdMiddleware",
    "bearer_token",
    "presented_keys",
    "route_path",
]
