"""Each caller brings their own WAYSCloud key, and works with that key alone."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import anyio
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from contacts_mcp.client import Credential, UnusableCredential
from contacts_mcp.contract import AuthenticationFailed, ContactsError, PermissionDenied, RateLimited
from contacts_mcp.server import Caller
from contacts_mcp.transports.http._refusals import Refusal

_GOOD_FOR, _BAD_FOR = 600.0, 10.0
"""Seconds for which it is remembered that the service took a key, or did not."""
_MOST_REMEMBERED = 10_000
_PATIENCE = 10.0
"""Seconds in which the service has to say whether it takes a key."""
_ASKED_AT_ONCE = 16
"""Keys of which the service is asked at the same time; a team that comes back all at once waits its turn."""
_SOURCE = "the caller's request"

Check = Callable[[Credential], Awaitable[None]]


class ByKey:
    """Callers are told apart by their keys, each of which the service has to take before its caller is let in.

    `check` makes a call with a key and raises what the service answers.
    """

    def __init__(self, check: Check, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._remembered: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._asking: dict[str, anyio.Lock] = {}
        self._turns = anyio.Semaphore(_ASKED_AT_ONCE)

    async def admit(self, connection: HTTPConnection) -> Caller:
        """The caller whose key the request brings. Raises Refusal: 401, or 429 and 503 where nobody could tell."""
        credential = _credential_of(connection)
        if not await self._is_good(credential):
            raise _unauthorized("the WAYSCloud key is wrong, expired or revoked", error="invalid_token")
        return Caller(f"key:{credential.fingerprint}", credential=credential)

    async def permit(self, caller: Caller, body: bytes) -> None:
        """What a key may do is for the service to say."""

    async def reach(self) -> None:
        """Nobody else is needed for it but the service, which the backend is."""

    def routes(self) -> list[BaseRoute]:
        """There is nothing to tell: a key is brought, not fetched."""
        return []

    async def _is_good(self, credential: Credential) -> bool:
        """Whether the service takes the key; asked once at a time for each key, and remembered."""
        key = credential.fingerprint
        known = self._recall(key)
        if known is not None:
            return known
        asking = self._asking.setdefault(key, anyio.Lock())
        try:
            async with asking:
                known = self._recall(key)
                return await self._ask(credential) if known is None else known
        finally:
            if not asking.statistics().tasks_waiting and self._asking.get(key) is asking:
                del self._asking[key]

    async def _ask(self, credential: Credential) -> bool:
        good = True
        try:
            with anyio.fail_after(_PATIENCE):
                async with self._turns:
                    await self._check(credential)
        except AuthenticationFailed:
            good = False
        except PermissionDenied:
            pass  # it knows the key
        except RateLimited as exc:
            raise _later(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", exc.retry_after) from None
        except (ContactsError, TimeoutError):
            raise _later(HTTPStatus.SERVICE_UNAVAILABLE, "unreachable", None) from None
        self._remember(credential.fingerprint, good)
        return good

    def _recall(self, key: str) -> bool | None:
        good, until = self._remembered.get(key, (None, 0.0))
        return good if until > self._clock() else None

    def _remember(self, key: str, good: bool) -> None:
        self._remembered[key] = (good, self._clock() + (_GOOD_FOR if good else _BAD_FOR))
        self._remembered.move_to_end(key)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def _credential_of(connection: HTTPConnection) -> Credential:
    """The one key of a request. Two that differ are refused: nobody could say whose data is meant."""
    keys = [value.strip() for value in connection.headers.getlist("x-api-key")]
    tokens = [_bearer(value) for value in connection.headers.getlist("authorization")]
    brought = {value for value in [*keys, *tokens] if value}
    if not brought:
        raise _unauthorized("this server wants your WAYSCloud key")
    if len(brought) > 1:
        raise _unauthorized("the request brings more than one key", error="invalid_request")
    secret = brought.pop()
    try:
        return (Credential.key if secret in keys else Credential.token)(secret, _SOURCE)
    except UnusableCredential:
        raise _unauthorized("the key holds characters that no key has", error="invalid_token") from None


def _bearer(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(what: str, error: str | None = None) -> Refusal:
    challenge = f'Bearer realm="WAYSCloud Contacts"{f", error={chr(34)}{error}{chr(34)}" if error else ""}'
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        f"unauthorized: {what}; send it as `X-API-Key`, or as `Authorization: Bearer`",
        {"WWW-Authenticate": challenge},
    )


def _later(status: HTTPStatus, code: str, seconds: float | None) -> Refusal:
    wait = max(1, round(seconds or 5))
    return Refusal(
        status,
        f"{code}: the WAYSCloud service did not say whether it takes the key; try again in {wait} seconds",
        {"Retry-After": str(wait)},
    )
