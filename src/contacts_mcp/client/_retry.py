"""When a request is sent again, and what is known meanwhile of a change that it asked for."""

import logging
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import stamina

from contacts_mcp.contract import ContactsError, OutcomeUnknown

MAX_ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.2
"""Wait before the first retry, without jitter; it doubles with each retry."""
MAX_RETRY_AFTER_SECONDS = 86_400.0

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_retrying = stamina.AsyncRetryingCaller(attempts=MAX_ATTEMPTS, timeout=None)


class AttemptFailed(Exception):
    """An attempt brought no usable response, but another attempt might.

    Attributes:
        error: The error to raise if the call has certainly changed nothing.
        may_have_worked: Whether the service may have carried out the request.
        retry_after: Seconds that the service asks to wait, or None.
    """

    def __init__(self, error: ContactsError, *, may_have_worked: bool, retry_after: float | None = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.code = error.code
        self.may_have_worked = may_have_worked
        self.retry_after = retry_after


@dataclass(slots=True)
class CallEffect:
    """What is known of one call's effect on the directory.

    Attributes:
        may_have_changed: Whether a change may have been made without a response that says so.
        response_lost: Whether an earlier attempt's response was lost, so that a later one may find its work done.
    """

    may_have_changed: bool = False
    response_lost: bool = False

    def conclude(self, error: ContactsError) -> ContactsError:
        """Return `error`, or OutcomeUnknown if the call may have changed something before it failed."""
        return OutcomeUnknown(error.message, status=error.status) if self.may_have_changed else error


class RetryPolicy:
    """Decides after each failed attempt of a request how many seconds to wait, or False to give up.

    A request that may have worked is only repeated if it is idempotent. All waits together take at most `max_wait`
    seconds.
    """

    def __init__(self, *, idempotent: bool, max_wait: float) -> None:
        self._idempotent = idempotent
        self._wait_left = max_wait
        self._next_wait = FIRST_WAIT_SECONDS

    def __call__(self, failure: Exception) -> float | bool:
        if not isinstance(failure, AttemptFailed) or (failure.may_have_worked and not self._idempotent):
            return False
        wait = self._next_wait if failure.retry_after is None else failure.retry_after
        if wait > self._wait_left:
            return False
        wait += random.uniform(0, self._next_wait)  # noqa: S311 - jitter, not security
        self._wait_left -= wait
        self._next_wait *= 2
        _log.debug("waiting %.2f s after %r", wait, failure)
        return wait


async def retry(attempt: Callable[[], Awaitable[_T]], *, idempotent: bool, max_wait: float) -> _T:
    """Make an attempt, and again after each AttemptFailed as RetryPolicy allows; raises the last AttemptFailed.

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

    return await _retrying(RetryPolicy(idempotent=idempotent, max_wait=max_wait), attempt_again)


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


def _is_foreign(record: logging.LogRecord) -> bool:
    return not getattr(record, "stamina.caused_by", "").startswith(AttemptFailed.__name__ + "(")


# Stamina logs each retry as a warning unless the application configures its hooks. A library's retries are no
# warnings; the filter drops only this client's records and leaves the hooks to the application.
logging.getLogger("stamina").addFilter(_is_foreign)
