"""Letting callers in by an access token: an OAuth 2.1 resource server, as MCP's authorization pages have it."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.server import CURRENT_REQUEST_ID, Caller
from contacts_mcp.transports.http._hangups import EXPIRES
from contacts_mcp.transports.http._refusals import Refusal
from contacts_mcp.transports.http.access._discovery import IssuerUnavailable
from contacts_mcp.transports.http.access._issuer import BadToken, Claims, Issuer
from contacts_mcp.transports.http.access._jwks import RETRY_AFTER

SCOPES: dict[str, frozenset[Risk]] = {
    "contacts:read": frozenset({Risk.READ}),
    "contacts:write": frozenset({Risk.WRITE}),
    "contacts:delete": frozenset({Risk.DESTROY, Risk.ERASE}),
}
"""What each scope allows; none implies another."""

_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_PUBLIC = {  # RFC 9728: anybody may read it, and a browser asks first where a client adds headers of its own
    "Cache-Control": "public, max-age=3600",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "*",
}
_RESOURCE = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]+(?:/[A-Za-z0-9/._~%-]*)?")
_TELLING = (b"tools/call", b"\\", b"\0")  # the method, an escape that may hide it, or an encoding that is not UTF-8
_PRINCIPAL_LENGTH = 32
_INSUFFICIENT = "insufficient_scope"

TurnedAway = Callable[[Iterable[str], str, str, str], Awaitable[None]]
"""Told of tools, caller, request and error."""


_LONGEST_LOOKED_AT = 64 * 1024
"""Bytes of a message; to take a larger one apart would hold up everybody, for the sake of a status."""


class _IssuerAway(ContactsError):
    code = "issuer_unavailable"
    advice = "check CONTACTS_MCP_OAUTH_ISSUER and the way to it"


async def _nobody(_tools: Iterable[str], _caller: str, _request: str, _error: str) -> None:
    """Nobody is told."""


class OAuth:
    """Lets in who brings a good token, with what its scopes allow, whoever the upstream credential belongs to.

    `resource` is the public URL of this server, as clients name it to the authorization server; `risk_of` gives the
    risk of a tool by name; `turned_away` is told which tools whom were refused. Raises ValueError for a resource that
    is no such URL.
    """

    def __init__(
        self, issuer: Issuer, *, resource: str, risk_of: Callable[[str], Risk | None], turned_away: TurnedAway = _nobody
    ) -> None:
        if not _RESOURCE.fullmatch(resource):
            raise ValueError("the resource must be this server's public URL, such as https://contacts.example.com/mcp")
        self._issuer = issuer
        self._resource = resource
        self._risk_of = risk_of
        self._turned_away = turned_away
        parts = urlsplit(resource)
        self._metadata_path = _WELL_KNOWN + parts.path.removesuffix("/")
        self._metadata_url = f"{parts.scheme}://{parts.netloc}{self._metadata_path}"

    async def admit(self, connection: HTTPConnection) -> Caller:
        """The caller a token was issued to, who is the same whatever program they use.

        From here on the request carries no token any more. Raises Refusal: 400, 401, 403, or 503 where nobody could
        tell.
        """
        claims = await self._claims(self._token(connection))
        connection.scope["headers"] = [pair for pair in connection.scope["headers"] if pair[0] != b"authorization"]
        connection.scope[EXPIRES] = claims.expires
        risks = frozenset(risk for scope in claims.scopes & SCOPES.keys() for risk in SCOPES[scope])
        if not risks:
            raise self._lacking({"contacts:read"}, "the token has none of this server's scopes")
        return Caller(_principal(claims), risks)

    async def permit(self, caller: Caller, body: bytes) -> None:
        """Refuse (403) a call of a tool that the caller's scopes do not cover, and name the scopes that would.

        The server refuses such a call by itself, also where a message is too large to be looked at here; this is for
        the status by which a client asks for more.
        """
        if len(body) > _LONGEST_LOOKED_AT or not any(sign in body for sign in _TELLING):
            return
        called = {tool: risk for tool in _tools_called(body) if (risk := self._risk_of(tool))}
        refused = {tool: risk for tool, risk in called.items() if risk not in caller.risks}
        if refused:
            await self._turned_away(refused, caller.principal, CURRENT_REQUEST_ID.get() or "", _INSUFFICIENT)
            wanted = set(refused.values())
            needed = {scope for scope, risks in SCOPES.items() if risks & wanted}
            granted = {scope for scope, risks in SCOPES.items() if risks <= caller.risks}
            raise self._lacking(needed | granted, f"the tool takes {' and '.join(sorted(needed))}")

    async def check_ready(self) -> None:
        """Raise a ContactsError where the issuer's keys are not to be had."""
        try:
            await self._issuer.check_ready()
        except IssuerUnavailable:
            raise _IssuerAway("the token issuer's keys cannot be fetched") from None

    def routes(self) -> list[BaseRoute]:
        """The protected-resource metadata (RFC 9728), also where clients look that have only the server's URL."""
        paths = dict.fromkeys((_WELL_KNOWN, f"{_WELL_KNOWN}/mcp", self._metadata_path))
        return [Route(path, self._metadata, methods=["GET", "OPTIONS"]) for path in paths]

    async def _metadata(self, _request: Request) -> JSONResponse:
        document = {
            "resource": self._resource,
            "resource_name": "WAYSCloud Contacts",
            "authorization_servers": [self._issuer.url],
            "scopes_supported": list(SCOPES),
            "bearer_methods_supported": ["header"],
        }
        return JSONResponse(document, headers=_PUBLIC)

    def _token(self, connection: HTTPConnection) -> str:
        """The one bearer token of a request's header; RFC 6750 has other places for it, which end up in logs."""
        if "access_token" in connection.query_params:
            raise self._malformed("a token in the URL is not accepted")
        headers = connection.headers.getlist("authorization")
        if len(headers) > 1:
            raise self._malformed("there is more than one Authorization header")
        scheme, _, token = "".join(headers).partition(" ")
        if scheme.lower() != "bearer" or not token.strip(" "):
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized: this server wants an access token; get one from the authorization server that "
                f"{self._metadata_url} names, and send it as `Authorization: Bearer`",
                self._challenge(scope=" ".join(SCOPES)),
            )
        return token.strip(" ")

    async def _claims(self, token: str) -> Claims:
        try:
            return await self._issuer.claims(token)
        except BadToken as exc:
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                f"invalid_token: {exc}; get a new one from the authorization server",
                self._challenge(error="invalid_token", error_description=str(exc), scope=" ".join(SCOPES)),
            ) from None
        except IssuerUnavailable:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "unreachable: the authorization server's keys cannot be had, so the token could not be checked; "
                f"try again in {RETRY_AFTER} seconds",
                {"Retry-After": str(RETRY_AFTER)},
            ) from None

    def _malformed(self, what: str) -> Refusal:
        return Refusal(
            HTTPStatus.BAD_REQUEST,
            f"invalid_request: {what}; send one token, as `Authorization: Bearer`",
            self._challenge(error="invalid_request", error_description=what),
        )

    def _lacking(self, scopes: Iterable[str], what: str) -> Refusal:
        """The refusal that lets a client step up; `scopes` are all it should ask for, those it has included."""
        asked = " ".join(scope for scope in SCOPES if scope in scopes)
        return Refusal(
            HTTPStatus.FORBIDDEN,
            f"{_INSUFFICIENT}: {what}; sign in again and ask for {asked}",
            self._challenge(error=_INSUFFICIENT, error_description=what, scope=asked),
        )

    def _challenge(self, **parameters: str) -> dict[str, str]:
        """A WWW-Authenticate header (RFC 6750, 3; RFC 9728, 5.1); every value is one of this module's own."""
        pairs = {**parameters, "resource_metadata": self._metadata_url}
        return {"WWW-Authenticate": "Bearer " + ", ".join(f'{name}="{value}"' for name, value in pairs.items())}


def _principal(claims: Claims) -> str:
    """Issuer and subject, as `oauth:<issuer>#<digest>`.

    The digest stands for the subject, which may be an e-mail address, or anything else that does not belong into a
    line of the trail. An issuer's URL holds no `#`, so that the two cannot run into each other.
    """
    whole = f"{claims.issuer}#{claims.subject}".encode("utf-8", "surrogatepass")
    return f"oauth:{claims.issuer}#{sha256(whole).hexdigest()[:_PRINCIPAL_LENGTH]}"


class _Members(list[tuple[str, Any]]):
    """A JSON object with every member it has, also those of the same name: no reader's choice is relied upon."""

    def all(self, name: str) -> Iterator[Any]:
        return (value for key, value in self if key == name)


def _tools_called(body: bytes) -> Iterator[str]:
    """The names of all tools that a body may be read to call; none where it is no JSON."""
    try:
        said = json.loads(body, object_pairs_hook=_Members, parse_int=float)
    except (ValueError, RecursionError):
        return
    for message in [said] if isinstance(said, _Members) else said if isinstance(said, list) else []:
        if isinstance(message, _Members) and "tools/call" in message.all("method"):
            everything = (params for params in message.all("params") if isinstance(params, _Members))
            yield from (name for params in everything for name in params.all("name") if isinstance(name, str))
