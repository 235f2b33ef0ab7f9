"""Login of people at the authorization server: OpenID Connect, the authorization code flow with PKCE.

Authlib builds the requests and checks the claims of ID tokens; metadata, keys and signatures are checked by what checks
access tokens. Nothing of a token, a code or an error's description is logged.
"""

import logging
import math
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import anyio
import httpx2
import jwt
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from contacts_mcp.contract import Risk
from contacts_mcp.middleware import Refusal, counted
from contacts_mcp.server import Caller
from contacts_mcp.transports.http.access._oauth import APPROVE_SCOPE, caller_of
from contacts_mcp.transports.http.access._signing_keys import (
    FETCH_TIMEOUT_SECONDS,
    MAX_DOCUMENT_BYTES,
    RETRY_INTERVAL_SECONDS,
    Fetch,
    IssuerUnavailable,
    Metadata,
    UnusableAnswer,
    fetch_document,
    is_https,
    read_metadata,
)
from contacts_mcp.transports.http.access._tokens import LEEWAY_SECONDS, InvalidToken, Issuer, TokenClaims, parse_scopes

_METADATA_TTL_SECONDS = 3_600.0
_TOKEN_TIMEOUT_SECONDS = 10.0
_MAX_LOGINS = 32
"""Logins that wait for the authorization server at once: every visitor can start one, also with a code of their own."""
_AUTH_METHODS = ("client_secret_basic", "client_secret_post")
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_READ_SCOPE = "contacts:read"
_CHANGE_SCOPES = ("contacts:write", "contacts:delete")

_log = logging.getLogger(__name__)


class Endpoints(NamedTuple):
    """Where an issuer asks people to log in, where it gives tokens for a code, and how a client with a secret asks."""

    authorization: str
    token: str
    auth_method: str


class OidcClient:
    """The client at an issuer that this server is when people log in.

    A person becomes the caller whom the access token names, if it is a JWT for this server, or else the caller whom the
    ID token names. So they are the same caller as their assistant, which shows the issuer's access tokens.
    `resource` is the public URL of this server, as its clients request tokens for it. With `asks_to_approve`, the scope
    of approvers is requested as well, and with `asks_to_change` those that let a caller change contacts. Nothing is
    fetched before the first login.
    """

    def __init__(
        self,
        issuer: Issuer,
        client_id: str,
        client_secret: str | None,
        *,
        resource: str,
        asks_to_approve: bool = False,
        asks_to_change: bool = False,
        fetch: Fetch = fetch_document,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._resource = resource
        changes = _CHANGE_SCOPES if asks_to_change else ()
        self._scopes = ["openid", _READ_SCOPE, *changes, *([APPROVE_SCOPE] if asks_to_approve else [])]
        self._fetch = fetch
        self._clock = clock
        self._endpoints: Endpoints | None = None
        self._due_at = self._warned_at = -math.inf
        self._is_expired = False
        self._lock = anyio.Lock()
        self._running: Counter[str] = Counter()

    @property
    def issuer(self) -> str:
        """The address of the issuer."""
        return self._issuer.url

    async def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return the address at which a person logs in. Raises Refusal (503) if the issuer is not available."""
        endpoints = await self._find_endpoints()
        client = OAuth2Client(None, **self._client, code_challenge_method="S256")
        url, _ = client.create_authorization_url(
            endpoints.authorization,
            redirect_uri=redirect_uri,
            scope=self._scopes,
            state=state,
            nonce=nonce,
            code_verifier=verifier,
            resource=self._resource,
        )
        return str(url)

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Caller:
        """Return the caller who has logged in, for the code that the issuer gave to their browser.

        Raises Refusal: 403 if the login does not count, 503 if it cannot be checked now.
        """
        if self._running[""] >= _MAX_LOGINS:
            raise _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many people are logging in; try again in a moment")
        with counted(self._running, ""):
            tokens = await self._request_tokens(code, redirect_uri, verifier)
            try:
                caller = caller_of(await self._claims_of(tokens, nonce))
            except InvalidToken as exc:
                self._warn(f"its answer is not accepted, because {exc}")
                text = "the answer of the authorization server does not belong to this login"
                raise _refusal(HTTPStatus.FORBIDDEN, text) from None
            except IssuerUnavailable:
                raise _unavailable() from None
        if Risk.READ not in caller.risks:
            raise _refusal(HTTPStatus.FORBIDDEN, f"you may not see contacts: your login lacks the scope {_READ_SCOPE}")
        return caller

    def reload(self) -> str:
        """Fetch the issuer's metadata again at the next login; what was found before stays in use if that fails."""
        self._is_expired = True
        return "the login's addresses are fetched again"

    async def _find_endpoints(self) -> Endpoints:
        """Return the endpoints; those found before stay in use while the metadata cannot be fetched again."""
        async with self._lock:
            if self._is_expired or self._clock() >= self._due_at:
                await self._load()
        if self._endpoints is None:
            raise _unavailable()
        return self._endpoints

    async def _load(self) -> None:
        wait = _METADATA_TTL_SECONDS
        self._is_expired = False
        try:
            with anyio.fail_after(FETCH_TIMEOUT_SECONDS, shield=True):  # other people wait for it, too
                self._endpoints = await read_metadata(self._issuer.url, self._fetch, _read_endpoints)
        except (IssuerUnavailable, TimeoutError) as exc:
            self._warn(str(exc) or "it takes too long to send its metadata")
            wait = RETRY_INTERVAL_SECONDS
        self._due_at = self._clock() + wait

    async def _request_tokens(self, code: str, redirect_uri: str, verifier: str) -> Mapping[str, Any]:
        endpoints = await self._find_endpoints()
        has_secret = self._client["client_secret"] is not None
        client: Any = AsyncOAuth2Client(
            **self._client,
            token_endpoint_auth_method=endpoints.auth_method if has_secret else "none",
            headers={"Accept-Encoding": "identity"},
            timeout=_TOKEN_TIMEOUT_SECONDS,
            trust_env=is_https(endpoints.token),  # a proxy from the environment must not see what stays on this machine
            event_hooks={"response": [_limit_answer]},
        )
        parameters = {"redirect_uri": redirect_uri, "code_verifier": verifier, "resource": self._resource}
        try:
            with anyio.fail_after(_TOKEN_TIMEOUT_SECONDS):
                async with client:
                    tokens: Mapping[str, Any] = await client.fetch_token(
                        endpoints.token, grant_type="authorization_code", code=code, **parameters
                    )
                    return tokens
        except OAuthError as exc:
            raise self._refused(str(exc.error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, RecursionError, UnusableAnswer) as exc:
            self._warn(f"it sends no tokens ({type(exc).__name__})")
            raise _unavailable() from None

    def _refused(self, error: str) -> Refusal:
        """Return what a person reads after the token endpoint has refused a code."""
        if error == "invalid_grant":
            text = "the authorization server no longer accepts this login, or it was used before"
            return _refusal(HTTPStatus.FORBIDDEN, text)
        self._warn(f"it refuses this server ({error if _ERROR_CODE.fullmatch(error) else 'unknown error'})")
        text = "the authorization server refuses this server; its operator finds the reason in the log"
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, text)

    async def _claims_of(self, tokens: Mapping[str, Any], nonce: str) -> TokenClaims:
        """Return what is known of the person. Raises InvalidToken or IssuerUnavailable."""
        access_token, id_token = tokens.get("access_token"), tokens.get("id_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise InvalidToken("the ID token or the access token is missing")
        payload = await self._issuer.decode(id_token, self._client["client_id"] or "")
        _check_id_token(payload, id_token, nonce, access_token, self._client["client_id"] or "")
        try:
            return await self._issuer.verify(access_token)
        except InvalidToken:  # it is opaque, or for another service
            scopes = self._granted(tokens)
            return TokenClaims(payload["iss"], payload["sub"], scopes, payload["exp"] + LEEWAY_SECONDS)

    def _granted(self, tokens: Mapping[str, Any]) -> frozenset[str]:
        """Return the scopes of the answer. Without them all that were requested are granted (RFC 6749, 5.1).

        An issuer that drops what it does not know, and does not say so, would make everyone an approver, and let
        everyone change contacts: those scopes have to be named.
        """
        if "scope" not in tokens:
            return frozenset(self._scopes) - {APPROVE_SCOPE, *_CHANGE_SCOPES}
        return parse_scopes(tokens["scope"]) & frozenset(self._scopes)

    def _warn(self, reason: str) -> None:
        """Log a warning, unless there was one just before: every visitor can cause one."""
        if self._clock() - self._warned_at >= RETRY_INTERVAL_SECONDS:
            self._warned_at = self._clock()
            _log.warning("a person cannot log in at the authorization server: %s", reason)


def _read_endpoints(metadata: Metadata) -> Endpoints:
    methods = metadata.members.get("token_endpoint_auth_methods_supported", _AUTH_METHODS)
    usable = [name for name in _AUTH_METHODS if isinstance(methods, Sequence) and name in methods]
    method = usable[0] if usable else _AUTH_METHODS[0]
    return Endpoints(metadata.url("authorization_endpoint"), metadata.url("token_endpoint"), method)


def _check_id_token(payload: dict[str, Any], id_token: str, nonce: str, access_token: str, client_id: str) -> None:
    """Check the claims of OpenID Connect (3.1.3.7): nonce, authorized party, and the access token's hash."""
    header = jwt.get_unverified_header(id_token)  # its signature was checked
    known = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    try:
        CodeIDToken(payload, header, params=known).validate(leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError) as exc:
        claim = str(getattr(exc, "claim", ""))
        name = claim if claim in {"nonce", "azp", "at_hash", "iat"} else "claims"
        raise InvalidToken(f"the ID token has the wrong {name}") from None


async def _limit_answer(response: httpx2.Response) -> None:
    """Let no answer of the token endpoint be longer than other documents of an issuer, compressed or not."""
    if "Content-Encoding" in response.headers:
        raise UnusableAnswer("the answer is compressed")
    response.stream = _LimitedStream(response.stream)


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream: httpx2.AsyncByteStream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_DOCUMENT_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise UnusableAnswer("the answer is too long")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _unavailable() -> Refusal:
    text = f"the authorization server is not available; try again in {RETRY_INTERVAL_SECONDS} seconds"
    return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, text)


def _refusal(status: HTTPStatus, message: str) -> Refusal:
    return Refusal(status, "login_failed", message)
