"""Sends a request, reads its response and decides about retries.

Telemetry records method, route template, status and duration of each attempt, never an id, query or body. No trace
context is sent to the service: it documents none, and a trace shared by callers with several keys would reveal to its
operator that they belong together.
"""

import logging
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

import stamina
from opentelemetry.metrics import get_meter
from opentelemetry.trace import SpanKind, StatusCode, get_tracer

from contacts_mcp import __version__
from contacts_mcp.client._credentials import Credential
from contacts_mcp.client._responses import SUCCESS, ServiceResponse
from contacts_mcp.contract import ContactsError, OutcomeUnknown, Request

DEFAULT_MAX_RETRIES = 3
FIRST_WAIT_SECONDS = 0.2
"""Wait before the first retry, without jitter; it doubles with each retry."""
MAX_RETRY_AFTER_SECONDS = 86_400.0

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


class Exchange(Protocol):
    """Exchanges a request for a response: over HTTP, or in this process."""

    async def exchange(self, outgoing: OutgoingRequest, credential: Credential | None) -> ServiceResponse:
        """Send a request once. Raises AttemptFailed if there is no response, UnreadableAnswer if it is unusable."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class ServiceTransport:
    """Sends requests to the service at `host`, and records each attempt."""

    def __init__(self, exchange: Exchange, host: str) -> None:
        self._exchange = exchange
        self._host = host

    async def send(self, outgoing: OutgoingRequest, credential: Credential | None) -> ServiceResponse:
        """Send a request once and record the attempt; see Exchange."""
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
                response = await self._exchange.exchange(outgoing, credential)
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
        await self._exchange.aclose()
