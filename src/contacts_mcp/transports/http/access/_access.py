"""Who may call: the middleware that asks, and two answers, only this machine and callers with their own keys."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import nullcontext, suppress
from functools import lru_cache
from http import HTTPStatus

import anyio
from cachetools import LRUCache, TTLCache
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.client import Credential, InvalidCredential, is_loopback
from contacts_mcp.contract import AuthenticationFailed, ContactsError, PermissionDenied, RateLimited
from contacts_mcp.middleware import BODY_SCOPE_KEY, Refusal, presented_keys, route_path
from contacts_mcp.pseudonyms import key_pseudonym
from contacts_mcp.server import CALLER_SCOPE_KEY, LOCAL_CALLER, Caller, KeyRights
from contacts_mcp.text import quote
from contacts_mcp.transports.http._hosts import parse_host

_PROXY_HEADER = re.compile(
    rb"via|front-end-https|x-(?:host|scheme|proto|varnish|request-start|cluster-client|cdn.*|cloud-trace-context)"
    rb"|.*(?:forwarded|proxy|proxied|(?:client|real|remote|connecting|originating|cluster|source|user)[-_]?(?:ip|addr)).*"
    rb"|(?:cdn|cf|fastly|fly|ngrok|tailscale|x-(?:original|envoy|amzn|amz-cf|azure|appengine|arr|nf|vercel|akamai))-.*"
    rb"|x-goog-(?!api-).*"  # clients of Google's SDKs send x-goog-api-client
)
"""Headers that reverse proxies, load balancers, tunnels and content delivery networks add."""
_MAX_SHOWN_CHARACTERS = 40
_KEY_HEADERS = "as `X-API-Key`, or as `Authorization: Bearer`"
_WRONG_KEY = "the WAYSCloud key is wrong, expired or revoked"
_NOT_UTF8 = (b"\xfe\xff", b"\xff\xfe")

_GOOD_KEY_TTL_SECONDS, _BAD_KEY_TTL_SECONDS = 600.0, 10.0
_MAX_REMEMBERED_KEYS = 10_000
_KEY_CHECK_TIMEOUT_SECONDS = 10.0
_MAX_CONCURRENT_CHECKS = 16
"""Keys that the service is asked about at once; when a whole team comes back, its callers wait their turn."""
_MAX_WAITING_CHECKS = 64
"""Keys that may wait for their turn; more would wait longer than their callers do."""

KeyCheck = Callable[[Credential], Awaitable[KeyRights | None]]
"""Makes a call with a key, and returns what the service tells of the key, if it does. Raises the service's error."""


class Access(ABC):
    """One way to authenticate and authorize callers. By default an authenticated caller may send everything."""

    oauth_advice: str
    """How to authenticate, for clients that look for an authorization server here."""

    @abstractmethod
    async def authenticate(self, connection: HTTPConnection) -> Caller:
        """Return the caller of a request. Raises Refusal (400, 401, 403, 429 or 503) if it is not accepted."""

    async def authorize(self, caller: Caller, body: bytes) -> None:  # noqa: B027 - by default all is allowed
        """Check a JSON-RPC message. Raises Refusal (403) if the caller may not send it."""

    async def check_ready(self) -> None:  # noqa: B027 - most ways need no other service
        """Raise a ContactsError if callers cannot be authenticated because another service is away."""

    def reload(self) -> str | None:
        """Check keys again that were checked before, from the next request on; return that in words, None if not."""
        return None

    def routes(self) -> list[BaseRoute]:
        """Public pages that tell a client how to authenticate."""
        return []


class AuthenticationMiddleware:
    """Authenticate the caller from the headers, before the body is read, and put it into the scope.

    `methods` are the allowed methods of each path. Raises Refusal, as AuthorizationMiddleware does.
    """

    def __init__(self, app: ASGIApp, access: Access, methods: Mapping[str, Collection[str]]) -> None:
        self._app = app
        self._access = access
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._methods[route_path(scope)]
        if scope["method"] not in allowed:
            message = f"this path does not support the method; use {' or '.join(allowed)}"
            headers = {"Allow": ", ".join(allowed)}
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, headers)
        set_caller(scope, await self._access.authenticate(HTTPConnection(scope)))
        await self._app(scope, receive, send)


class AuthorizationMiddleware:
    """Refuse a message that its caller may not send. The server itself answers errors of the protocol."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body: bytes = scope[BODY_SCOPE_KEY]
        if b"\0" in body[:4] or body[:2] in _NOT_UTF8:  # parsers differ in whether they read such JSON
            message = "JSON over HTTP is UTF-8; send it in UTF-8"
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message)
        await self._access.authorize(scope[CALLER_SCOPE_KEY], body)
        await self._app(scope, receive, send)


def set_caller(scope: Scope, caller: Caller) -> None:
    """Put an authenticated caller into the scope, for the server and for the SDK."""
    scope[CALLER_SCOPE_KEY] = caller
    scope["user"] = _sdk_user(caller.principal)


@lru_cache(maxsize=1_024)
def _sdk_user(principal: str) -> AuthenticatedUser:
    """Return the caller as the SDK's user: it lets only the principal that opened a session use it."""
    return AuthenticatedUser(AccessToken(token="", client_id=principal, scopes=[], subject=principal))


class LoopbackAccess(Access):
    """Accept every request that reaches an address of this machine, in whatever server the app runs."""

    oauth_advice = "it requires no authorization, so connect without it"

    async def authenticate(self, connection: HTTPConnection) -> Caller:
        """Return the local caller. Raises Refusal (403) if the request may come from another machine.

        A proxy on this machine reaches the server by loopback, for any caller of its own. It shows in headers that
        local clients do not send, in the public name that it passes on, or in HTTP/1.0, nginx's default for years.
        """
        if sign := _find_proxy(connection.scope):
            raise _not_local(f"a proxy seems to have forwarded this request ({sign})")
        host, port = connection.scope.get("server") or ("", 0)
        if port is not None and not is_loopback(str(host)):  # a Unix socket has no port
            raise _not_local("this request came by an address that others can reach")
        return LOCAL_CALLER


class ConsoleOnlyAccess(Access):
    """Accept no request by itself: only the console of this server lets its person in."""

    oauth_advice = "only its own console uses it"

    async def authenticate(self, connection: HTTPConnection) -> Caller:  # noqa: ARG002 - see Access
        """Raise Refusal (403)."""
        message = "only the console's page uses this server; serve programs with `contacts-mcp serve`"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", message)


class ApiKeyAccess(Access):
    """Accept callers whose WAYSCloud key the service accepts; each caller works with their own key.

    The service's answer is remembered for ten minutes if it accepts the key, else for ten seconds. A key that it
    accepted before stays accepted while the service is unavailable. The service checks what a key may do.
    """

    oauth_advice = f"send your WAYSCloud key {_KEY_HEADERS}"

    def __init__(self, check: KeyCheck, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._good: LRUCache[str, tuple[float, KeyRights]] = LRUCache(_MAX_REMEMBERED_KEYS)
        """Until when the service's answer counts, and the rights that it told."""
        # Apart from the good ones, because a caller can make up any number of bad keys.
        self._bad: TTLCache[str, None] = TTLCache(_MAX_REMEMBERED_KEYS, _BAD_KEY_TTL_SECONDS, timer=clock)
        self._locks: dict[str, anyio.Lock] = {}
        self._turns = anyio.Semaphore(_MAX_CONCURRENT_CHECKS)

    async def authenticate(self, connection: HTTPConnection) -> Caller:
        """Return the caller whose key was sent. Raises Refusal: 401, or 429 and 503 if the key was not checked."""
        caller = await self._identify(_credential_of(connection.scope))
        if caller is None:
            raise _unauthorized(_WRONG_KEY, error="invalid_token")
        return caller

    async def log_in(self, secret: str) -> Caller:
        """Return the caller whose key or token a person typed into a page. Raises Refusal as `authenticate`."""
        for credential in _typed_credentials(secret):
            if caller := await self._identify(credential):
                return caller
        raise Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", _WRONG_KEY)

    def has_accepted(self, secret: str) -> bool:
        """Whether the service has accepted a key or token, and has not refused it since."""
        return any(_cache_key(credential) in self._good for credential in _typed_credentials(secret))

    async def _identify(self, credential: Credential) -> Caller | None:
        """Return whose key it is; None if the service refuses it."""
        rights = await self._rights_of(credential)
        if rights is None:
            return None
        return Caller(
            key_pseudonym(credential.secret),
            credential=credential,
            named_directory=rights.directory,
            may_approve=rights.may_approve,
        )

    def reload(self) -> str:
        for key, (_, rights) in self._good.items():  # they stay, so that they are accepted while the service is away
            self._good[key] = (0.0, rights)
        self._bad.clear()
        return "callers' keys are checked again"

    async def _rights_of(self, credential: Credential) -> KeyRights | None:
        """Return the rights of a key; None if the service refuses it. Concurrent requests with one share a check."""
        key = _cache_key(credential)
        is_known, rights = self._recall(key)
        if is_known:
            return rights
        lock = self._locks.setdefault(key, anyio.Lock())
        try:
            async with lock:
                is_known, rights = self._recall(key)
                return rights if is_known else await self._verify(key, credential)
        finally:
            if not lock.statistics().tasks_waiting and self._locks.get(key) is lock:
                del self._locks[key]

    def _recall(self, key: str) -> tuple[bool, KeyRights | None]:
        """Return whether a check of the key still counts, and what came of it."""
        good_until, rights = self._good.get(key, (0.0, None))
        return (True, rights) if good_until > self._clock() else (key in self._bad, None)

    async def _verify(self, key: str, credential: Credential) -> KeyRights | None:
        """Ask the service. A key that it accepted before does not wait for a turn."""
        before = self._good[key][1] if key in self._good else None
        if before is None and self._turns.statistics().tasks_waiting >= _MAX_WAITING_CHECKS:
            raise _not_checked(HTTPStatus.SERVICE_UNAVAILABLE, "busy", 1)
        try:
            with anyio.fail_after(_KEY_CHECK_TIMEOUT_SECONDS):
                async with nullcontext() if before else self._turns:
                    rights = await self._ask(credential)
        except RateLimited as exc:
            if before is None:
                raise _not_checked(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", exc.retry_after) from None
            return before
        except (ContactsError, TimeoutError):
            if before is None:
                raise _not_checked(HTTPStatus.SERVICE_UNAVAILABLE, "unreachable") from None
            return before
        if rights:
            self._good[key] = (self._clock() + _GOOD_KEY_TTL_SECONDS, rights)
        else:
            self._bad[key] = None
            self._good.pop(key, None)  # or it would be accepted again while the service is away
        return rights

    async def _ask(self, credential: Credential) -> KeyRights | None:
        try:
            return await self._check(credential) or KeyRights()
        except AuthenticationFailed:
            return None
        except PermissionDenied:
            return KeyRights()  # the service knows the key


def _cache_key(credential: Credential) -> str:
    return f"{credential.header_name} {credential.fingerprint}"  # the header may change the answer


def _typed_credentials(secret: str) -> list[Credential]:
    """Return the ways in which a service may take what a person has typed; none for what cannot be a key."""
    with suppress(InvalidCredential):
        ways = (make(secret, "the login page") for make in (Credential.key, Credential.token))
        return list(dict.fromkeys(ways))
    return []


def _find_proxy(scope: Scope) -> str | None:
    """Return the sign that a proxy forwarded a request, if there is one."""
    if scope.get("http_version", "1.1") in ("1.0", "0.9"):
        return "it is HTTP/1.0"
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 or not _is_loopback_host(hosts[0]):
        return "its Host header does not name this machine"
    found = next((name for name, _ in scope["headers"] if _is_proxy_header(name)), None)
    return f"header {quote(found.decode('latin-1'), _MAX_SHOWN_CHARACTERS)}" if found else None


@lru_cache(maxsize=256)  # most requests have the same few headers
def _is_proxy_header(name: bytes) -> bool:
    return _PROXY_HEADER.fullmatch(name.lower()) is not None


def _is_loopback_host(header: bytes) -> bool:
    host = parse_host(str(header, "latin-1"))
    return host is not None and is_loopback(host[0].strip("[]"))


def _credential_of(scope: Scope) -> Credential:
    """Return the one key of a request. Two different keys are refused: it would be unclear whose data is meant."""
    presented = {(name, secret) for name, secret in presented_keys(scope) if secret}
    secrets = {secret for _, secret in presented}
    if not secrets:
        raise _unauthorized("this server requires your WAYSCloud key")
    if len(secrets) > 1:
        raise _unauthorized("the request carries more than one key", error="invalid_request")
    secret = secrets.pop()
    make = Credential.key if (b"x-api-key", secret) in presented else Credential.token
    try:
        return make(secret, "the caller's request")
    except InvalidCredential:
        raise _unauthorized("the key holds characters that no key has", error="invalid_token") from None


def _unauthorized(what: str, error: str | None = None) -> Refusal:
    challenge = f'Bearer realm="WAYSCloud Contacts"{f", error={chr(34)}{error}{chr(34)}" if error else ""}'
    message = f"{what}; send it {_KEY_HEADERS}"
    return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", message, {"WWW-Authenticate": challenge})


def _not_checked(status: HTTPStatus, code: str, retry_seconds: float | None = None) -> Refusal:
    wait = max(1, round(retry_seconds or 5))
    message = f"the WAYSCloud service did not confirm the key; try again in {wait} seconds"
    return Refusal(status, code, message, {"Retry-After": str(wait)})


def _not_local(why: str) -> Refusal:
    message = (
        f"without authentication this server serves only its own machine, and {why}; connect to it directly, "
        "or let its operator set CONTACTS_MCP_AUTH to key or oauth and --public-host to the proxy's name"
    )
    return Refusal(HTTPStatus.FORBIDDEN, "forbidden", message)
