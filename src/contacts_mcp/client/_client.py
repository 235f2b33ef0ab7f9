"""ContactsClient sends the contract's calls with one credential; ClientPool keeps a client for each credential."""

import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, cast

import anyio
import anyio.to_thread
import httpx

from contacts_mcp.client._credentials import BASE_URL, Credential, find_credential, parse_base_url, quote_without_keys
from contacts_mcp.client._quirks import ContactLister, unseen, update
from contacts_mcp.client._responses import (
    SUCCESS,
    ServiceResponse,
    build_request,
    directory_unavailable,
    error_for_status,
    read_answer,
)
from contacts_mcp.client._transport import (
    AttemptFailed,
    CallEffect,
    OutgoingRequest,
    ServiceTransport,
    network_transport,
    parse_retry_after,
    retry,
)
from contacts_mcp.contract import (
    TIME_LIMIT_SECONDS,
    Added,
    AnswerT,
    BatchContacts,
    Call,
    Contact,
    DescribeDirectory,
    Extensions,
    ProgressCallback,
    calls,
    errors,
)

_TRANSIENT = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_LARGE_ANSWER_BYTES = 100_000  # an answer of more, such as all members of a group, is read in a worker thread
_MAX_MARGIN_SECONDS, _MARGIN_SHARE = 0.1, 0.1
"""How long before its caller's own deadline a call ends, so that its error says whether something was changed."""
_TIMEOUTS_PER_CALL = 3  # an idempotent call waits a third of its time for a response, which leaves time for a retry


class ContactsClient:
    """Sends calls to the Contacts API. Use it as an async context manager, or `aclose()` it.

    Args:
        credential: The key to send; None for a service that needs none.
        base_url: Where the service is. Raises ValueError if a key must not be sent there.
        transport: Replaces the network, for instance with `httpx.ASGITransport`.
        max_in_flight: Most requests at the same time.
        time_limit: Seconds for a whole call with all its retries.
        connect_limit: Seconds to reach the service.
        max_wait: Seconds for all waits between the attempts of a request.
    """

    def __init__(
        self,
        *,
        credential: Credential | None = None,
        base_url: str = BASE_URL,
        transport: httpx.AsyncBaseTransport | None = None,
        max_in_flight: int = 16,
        time_limit: float = TIME_LIMIT_SECONDS,
        connect_limit: float = 5.0,
        max_wait: float = 20.0,
    ) -> None:
        self._base_url = parse_base_url(base_url, allow_http=transport is not None)
        self._credentials: tuple[Credential | None, ...] = (None,) if credential is None else credential.alternatives
        self._time_limit = time_limit
        self._timeouts = {
            idempotent: {"connect": connect_limit, "read": timeout, "write": timeout, "pool": connect_limit}
            for idempotent, timeout in ((True, time_limit / _TIMEOUTS_PER_CALL), (False, time_limit))
        }
        self._max_wait = max_wait
        self._in_flight = anyio.Semaphore(max_in_flight, fast_acquire=True)
        self._quote = partial(quote_without_keys, credential)
        self._transport = ServiceTransport(
            transport or network_transport(self._base_url, max_in_flight), self._base_url, self._quote
        )
        self._lister = ContactLister(lambda call: self._send_once(call, CallEffect()))
        self._description: Extensions | None = None

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, home: Path | None = None, **options: Any
    ) -> Self:
        """Make a client with the key and base URL that the official SDK would use; `options` are the constructor's.

        Raises AuthenticationFailed if no key is set.
        """
        environ = os.environ if environ is None else environ
        credential = find_credential(environ, home or Path.home())
        if credential is None:
            raise errors.AuthenticationFailed(
                "there is no WAYSCloud key", advice="set WAYSCLOUD_API_KEY, or log in with the WAYSCloud CLI"
            )
        base_url = environ.get("WAYSCLOUD_API_URL", "").strip() or BASE_URL
        return cls(**{"credential": credential, "base_url": base_url, **options})

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send a call and return the service's answer. Raises a subclass of ContactsError if the call failed.

        A call that may have taken effect is only repeated if it is idempotent. `report` gets the progress of a call
        that takes many requests. A cancel scope's deadline shortens the time limit.
        """
        effect = CallEffect()
        limit, margin = self._limit()
        with anyio.move_on_after(limit - margin):
            if isinstance(call, calls.ListContacts):
                return cast("AnswerT", await self._lister.page(call, report))
            if isinstance(call, calls.UpdateContact | calls.UpdateContactGroup):
                return cast("AnswerT", await update(call, partial(self._send_once, effect=effect)))
            return await self._send_once(call, effect)
        raise effect.conclude(errors.Unreachable(f"the call was not done within {round(limit, 1):g} seconds"))

    def _limit(self) -> tuple[float, float]:
        """Return the seconds for a call, and how much of them to leave to the caller, if its deadline is the limit."""
        left = max(0.0, anyio.current_effective_deadline() - anyio.current_time())
        if left > self._time_limit:
            return self._time_limit, 0.0
        return left, min(_MAX_MARGIN_SECONDS, left * _MARGIN_SHARE)

    async def extensions(self) -> frozenset[str]:
        """Return what the service offers beyond the API documentation, such as `scan` and `batch`.

        The service is asked once; an error counts as no extensions. If it cannot be reached, the next call asks again.
        """
        return frozenset((await self._describe()).extensions)

    async def scopes(self) -> frozenset[str] | None:
        """Return what the key allows, `read` or `write` or both; None if the service does not tell.

        The service is asked as for `extensions`.
        """
        scopes = (await self._describe()).scopes
        return None if scopes is None else frozenset(scopes)

    async def _describe(self) -> Extensions:
        if self._description is None:
            try:
                self._description = await self.send(DescribeDirectory())
            except (errors.Unreachable, errors.RateLimited):
                return Extensions(extensions=[])
            except errors.ContactsError:
                self._description = Extensions(extensions=[])
        return self._description

    async def iterate(self, call: calls.ListContacts) -> AsyncIterator[Contact]:
        """Iterate over contacts from the call's page to the last, each once; fetches a page when it is needed."""
        seen: set[str] = set()
        number = call.page
        while True:
            page = await self.send(call.model_copy(update={"page": number}))
            new = unseen(page.contacts, seen)
            for row in new:
                yield row
            before = (call.page - 1) * (page.per_page or call.per_page)
            if not new or (page.total is not None and before + len(seen) >= page.total):
                return
            number += 1

    async def _send_once(self, call: Call[AnswerT], effect: CallEffect) -> AnswerT:
        """Send one request with its retries, without the workarounds for lists and updates."""
        build = partial(build_request, call)
        is_large: bool = isinstance(call, BatchContacts)
        request = await anyio.to_thread.run_sync(build) if is_large else build()
        outgoing = OutgoingRequest(request, call.route, self._timeouts[call.idempotent])
        response = await self._send_with_key(outgoing, call, effect)
        if response.status == HTTPStatus.NOT_FOUND and call.method == "DELETE" and effect.may_have_changed:
            response = ServiceResponse(HTTPStatus.NO_CONTENT, b"")  # an attempt whose response was lost deleted it
        read = partial(read_answer, call, response, self._quote)
        answer = await anyio.to_thread.run_sync(read) if len(response.body) > _LARGE_ANSWER_BYTES else read()
        if isinstance(answer, Added) and effect.response_lost:
            return cast("AnswerT", Added())  # the lost attempt may have added contacts, which this one did not count
        return answer

    async def _send_with_key(self, outgoing: OutgoingRequest, call: Call[Any], effect: CallEffect) -> ServiceResponse:
        """Return the first response that is not a 401, over the ways to send the key; keeps the way that works."""
        credentials = self._credentials
        responses = []
        for credential in credentials:
            attempt = partial(self._attempt, outgoing, credential, effect)
            try:
                response = await retry(attempt, idempotent=call.idempotent, max_wait=self._max_wait)
            except AttemptFailed as failure:
                raise effect.conclude(failure.error) from failure.__cause__
            if response.status in SUCCESS:
                self._credentials = (credential,)
            if response.status != HTTPStatus.UNAUTHORIZED:
                return response
            responses.append(response)
        self._credentials = credentials[:1]
        return responses[0]

    async def _attempt(
        self, outgoing: OutgoingRequest, credential: Credential | None, effect: CallEffect
    ) -> ServiceResponse:
        """Send a request once, and record in `effect` what it may have changed."""
        async with self._in_flight:
            before = effect.may_have_changed
            effect.may_have_changed = before or outgoing.request.method != "GET"
            try:
                response = await self._transport.send(outgoing, credential)
                if response.status in _TRANSIENT or _is_unavailable(response):
                    raise self._transient_failure(outgoing.request.method, response)
            except AttemptFailed as failure:
                effect.may_have_changed = before or failure.may_have_worked
                effect.response_lost = effect.response_lost or failure.may_have_worked
                raise
            if HTTPStatus.BAD_REQUEST <= response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                effect.may_have_changed = before
            return response

    def _transient_failure(self, method: str, response: ServiceResponse) -> AttemptFailed:
        """Make the failure for a transient status: 429 refuses the request, a gateway may have lost the response."""
        seconds = parse_retry_after(response.retry_after, datetime.now(UTC))
        if _is_unavailable(response):
            unavailable = directory_unavailable(response, self._quote)
            return AttemptFailed(unavailable, may_have_worked=False, retry_after=seconds)
        error = error_for_status(method, response.status, response.body, self._quote, retry_after=seconds)
        may_have_worked = method != "GET" and response.status != HTTPStatus.TOO_MANY_REQUESTS
        return AttemptFailed(error, may_have_worked=may_have_worked, retry_after=seconds)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<ContactsClient of {self._base_url} with {self._credentials[0] or 'no credential'}>"


def _is_unavailable(response: ServiceResponse) -> bool:
    return response.nothing_changed and response.status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(slots=True)
class _PooledClient:
    client: ContactsClient
    users: int = 0
    idle_since: float = 0.0


class ClientPool:
    """Keeps a client for each credential; clients share no connections and no state.

    At most `max_clients` are open. A client idle for `idle_seconds` is closed; one in use never is.
    """

    def __init__(
        self,
        open_client: Callable[[Credential], ContactsClient],
        *,
        max_clients: int = 256,
        idle_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_client = open_client
        self._max_clients = max_clients
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._pooled: OrderedDict[str, _PooledClient] = OrderedDict()  # least recently used first

    async def close_idle(self) -> None:
        """Close the clients that are idle for too long; call it periodically."""
        limit = self._clock() - self._idle_seconds
        await self._close(
            [key for key, pooled in self._pooled.items() if not pooled.users and pooled.idle_since <= limit]
        )

    async def aclose(self) -> None:
        """Close every client."""
        await self._close(list(self._pooled))

    def __len__(self) -> int:
        """Return how many clients are open."""
        return len(self._pooled)

    @asynccontextmanager
    async def lease(self, credential: Credential) -> AsyncIterator[ContactsClient]:
        """Use the client of a credential. Raises RateLimited if all clients are in use."""
        key = f"{credential.header_name} {credential.fingerprint}"
        evicted = [] if key in self._pooled else self._evict()
        if key not in self._pooled:
            self._pooled[key] = _PooledClient(self._open_client(credential))
        pooled = self._pooled[key]
        pooled.users += 1
        try:
            await self._close(evicted)
            yield pooled.client
        finally:
            pooled.users -= 1
            pooled.idle_since = self._clock()
            if key in self._pooled:
                self._pooled.move_to_end(key)

    def _evict(self) -> list[str]:
        """Return the key of the client to close before another is opened: the least recently used that is idle."""
        if len(self._pooled) < self._max_clients:
            return []
        for key, pooled in self._pooled.items():
            if not pooled.users:
                return [key]
        raise errors.RateLimited("too many different keys are in use at once", retry_after=1)

    async def _close(self, keys: list[str]) -> None:
        """Close clients; they leave the pool first, so that no caller gets one that is closing."""
        closing = [self._pooled.pop(key) for key in keys if key in self._pooled]
        with anyio.CancelScope(shield=True):
            for pooled in closing:
                await pooled.client.aclose()
