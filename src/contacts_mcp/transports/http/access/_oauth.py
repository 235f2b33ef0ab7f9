"""Access by OAuth token: this server as a resource server, as MCP's authorization specification describes it."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Route

from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.middleware import CURRENT_REQUEST_ID, Refusal, bearer_token
from contacts_mcp.pseudonyms import subject_pseudonym
from contacts_mcp.server import Caller
from contacts_mcp.transports.http._endpoints import EXPIRES_SCOPE_KEY
from contacts_mcp.transports.http.access._access import Access
from contacts_mcp.transports.http.access._signing_keys import RETRY_INTERVAL_SECONDS, IssuerUnavailable
from contacts_mcp.transports.http.access._tokens import InvalidToken, Issuer, TokenClaims

SCOPES: dict[str, frozenset[Risk]] = {
    "contacts:read": frozenset({Risk.READ}),
    "contacts:write": frozenset({Risk.WRITE}),
    "contacts:delete": frozenset({Risk.DESTROY, Risk.ERASE}),
}
"""What each scope allows; none implies another."""
APPROVE_SCOPE = "contacts:approve"
"""Allows to decide on the calls of others. Clients of models are not told to request it."""
METADATA_PATH = "/.well-known/oauth-protected-resource"

_RESOURCE = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]+(?:/[A-Za-z0-9/._~%-]*)?")
_URL = TypeAdapter(AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True))
_CALL_MARKERS = (b"tools/call", b"\\", b"\0")  # the method, an escape that may hide it, or a sign of UTF-16 or UTF-32
_MAX_PARSED_BYTES = 64 * 1024
"""Larger messages are not parsed for the status 403: that would delay all callers."""
_INSUFFICIENT = "insufficient_scope"

DenialRecorder = Callable[[Iterable[str], str, str, str], Awaitable[None]]
"""Records refused calls: tools, caller, request ID and error code."""


class _IssuerNotReady(ContactsError):
    code = "issuer_unavailable"
    advice = "check CONTACTS_MCP_OAUTH_ISSUER and the network between the server and the issuer"


class OAuthAccess(Access):
    """Accept callers with a valid token, for what its scopes allow; the server's own credential is used upstream.

    `resource` is the public URL of this server, as clients name it to the authorization server, and `risk_of` returns
    the risk of a tool by name. Raises ValueError if `resource` or the issuer's URL is not a URL in its normal form.
    """

    def __init__(
        self,
        issuer: Issuer,
        *,
        resource: str,
        risk_of: Callable[[str], Risk | None],
        record_denied: DenialRecorder | None = None,
    ) -> None:
        if not _RESOURCE.fullmatch(resource) or str(_URL.validate_python(resource)) != resource:
            raise ValueError(
                "the resource must be this server's public URL, in lower case and without a default port, "
                "such as https://contacts.example.com/mcp"
            )
        if str(_URL.validate_python(issuer.url)) != issuer.url:
            raise ValueError("the OAuth issuer must be written with its host in lower case and without a default port")
        self.issuer, self.resource = issuer, resource
        self._resource_url = _URL.validate_python(resource)
        self._risk_of = risk_of
        self._record_denied = record_denied
        self._metadata_url = str(build_resource_metadata_url(self._resource_url))
        self.oauth_advice = f"the authorization server is named by {self._metadata_url}"

    async def authenticate(self, connection: HTTPConnection) -> Caller:
        """Return the caller that the token was issued to: a user is the same caller in every client program.

        Removes the token from the request. Raises Refusal: 400, 401, 403, or 503 if the token cannot be checked.
        """
        claims = await self._verify(self._token(connection))
        connection.scope["headers"] = [pair for pair in connection.scope["headers"] if pair[0] != b"authorization"]
        connection.scope[EXPIRES_SCOPE_KEY] = claims.expires
        caller = caller_of(claims)
        if not caller.risks:
            raise self._insufficient({"contacts:read"}, "the token has none of this server's scopes")
        return caller

    async def authorize(self, caller: Caller, body: bytes) -> None:
        """Refuse (403) a call of a tool that the caller's scopes do not cover, and name the scopes that would.

        The server refuses such a call anyway, even in a message that is too large to be parsed here. This check adds
        the status after which a client requests more scopes.
        """
        if len(body) > _MAX_PARSED_BYTES or not any(marker in body for marker in _CALL_MARKERS):
            return
        called = {tool: risk for tool in _called_tools(body) if (risk := self._risk_of(tool))}
        denied = {tool: risk for tool, risk in called.items() if risk not in caller.risks}
        if denied:
            if self._record_denied is not None:
                await self._record_denied(denied, caller.principal, CURRENT_REQUEST_ID.get() or "", _INSUFFICIENT)
            wanted = set(denied.values())
            needed = {scope for scope, risks in SCOPES.items() if risks & wanted}
            granted = {scope for scope, risks in SCOPES.items() if risks <= caller.risks}
            raise self._insufficient(needed | granted, f"the tool needs {' and '.join(sorted(needed))}")

    async def check_ready(self) -> None:
        """Raise a ContactsError if the issuer's keys are not available."""
        try:
            await self.issuer.check_ready()
        except IssuerUnavailable:
            raise _IssuerNotReady("the token issuer's keys cannot be fetched") from None

    def reload(self) -> str:
        self.issuer.reload()
        return "the token issuer's keys are fetched again"

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the protected-resource metadata (RFC 9728), at every path where clients look for it."""
        (own,) = create_protected_resource_routes(
            self._resource_url, [_URL.validate_python(self.issuer.url)], list(SCOPES), "WAYSCloud Contacts"
        )
        paths = dict.fromkeys((METADATA_PATH, f"{METADATA_PATH}/mcp", own.path))
        return [Route(path, own.endpoint, methods=["GET", "OPTIONS"]) for path in paths]

    def _token(self, connection: HTTPConnection) -> str:
        """Return the one bearer token in the headers. RFC 6750 also allows it in the URL, which ends up in logs."""
        if "access_token" in connection.query_params:
            raise self._malformed("a token in the URL is not accepted")
        headers = connection.headers.getlist("authorization")
        if len(headers) > 1:
            raise self._malformed("there is more than one Authorization header")
        token = bearer_token("".join(headers))
        if not token:
            message = (
                "this server requires an access token; get one from the authorization server that "
                f"{self._metadata_url} names, and send it as `Authorization: Bearer`"
            )
            challenge = self._challenge(scope=" ".join(SCOPES))
            raise Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", message, challenge)
        return token

    async def _verify(self, token: str) -> TokenClaims:
        try:
            return await self.issuer.verify(token)
        except InvalidToken as exc:
            challenge = self._challenge(error="invalid_token", error_description=str(exc), scope=" ".join(SCOPES))
            message = f"{exc}; get a new one from the authorization server"
            raise Refusal(HTTPStatus.UNAUTHORIZED, "invalid_token", message, challenge) from None
        except IssuerUnavailable:
            message = (
                "the token could not be checked, because the authorization server's keys are not available; "
                f"try again in {RETRY_INTERVAL_SECONDS} seconds"
            )
            headers = {"Retry-After": str(RETRY_INTERVAL_SECONDS)}
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unreachable", message, headers) from None

    def _malformed(self, what: str) -> Refusal:
        challenge = self._challenge(error="invalid_request", error_description=what)
        message = f"{what}; send one token, as `Authorization: Bearer`"
        return Refusal(HTTPStatus.BAD_REQUEST, "invalid_request", message, challenge)

    def _insufficient(self, scopes: Iterable[str], what: str) -> Refusal:
        """Return the refusal that makes a client request a new token; `scopes` are all scopes to request."""
        wanted = " ".join(scope for scope in SCOPES if scope in scopes)
        challenge = self._challenge(error=_INSUFFICIENT, error_description=what, scope=wanted)
        return Refusal(HTTPStatus.FORBIDDEN, _INSUFFICIENT, f"{what}; sign in again and request {wanted}", challenge)

    def _challenge(self, **parameters: str) -> dict[str, str]:
        """Return a WWW-Authenticate header (RFC 6750, 3; RFC 9728, 5.1); no value comes from the request."""
        pairs = {**parameters, "resource_metadata": self._metadata_url}
        return {"WWW-Authenticate": "Bearer " + ", ".join(f'{name}="{value}"' for name, value in pairs.items())}


def caller_of(claims: TokenClaims) -> Caller:
    """Return the caller whom a token names, with what its scopes allow."""
    risks = frozenset(risk for scope in claims.scopes & SCOPES.keys() for risk in SCOPES[scope])
    may_approve = APPROVE_SCOPE in claims.scopes
    return Caller(subject_pseudonym(claims.issuer, claims.subject), risks, may_approve=may_approve)


class _Members(list[tuple[str, Any]]):
    """All members of a JSON object, also several of the same name: parsers differ in which of them they take."""

    def all(self, name: str) -> Iterator[Any]:
        return (value for key, value in self if key == name)


def _called_tools(body: bytes) -> Iterator[str]:
    """Return the names of all tools that a body could be read to call; none if it is not JSON."""
    try:
        message = json.loads(body, object_pairs_hook=_Members, parse_int=float)
    except (ValueError, RecursionError):
        return
    for each in [message] if isinstance(message, _Members) else message if isinstance(message, list) else []:
        if isinstance(each, _Members) and "tools/call" in each.all("method"):
            params = (value for value in each.all("params") if isinstance(value, _Members))
            yield from (name for value in params for name in value.all("name") if isinstance(name, str))
