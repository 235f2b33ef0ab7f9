"""What telemetry says of requests to the service: method, route template, status, seconds; never an id, query or body.

No trace context is sent along. The service documents none, its operator is another party than the server's, and a
trace that callers with several keys have in common would tell it that they belong together.
"""

import logging
import time
from collections.abc import Awaitable
from contextlib import AbstractContextManager

from opentelemetry.metrics import get_meter
from opentelemetry.trace import Span, SpanKind, StatusCode, get_tracer

from contacts_mcp import __version__
from contacts_mcp.client._answers import is_success
from contacts_mcp.client._http import Answer
from contacts_mcp.client._retry import Setback
from contacts_mcp.contract import ContactsError

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30)
"""Bounds of the histogram's buckets."""
_Labels = dict[str, str | int]

_log = logging.getLogger(__name__)
_tracer = get_tracer("contacts_mcp", __version__)
_meter = get_meter("contacts_mcp", __version__)
_duration = _meter.create_histogram(
    "http.client.request.duration",
    "s",
    "Time of requests to the Contacts API, each attempt by itself.",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
_retries = _meter.create_counter(
    "contacts_mcp.upstream.retries", "{request}", "Requests to the Contacts API that were sent again."
)


class Attempts:
    """The attempts of one request. `http` is its method and route template, `host` where it goes."""

    def __init__(self, http: str, host: str) -> None:
        method, template = http.split(" ", 1)
        self._name = http
        self._route = {"http.request.method": method, "url.template": template, "server.address": host}
        self._made = 0

    async def observe(self, exchange: Awaitable[Answer]) -> Answer:
        """Await an attempt, as a span and a measurement of its own."""
        with self._span() as span:
            began = time.monotonic()
            seen: _Labels = {"error.type": "cancelled"}
            try:
                answer = await exchange
            except (Setback, ContactsError) as exc:
                seen = {"error.type": exc.error.code if isinstance(exc, Setback) else exc.code}
                raise
            else:
                seen = _answered(answer.status)
                return answer
            finally:
                self._tell(span, time.monotonic() - began, seen)

    def _tell(self, span: Span, seconds: float, seen: _Labels) -> None:
        _duration.record(seconds, {**self._route, **seen})
        span.set_attributes(seen)
        if "error.type" in seen:
            span.set_status(StatusCode.ERROR)
        _log.debug("%s: %s after %.0f ms", self._name, next(iter(seen.values())), seconds * 1000)

    def _span(self) -> AbstractContextManager[Span]:
        again: _Labels = {}
        if self._made:
            _retries.add(1, self._route)
            again["http.request.resend_count"] = self._made
        self._made += 1
        return _tracer.start_as_current_span(
            self._name,
            kind=SpanKind.CLIENT,
            attributes={**self._route, **again},
            record_exception=False,  # its words may be the service's, or an address
            set_status_on_exception=False,
        )


def _answered(status: int) -> _Labels:
    error: _Labels = {} if is_success(status) else {"error.type": str(int(status))}
    return {"http.response.status_code": int(status), **error}
