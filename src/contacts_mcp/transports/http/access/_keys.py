"""Each caller brings their own WAYSCloud key, and works with that key alone."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from http import HTTPStatus

import anyio
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from contacts_mcp.client import Credential, InvalidCredential
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
_MOST_WAITING = 64
"""Keys that may wait for their turn; more would wait longer than their callers do."""
_SOURCE = "the caller's request"

Check = Callable[[Credential], Awaitable[None]]


class ByKey:
    """Callers are told apart by their keys, each of which the service has to take before its caller is let in.

    `check` makes a call with a key and raises what the service answers.
    """

    def __init__(self, check: Check, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._good = _Memory(_GOOD_FOR, clock)
        self._bad = _Memory(_BAD_FOR, clock)  # of its own, since anybody can make up as many of these as they like
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

    async def check_ready(self) -> None:
        """Nobody else is needed for it but the service, which the backend is."""

    def routes(self) -> list[BaseRoute]:
        """There is nothing to tell: a key is brought, not fetched."""
        return []

    async def _is_good(self, credential: Credential) -> bool:
        """Whether the service takes the key; asked once at a time for each key, and remembered."""
        key = f"{credential.header_name} {credential.fingerprint}"  # sent in another header, another answer may come
        known = self._recall(key)
        if known is not None:
            return known
        asking = self._asking.setdefault(key, anyio.Lock())
        try:
            async with asking:
                known = self._recall(key)
                return await self._ask(key, credential) if known is None else known
        finally:
            if not asking.statistics().tasks_waiting and self._asking.get(key) is asking:
                del self._asking[key]

    def _recall(self, key: str) -> bool | None:
        if self._good.is_fresh(key):
            return True
        return False if self._bad.is_fresh(key) else None

    async def _ask(self, key: str, credential: Credential) -> bool:
        """Ask the service. A key that it took before needs no turn, and stays good while nobody can tell."""
        was_good = key in self._good
        if not was_good and self._turns.statistics().tasks_waiting >= _MOST_WAITING:
            raise _later(HTTPStatus.SERVICE_UNAVAILABLE, "busy", 1)
        try:
            with anyio.fail_after(_PATIENCE):
                async with nullcontext() if was_good else self._turns:
                    good = await self._takes(credential)
        except Refusal:
            if was_good:
                return True
            raise
        except TimeoutError:
            if was_good:
                return True
            raise _later(HTTPStatus.SERVICE_UNAVAILABLE, "unreachable", None) from None
        (self._good if good else self._bad).note(key)
        return good

    async def _takes(self, credential: Credential) -> bool:
        try:
            await self._check(credential)
        except AuthenticationFailed:
            return False
        except PermissionDenied:
            return True  # it knows the key
        except RateLimited as exc:
            raise _later(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", exc.retry_after) from None
        except ContactsError:
            raise _later(HTTPStatus.SERVICE_UNAVAILABLE, "unreachable", None) from None
        return True


class _Memory:
    """Keys, each fresh for so many seconds after it was noted; of too many the oldest are forgotten."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def is_fresh(self, key: str) -> bool:
        return self._until.get(key, 0.0) > self._clock()

    def __contains__(self, key: str) -> bool:
        return key in self._until

    def __len__(self) -> int:
        return len(self._until)

    def note(self, key: str) -> None:
        self._until[key] = self._clock() + self._seconds
        self._until.move_to_end(key)
        if len(self._until) > _MOST_REMEMBERED:
            self._until.popitem(last=False)


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
    except InvalidCredential:
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
