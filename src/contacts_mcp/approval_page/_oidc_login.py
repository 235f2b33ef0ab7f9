"""Login at the authorization server: the browser goes there, and comes back with a code.

What belongs to a login (state, nonce, PKCE verifier and the page to go on to) is sealed in a cookie of the browser that
began it. So a code counts only in that browser, and no other page than one of these can follow.
"""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from contacts_mcp.approval_page._app import Form, as_sentence, page_response, redirect
from contacts_mcp.approval_page._sessions import Sessions, cookie_name, cookie_options, scheme_of
from contacts_mcp.approval_page._views import PageFault, Views
from contacts_mcp.guard import Seal
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import Caller

CALLBACK_PATH = "/login/callback"
"""Where the authorization server sends the browser, below the pages."""
LOGIN_SECONDS = 10 * 60.0
_COOKIE = "contacts-login"
_SECRET_BYTES = 32
_MAX_CODE_CHARACTERS = 4_096
_DECLINED = ("access_denied", "login_required", "consent_required", "interaction_required")
"""Errors that tell what the person did, or could not do (RFC 6749, 4.1.2.1; OpenID Connect, 3.1.2.6)."""


class Provider(Protocol):
    """The authorization server, at which people log in. Both methods raise Refusal with a message for the person."""

    @property
    def issuer(self) -> str:
        """Its address, as it names itself."""
        ...

    async def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return the address at which a person logs in."""
        ...

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Caller:
        """Return the caller who has logged in."""
        ...


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A login that a browser began; `address` is the path of the page that it wanted."""

    address: str
    state: str
    nonce: str
    verifier: str
    expires: float


class OidcLogin:
    """Lets a person log in at the authorization server. `finish` serves CALLBACK_PATH.

    `admit` returns the caller with the rights that they have on these pages, or raises Refusal.
    """

    def __init__(
        self,
        views: Views,
        sessions: Sessions,
        seal: Seal,
        provider: Provider,
        admit: Callable[[Caller], Caller],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._views = views
        self._sessions = sessions
        self._seal = seal
        self._provider = provider
        self._admit = admit
        self._clock = clock

    async def log_in(self, request: Request, form: Form) -> Caller | Response:
        """See Login. The response sends the browser to the authorization server."""
        if form:
            text = "Nothing was decided. Load the page again."
            raise PageFault(HTTPStatus.FORBIDDEN, "You are no longer logged in", text)
        state, nonce, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
        attempt = _Attempt(quote(request.url.path), state, nonce, verifier, self._clock() + LOGIN_SECONDS)
        try:
            address = await self._provider.authorization_url(
                redirect_uri=_redirect_uri(request), state=state, nonce=nonce, verifier=verifier
            )
        except Refusal as refusal:
            return self._failed(refusal, attempt.address)
        response = redirect(address)
        response.set_cookie(
            cookie_name(request, _COOKIE, self._seal),
            self._seal.encrypt(_COOKIE, json.dumps(asdict(attempt)).encode()),
            max_age=int(LOGIN_SECONDS),
            samesite="lax",  # the browser comes back from another site
            **cookie_options(request),
        )
        return response

    async def finish(self, request: Request) -> Response:
        """Take what the browser brings back. Only a login of this browser counts, and only once."""
        attempt = self._recall(request)
        if attempt is None:
            text = "the login has expired, or was begun in another browser or window"
            return self._failed(_refusal(text), _base(request))
        try:
            caller = await self._identify(request, attempt)
        except Refusal as refusal:
            response = self._failed(refusal, attempt.address)
        else:
            # The browser sends the session's cookie only after a page of this site has begun the next request.
            headers = {"Refresh": f"0;url={attempt.address}"}
            response = page_response(self._views.logged_in(attempt.address), headers=headers)
            self._sessions.open(request, caller, response)
        response.delete_cookie(cookie_name(request, _COOKIE, self._seal), samesite="lax", **cookie_options(request))
        return response

    async def _identify(self, request: Request, attempt: _Attempt) -> Caller:
        """Return who has logged in. Raises Refusal with a message for the person."""
        given = request.query_params
        if error := given.get("error"):
            by_person = "the login was cancelled or not allowed at the authorization server"
            raise _refusal(by_person if error in _DECLINED else "the authorization server refused the login")
        code, issuer = given.get("code", ""), given.get("iss", self._provider.issuer)  # RFC 9207
        is_single = len(given) == len(given.multi_items())
        if not is_single or issuer != self._provider.issuer or not 0 < len(code) <= _MAX_CODE_CHARACTERS:
            raise _refusal("this is not an answer of the authorization server")
        caller = await self._provider.redeem(
            code, redirect_uri=_redirect_uri(request), nonce=attempt.nonce, verifier=attempt.verifier
        )
        return self._admit(caller)

    def _recall(self, request: Request) -> _Attempt | None:
        """Return the login that this browser began and that the request ends; None if there is none, or too late."""
        sealed = request.cookies.get(cookie_name(request, _COOKIE, self._seal))
        content = self._seal.decrypt(_COOKIE, sealed) if sealed else None
        attempt = _Attempt(**json.loads(content)) if content else None
        if attempt is None or attempt.expires <= self._clock() or request.method != "GET":
            return None
        state = request.query_params.get("state", "")
        return attempt if secrets.compare_digest(state.encode(errors="replace"), attempt.state.encode()) else None

    def _failed(self, refusal: Refusal, address: str) -> Response:
        text = f"{as_sentence(refusal.message)} Nothing was decided."
        return page_response(self._views.not_logged_in(text, address), refusal.status)


def _base(request: Request) -> str:
    return f"{quote(request.scope.get('root_path', ''))}/"


def _redirect_uri(request: Request) -> str:
    """Return the address to come back to, on the host that the browser used, which holds its cookie."""
    return f"{scheme_of(request)}://{request.headers.get('host', '')}{_base(request)[:-1]}{CALLBACK_PATH}"


def _refusal(message: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, "login_failed", message)
