"""Sessions of people in their browsers, without a store: all that is known of one is sealed in its cookie.

So every replica that has the keys can go on with a session. Forms carry a token that is bound to the session, to the
question and to the state of its target.
"""

import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from starlette.requests import HTTPConnection
from starlette.responses import Response

from contacts_mcp.client import Credential, is_loopback
from contacts_mcp.contract import Risk
from contacts_mcp.guard import Approval, Seal
from contacts_mcp.server import Caller

SESSION_SECONDS = 15 * 60.0
_COOKIE = "contacts-approvals"
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Session:
    """A person in a browser, and the caller who they are.

    `expires` is when the session ends if it is not renewed, `ends` when it ends in any case: seconds since 1970.
    """

    id: str
    caller: Caller
    expires: float
    ends: float


class Sessions:
    """Opens sessions and finds those of requests.

    `cookie` names the cookie; a session of one name is none of another. `seconds` is how long a session lasts without
    `renew`, and `max_seconds` how long it can last.
    """

    def __init__(
        self,
        seal: Seal,
        clock: Callable[[], float] = time.time,
        *,
        cookie: str = _COOKIE,
        seconds: float = SESSION_SECONDS,
        max_seconds: float = SESSION_SECONDS,
    ) -> None:
        self._seal = seal
        self._clock = clock
        self._cookie = cookie
        self._seconds = seconds
        self._max_seconds = max_seconds

    def open(self, connection: HTTPConnection, caller: Caller, response: Response) -> None:
        """Let the browser that gets the response have a session. One that it has of this caller goes on."""
        current = self.find(connection)
        session_id = current.id if current and current.caller == caller else secrets.token_hex(_ID_BYTES)
        now = self._clock()
        self._set_cookie(
            connection, Session(session_id, caller, now + self._seconds, now + self._max_seconds), response
        )

    def renew(self, connection: HTTPConnection, session: Session, response: Response) -> None:
        """Let a session that is in use go on, if half of its time is over, until it `ends`."""
        now = self._clock()
        if session.expires - now < self._seconds / 2 and session.expires < session.ends:
            expires = min(now + self._seconds, session.ends)
            self._set_cookie(connection, replace(session, expires=expires), response)

    def close(self, connection: HTTPConnection, response: Response) -> None:
        """Have the browser forget its session."""
        name = cookie_name(connection, self._cookie, self._seal)
        response.delete_cookie(name, samesite="strict", **cookie_options(connection))

    def _set_cookie(self, connection: HTTPConnection, session: Session, response: Response) -> None:
        response.set_cookie(
            cookie_name(connection, self._cookie, self._seal),
            self._seal.encrypt(self._cookie, _dump(session)),
            max_age=int(session.expires - self._clock()),
            samesite="strict",
            **cookie_options(connection),
        )

    def find(self, connection: HTTPConnection) -> Session | None:
        """Return the session of a request; None if it has none, or one that has expired."""
        sealed = connection.cookies.get(cookie_name(connection, self._cookie, self._seal))
        content = self._seal.decrypt(self._cookie, sealed) if sealed else None
        session = _load(json.loads(content)) if content else None
        return session if session and session.expires > self._clock() else None

    def make_token(self, session: Session, approval: Approval, fingerprint: str) -> str:
        """Return a token for the form that shows an approval with a target in this state."""
        return self._seal.encrypt(_form_name(session, approval), fingerprint.encode())

    def is_token(self, token: str, session: Session, approval: Approval, fingerprint: str) -> bool:
        """Whether a token was made for this session, this approval and this state."""
        content = self._seal.decrypt(_form_name(session, approval), token)
        return content is not None and hmac.compare_digest(content.encode(), fingerprint.encode())


def scheme_of(connection: HTTPConnection) -> str:
    """Return how browsers reach the server: by https, which ends at a proxy, unless it is on this computer."""
    return "http" if is_loopback(connection.url.hostname or "") else "https"


def cookie_name(connection: HTTPConnection, name: str, seal: Seal) -> str:
    """Return the name of a cookie that no other server can set.

    Over https the browser sees to that. By http, all ports of this computer share one jar of cookies: another server
    could set one of the same name, which the browser would send along, if the name were known. `__Host-` does not help
    there: it needs https in some browsers, and the path `/`, with which every port would get the cookie.
    """
    return f"__Host-{name}" if scheme_of(connection) == "https" else seal.derive_name(name)


class CookieOptions(TypedDict):
    """Which requests a cookie is sent with."""

    path: str
    secure: bool
    httponly: bool


def cookie_options(connection: HTTPConnection) -> CookieOptions:
    """Return the options of a cookie of these pages, as its name demands them."""
    is_https = scheme_of(connection) == "https"
    path = "/" if is_https else f"{connection.scope.get('root_path', '')}/"
    return {"path": path, "secure": is_https, "httponly": True}


def _form_name(session: Session, approval: Approval) -> str:
    return f"{_COOKIE} {session.id} {approval.id}"


def _dump(session: Session) -> bytes:
    caller = session.caller
    key = caller.credential
    content = {
        "id": session.id,
        "expires": session.expires,
        "ends": session.ends,
        "principal": caller.principal,
        "risks": sorted(caller.risks),
        "directory": caller.named_directory,
        "may_approve": caller.may_approve,
        "key": [key.secret, key.header_name, key.source] if key else None,
    }
    return json.dumps(content).encode()


def _load(content: dict[str, Any]) -> Session:
    key = Credential(*content["key"]) if content["key"] else None
    caller = Caller(
        content["principal"],
        frozenset(map(Risk, content["risks"])),
        key,
        named_directory=content["directory"],
        may_approve=content["may_approve"],
    )
    return Session(content["id"], caller, content["expires"], content.get("ends", content["expires"]))
