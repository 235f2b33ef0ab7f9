"""ContactsClient sends the contract's calls with one credential."""

import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack, cast

import anyio
import anyio.to_thread
import httpx

from contacts_mcp.client._credentials import BASE_URL, Credential, find_credential, parse_base_url, quote_without_keys
from contacts_mcp.client._embedded import EMBEDDED_URL, EmbeddedExchange, find_directory, open_directory
from contacts_mcp.client._http import HttpExchange, network_transport
from contacts_mcp.client._pages import ContactPages
from contacts_mcp.client._quirks import ContactLister, update
from contacts_mcp.client._responses import (
    SUCCESS,
    ServiceResponse,
    build_request,
    directory_unavailable,
    error_for_status,
    read_answer,
)
from contacts_mcp.client._transport import (
    DEFAULT_MAX_RETRIES,
    AttemptFailed,
    CallEffect,
    OutgoingRequest,
    RetryPolicy,
    ServiceTransport,
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
    RestoredRecord,
    calls,
    errors,
)

if TYPE_CHECKING:
    from contacts_mcp.directory import Directory

_TRANSIENT = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_NO_SUCH_ROUTE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE, HTTPStatus.NOT_IMPLEMENTED)
_LARGE_ANSWER_BYTES = 100_000  # an answer of more, such as all members of a group, is read in a worker thread
_MAX_MARGIN_SECONDS, _MARGIN_SHARE = 0.1, 0.1
"""How long before its caller's own deadline a call ends, so that its error says whether something was changed."""
_TIMEOUTS_PER_CALL = 3  # an idempotent call waits a third of its time for a response, which leaves time for a retry


class ClientOptions(TypedDict, total=False):
    """The arguments of ContactsClient, for functions that pass them on."""

    credential: Credential | None
    base_url: str
    transport: httpx.AsyncBaseTransport | None
    directory: "Directory | None"
    max_connections: int
    timeout: float
    connect_timeout: float
    max_retries: int
    max_retry_wait: float


class ContactsClient:
    """Sends calls to the Contacts API. Use it as an async context manager, or `aclose()` it.

    Args:
        credential: The key to send; None for a service that needs none.
        base_url: Where the service is. Raises ValueError if a key must not be sent there.
        transport: Replaces the network, for instance with `httpx.ASGITransport`.
        directory: An embedded directory in place of a service. Closing the client closes it.
        max_connections: Most requests at the same time; further calls wait.
        timeout: Seconds for a whole call with all its retries.
        connect_timeout: Seconds to connect to the service.
        max_retries: How often a request is repeated; 0 for never.
        max_retry_wait: Seconds for all waits between the attempts of a request.
    """

    def __init__(
        self,
        *,
        credential: Credential | None = None,
        base_url: str = BASE_URL,
        transport: httpx.AsyncBaseTransport | None = None,
        directory: "Directory | None" = None,
        max_connections: int = 16,
        timeout: float = TIME_LIMIT_SECONDS,
        connect_timeout: float = 5.0,
        max_retries: int = DEFAULT_MAX_RETRIES,
        max_retry_wait: float = 20.0,
    ) -> None:
        _require_at_least(1, max_connections=max_connections)
        _require_at_least(0, max_retries=max_retries, max_retry_wait=max_retry_wait)
        _require_positive(timeout=timeout, connect_timeout=connect_timeout)
        in_process = transport is not None or directory is not None
        self._base_url = parse_base_url(EMBEDDED_URL if directory else base_url, allow_http=in_process)
        self._credentials: tuple[Credential | None, ...] = (None,) if credential is None else credential.alternatives
        self._timeout = timeout
        self._timeouts = {
            idempotent: {"connect": connect_timeout, "read": seconds, "write": seconds, "pool": connect_timeout}
            for idempotent, seconds in ((True, timeout / _TIMEOUTS_PER_CALL), (False, timeout))
        }
        self._make_retry_policy = partial(RetryPolicy, max_wait=max_retry_wait, max_retries=max_retries)
        self._in_flight = anyio.Semaphore(max_connections, fast_acquire=True)
        self._quote = partial(quote_without_keys, credential)
        exchange: EmbeddedExchange | HttpExchange
        if directory:
            exchange = EmbeddedExchange(directory, self._quote)
        else:
            transport = transport or network_transport(self._base_url, max_connections)
            exchange = HttpExchange(transport, self._base_url, self._quote)
        self._service = str(exchange)
        self._transport = ServiceTransport(exchange, httpx.URL(self._base_url).host)
        self._lister = ContactLister(lambda call: self._send_once(call, CallEffect()))
        self._description: Extensions | None = None

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, home: Path | None = None, **options: Unpack[ClientOptions]
    ) -> Self:
        """Make a client of the directory that CONTACTS_MCP_DIRECTORY names, else of the platform with the user's key.

        The key and the base URL are found as the official SDK finds them. `options` are the constructor's.

        Raises:
            AuthenticationFailed: there is neither a directory nor a key.
            ValueError: the directory, the key or the base URL is invalid.
        """
        environ = os.environ if environ is None else environ
        location = find_directory(environ)
        if location is not None:
            return cls.for_directory(location, **options)
        credential = find_credential(environ, home or Path.home())
        if credential is None and "credential" not in options:
            raise errors.AuthenticationFailed(
                "there is no WAYSCloud key",
                advice="set WAYSCLOUD_API_KEY, or log in with the WAYSCloud CLI; for an embedded directory, set"
                " CONTACTS_MCP_DIRECTORY to its file",
            )
        base_url = environ.get("WAYSCLOUD_API_URL", "").strip() or BASE_URL
        found: ClientOptions = {"credential": credential, "base_url": base_url}
        found.update(options)
        return cls(**found)

    @classmethod
    def for_directory(cls, location: str | os.PathLike[str], **options: Unpack[ClientOptions]) -> Self:
        """Make a client of an embedded directory: a SQLite file, created by the first call, or a `postgresql://` URL.

        `options` are the constructor's. Closing the client closes the directory.
        """
        embedded: ClientOptions = {"directory": open_directory(location)}
        embedded.update(options)
        return cls(**embedded)

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
        if left > self._timeout:
            return self._timeout, 0.0
        return left, min(_MAX_MARGIN_SECONDS, left * _MARGIN_SHARE)

    async def extensions(self) -> frozenset[str]:
        """Return what the service offers beyond the API documentation, such as `scan` and `batch`.

        The service is asked until it has answered; a service without this route has no extensions. Raises a
        ContactsError if it gave no answer, which says nothing of its extensions.
        """
        return frozenset((await self._describe()).extensions)

    async def scopes(self) -> frozenset[str] | None:
        """Return what the key allows, some of `read`, `write` and `approve`; None if the service does not tell.

        The service is asked as for `extensions`.
        """
        scopes = (await self._describe()).scopes
        return None if scopes is None else frozenset(scopes)

    async def tenant(self) -> str | None:
        """Return the name of the tenant whose contacts the key opens; None if the service does not tell.

        The service is asked as for `extensions`.
        """
        return (await self._describe()).tenant

    async def _describe(self) -> Extensions:
        if self._description is None:
            try:
                self._description = await self.send(DescribeDirectory())
            except errors.ContactsError as exc:
                if exc.status not in _NO_SUCH_ROUTE:
                    raise
                self._description = Extensions(extensions=[])
        return self._description

    async def iterate(self, call: calls.ListContacts | None = None) -> AsyncIterator[Contact]:
        """Iterate over contacts from the call's page to the last, each once; fetches a page when it is needed.

        Without a call it iterates over all contacts.
        """
        pages = ContactPages(call)
        while rows := await pages.fetch_next(self.send):
            for row in rows:
                yield row

    async def list_all(self, call: calls.ListContacts | None = None) -> list[Contact]:
        """Return the contacts that `iterate` yields, as a list."""
        return [row async for row in self.iterate(call)]

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
        return cast("AnswerT", _without_effect(answer)) if effect.response_lost else answer

    async def _send_with_key(self, outgoing: OutgoingRequest, call: Call[Any], effect: CallEffect) -> ServiceResponse:
        """Return the first response that is not a 401, over the ways to send the key; keeps the way that works."""
        credentials = self._credentials
        responses = []
        for credential in credentials:
            attempt = partial(self._attempt, outgoing, credential, effect)
            try:
                response = await retry(attempt, self._make_retry_policy(idempotent=call.idempotent))
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
        return f"<ContactsClient of {self._service} with {self._credentials[0] or 'no credential'}>"


def _without_effect(answer: object) -> object:
    """Return an answer without what it says of its effect, which a lost attempt may have had."""
    if isinstance(answer, Added):
        return Added()
    if isinstance(answer, RestoredRecord) and not answer.was_deleted:
        return answer.model_copy(update={"was_deleted": None})
    return answer


def _is_unavailable(response: ServiceResponse) -> bool:
    return response.nothing_changed and response.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _require_at_least(minimum: int, **values: float) -> None:
    for name, value in values.items():
        if value < minimum:
            raise ValueError(f"{name} must be at least {minimum}")


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        if value <= 0:
            raise ValueError(f"{name} must be more than 0 seconds")
