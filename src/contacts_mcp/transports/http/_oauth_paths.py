"""Answers for clients that look for an authorization server here: OAuth's error form, and how to authenticate."""

import re
from http import HTTPStatus

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.middleware import route_path

_PATH = re.compile(
    r"(?:/mcp|/sse)?/"
    r"(?:(register|authorize|token|revoke|introspect)|\.well-known/(?:oauth-[a-z-]+|openid-configuration)(?:/mcp|/sse)?)"
    r"/?"
)
_ERRORS = {
    "register": "registration_not_supported",
    "authorize": "unsupported_response_type",
    "token": "unsupported_grant_type",
    "revoke": "unsupported_token_type",
    "introspect": "invalid_request",
}
"""The error of each endpoint: RFC 6749 (4.1.2.1 and 5.2), RFC 7009 (2.2.1), OpenID Connect Core (3.1.2.6)."""


def is_oauth_path(path: str) -> bool:
    """Whether a client expects an authorization server's endpoint or metadata at this path."""
    return _PATH.fullmatch(path) is not None


def oauth_errors(advice: str) -> ASGIApp:
    """Return an app for these paths; `advice` says how to authenticate. Pages of every origin may read it."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        found = _PATH.fullmatch(route_path(scope))
        endpoint = found[1] if found else None
        error = _ERRORS[endpoint] if endpoint else "not_found"
        content = {"error": error, "error_description": f"this server is no authorization server; {advice}"}
        status = HTTPStatus.BAD_REQUEST if endpoint else HTTPStatus.NOT_FOUND
        await JSONResponse(content, status, {"Cache-Control": "no-store"})(scope, receive, send)

    return CORSMiddleware(refuse, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
