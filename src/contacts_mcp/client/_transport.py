"""Sends a request, reads its response and decides about retries; translates the errors of httpx.

Telemetry records method, route template, status and duration of each attempt, never an id, query or body. No trace
context is sent to the service: it documents none, and a trace shared by callers with several keys would reveal to its
operator that they belong together.
"""

import logging
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import httpx
import stamina
from opentelemetry.metrics import get_meter
from opentelemetry.trace import SpanKind, StatusCode, get_tracer
from pydantic_core import to_json

from contacts_mcp import __version__
from contacts_mcp.client._body import UnreadableBody, read_body
from contacts_mcp.client._credentials import Credential
from contacts_mcp.client._responses import SUCCESS, Quote, ServiceResponse, unreadable_answer
from contacts_mcp.contract import ContactsError, OutcomeUnknown, Request, Unreachable, ValidationFailed

DEFAULT_MAX_RETRIES = 3
FIRST_WAIT_SECONDS = 0.2
"""Wait before the first retry, without jitter; it doubles with each retry."""
MAX_RETRY_AFTER_SECONDS = 86_400.0
MAX_REDIRECTS = 3
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Size limit of a response; a list of 100 contacts has about 50,000 bytes."""

_HEADERS = [
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),  # a compressed response hides its size, and responses are small
    ("User-Agent", f"contacts-mcp/{__version__}"),
]
_METHOD_PRESERVING = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
_REDIRECTS = (*_METHOD_PRESERVING, HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_NOTHING_CHANGED_HEADER = "X-Nothing-Changed"  # of a directory that cannot use its database
_KEEPALIVE_SECONDS = 4.0  # many servers close idle connections after 5 s; a write sent just then is lost
_BUCKET_BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30)

_Attributes = dict[str, str | int]
_T = TypeVar("_T")

_log = logging.getLogger(__name__)
_retrying = stamina.AsyncRetryingCaller(attempts=None, timeout=None)  # RetryPolicy decides
_tracer = get_tracer("contacts_mcp", __version__)
_meter = get_meter("contacts_mcp", __version__)
_duration = _meter.create_histogram(
    "http.client.request.duration",
    "s",
    "Time of requests to the Contacts API, each attempt by itself.",
    explicit_bucket_boundaries_advisory=_BUCKET_BOUNDS_SECONDS,
)
_retries = _meter.create_counter(
    "contacts_mcp.upstream.retries", "{request}", "Requests to the Contacts API that were sent again."
)


class AttemptFailed(Exception):
    """An attempt brought no usable response, but another attempt might.

    `error` is what to raise if the call has certainly changed nothing. The service may have carried out the request if
    `may_have_worked`, and asks to wait for `retry_after` seconds if that is not None.
    """

    def __init__(self, error: ContactsError, *, may_have_worked: bool, retry_after: float | None = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.code = error.code
        self.may_have_worked = may_have_worked
        self.retry_after = retry_after


@dataclass(slots=True)
class CallEffect:
    """The known effect of one call on the directory."""

    may_have_changed: bool = False
    """Whether a change may have been made without a response that says so."""
    response_lost: bool = False
    """Whether an earlier attempt's response was lost, so that a later attempt may find the change already made."""

    def conclude(self, error: ContactsError) -> ContactsError:
        """Return `error`, or OutcomeUnknown if the call may have changed something before it failed."""
        return OutcomeUnknown(error.message, status=error.status) if self.may_have_changed else error


class RetryPolicy:
    """Decides after each failed attempt of a request how many seconds to wait, or False to give up.

    A request that may have worked is only repeated if it is idempotent. All waits together take at most `max_wait`
    seconds. A request is repeated at most `max_retries` times.
    """

    def __init__(self, *, idempotent: bool, max_wait: float, max_retries: int = DEFAULT_MAX_RETRIES) -> None:
        self._idempotent = idempotent
        self._wait_left = max_wait
        self._retries_left = max_retries
        self._next_wait = FIRST_WAIT_SECONDS

    def __call__(self, failure: Exception) -> float | bool:
        if not isinstance(failure, AttemptFailed) or (failure.may_have_worked and not self._idempotent):
            return False
        wait = self._next_wait if failure.retry_after is None else failure.retry_after
        if wait > self._wait_left or not self._retries_left:
            return False
        self._retries_left -= 1
        wait += random.uniform(0, self._next_wait)  # noqa: S311 - jitter, not security
        self._wait_left -= wait
        self._next_wait *= 2
        _log.debug("waiting %.2f s after %r", wait, failure)
        return wait


async def retry(attempt: Callable[[], Awaitable[_T]], policy: RetryPolicy) -> _T:
    """Await `attempt`, and repeat it after an AttemptFailed while `policy` allows; raise the last AttemptFailed.

    The first attempt bypasses stamina, whose machinery takes a tenth of a loopback round trip.
    """
    try:
        return await attempt()
    except AttemptFailed as failure:
        first_failure = [failure]

    async def attempt_again() -> _T:
        if first_failure:  # stamina counts it, and waits
            raise first_failure.pop()
        return await attempt()

    return await _retrying(policy, attempt_again)


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (seconds or a date) as seconds, at most a day; None if it is absent or invalid."""
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


# Stamina logs each retry as a warning unless the application configures its hooks. A library should not
# warn about a retry: the filter drops only this client's records and leaves the hooks to the application.
logging.getLogger("stamina").addFilter(
    lambda record: not getattr(record, "stamina.caused_by", "").startswith(f"{AttemptFailed.__name__}(")
)


@dataclass(slots=True)
class OutgoingRequest:
    """A request with its route template, its timeouts in seconds, and how often it was sent."""

    request: Request
    route: str
    timeouts: dict[str, float]
    attempts: int = 0


class ServiceTransport:
    """Sends requests to the service over an httpx transport.

    It does not use httpx's AsyncClient, which logs every URL, and so every search text, at INFO.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str, quote: Quote) -> None:
        self._transport = transport
        self._base_url = base_url
        self._host = httpx.URL(base_url).host
        self._quote = quote

    async def send(self, outgoing: OutgoingRequest, credential: Credential | None) -> ServiceResponse:
        """Send a request once and record the attempt; follows redirects within the origin.

        Raises AttemptFailed if there is no response, UnreadableAnswer if it is too large or redirects elsewhere.
        """
        labels: _Attributes = {
            "http.request.method": outgoing.request.method,
            "url.template": outgoing.route.partition(" ")[2],
            "server.address": self._host,
        }
        result: _Attributes = {"error.type": "cancelled"}
        with _tracer.start_as_current_span(
            outgoing.route,
            kind=SpanKind.CLIENT,
            attributes=labels,
            record_exception=False,  # its message may quote the service or an address
            set_status_on_exception=False,
        ) as span:
            if outgoing.attempts:
                _retries.add(1, labels)
                span.set_attribute("http.request.resend_count", outgoing.attempts)
            outgoing.attempts += 1
            started = time.monotonic()
            try:
                response = await self._follow_redirects(outgoing, credential)
                result = {"http.response.status_code": response.status}
                if response.status not in SUCCESS:
                    result["error.type"] = str(response.status)
            except (AttemptFailed, ContactsError) as exc:
                result = {"error.type": exc.code}
                raise
            finally:
                seconds = time.monotonic() - started
                _duration.record(seconds, {**labels, **result})
                span.set_attributes(result)
                if "error.type" in result:
                    span.set_status(StatusCode.ERROR)
                _log.debug("%s: %s after %.0f ms", outgoing.route, next(iter(result.values())), seconds * 1000)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _follow_redirects(self, outgoing: OutgoingRequest, credential: Credential | None) -> ServiceResponse:
        request = outgoing.request
        headers = _HEADERS if credential is None else [*_HEADERS, credential.header]
        content = None
        if request.body is not None:
            content = to_json(request.body)
            headers = [*headers, ("Content-Type", "application/json")]
        query = f"?{urlencode(request.query)}" if request.query else ""
        try:
            url = httpx.URL(self._base_url + request.path + query)
        except httpx.InvalidURL:  # longer than any URL may be
            raise ValidationFailed("the search is too long for a request", advice="shorten the search") from None
        for _ in range(1 + MAX_REDIRECTS):
            sent = httpx.Request(
                request.method, url, headers=headers, content=content, extensions={"timeout": outgoing.timeouts}
            )
            response = await self._round_trip(sent)
            if response.status not in _REDIRECTS:
                return response
            url = self._redirect_target(sent, response)
        raise unreadable_answer(request.method, f"it redirects more than {MAX_REDIRECTS} times")

    async def _round_trip(self, request: httpx.Request) -> ServiceResponse:
        host = request.url.host
        try:
            async with aclosing(await self._transport.handle_async_request(request)) as response:
                encoding = response.headers.get("Content-Encoding", "")
                body = await read_body(_stream_of(response), encoding, MAX_BODY_BYTES)
        except _NEVER_SENT as exc:
            error = Unreachable(f"no connection to {host}: {self._quote(_message_of(exc))}")
            raise AttemptFailed(error, may_have_worked=False) from exc
        except httpx.TransportError as exc:
            error = Unreachable(f"no answer from {host}: {self._quote(_message_of(exc))}")
            raise AttemptFailed(error, may_have_worked=request.method != "GET") from exc
        except UnreadableBody as exc:
            raise unreadable_answer(request.method, f"it is {exc}") from None
        headers = response.headers
        return ServiceResponse(
            response.status_code,
            body,
            headers.get("Location"),
            headers.get("Retry-After"),
            nothing_changed=_NOTHING_CHANGED_HEADER in headers,
        )

    def _redirect_target(self, sent: httpx.Request, response: ServiceResponse) -> httpx.URL:
        """Return the URL of a redirect, if the key may be sent there and the request would stay the same."""
        try:
            url = sent.url.join(response.location or "")
        except httpx.InvalidURL:
            raise unreadable_answer(sent.method, "it redirects to an invalid URL") from None
        if (url.scheme, url.host, url.port) != (sent.url.scheme, sent.url.host, sent.url.port):
            target = self._quote(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}")
            raise unreadable_answer(sent.method, f"it redirects to another origin, {target}; the key is not sent there")
        if response.location is None or (sent.method != "GET" and response.status not in _METHOD_PRESERVING):
            raise unreadable_answer(sent.method, f"its redirect ({response.status}) cannot be followed")
        return url


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    """Return the body as it was sent. `Response.aiter_raw` fails for the responses of a transport in memory."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream


def _message_of(exc: httpx.TransportError) -> str:
    message = str(exc) or type(exc).__name__
    # A response that is not HTTP is quoted after a colon, and may contain anything.
    return message.partition(":")[0] if isinstance(exc, httpx.RemoteProtocolError) else message


def network_transport(base_url: str, connections: int) -> httpx.AsyncHTTPTransport:
    """Make the transport that connects to the service, with at most `connections` connections."""
    url = httpx.URL(base_url)
    return httpx.AsyncHTTPTransport(
        verify=_certificates() if url.scheme == "https" else False,  # loopback http has no certificates
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEPALIVE_SECONDS
        ),
        proxy=proxy_for(url),
    )


def proxy_for(url: httpx.URL) -> str | None:
    """The environment's proxy for a URL; none for http, where the proxy could read the key."""
    proxies = {} if url.scheme == "http" or proxy_bypass(url.host) else getproxies()
    return proxies.get("https") or proxies.get("all")


@cache
def _certificates() -> ssl.SSLContext:
    """Load the certificate authorities once for all clients: that takes 40 ms."""
    return httpx.create_ssl_context()
