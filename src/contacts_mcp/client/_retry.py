"""Whether and when to try again, and what is known of a change meanwhile."""

import logging
import random
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import stamina

from contacts_mcp.contract import ContactsError, OutcomeUnknown, Unreachable

ATTEMPTS = 4
FIRST_WAIT = 0.2
"""Seconds before the first retry, jitter aside; it doubles from one to the next."""
A_DAY = 86_400.0

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_attempts = stamina.AsyncRetryingCaller(attempts=ATTEMPTS, timeout=None)


class Setback(Exception):
    """An attempt that brought no answer to go by, but another might.

    `error` is what it means where nothing can have been changed, `may_have_worked` whether that is unsure, and
    `retry_after` how long the service asks to wait, in seconds.
    """

    def __init__(self, error: ContactsError, *, may_have_worked: bool, retry_after: float | None = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.may_have_worked = may_have_worked
        self.retry_after = retry_after


class Progress:
    """What is known of one call's effect: `unsettled` while a change may have been made unseen.

    `lost` is whether an attempt's answer was, so that a later one may have found its work done.
    """

    __slots__ = ("lost", "unsettled")

    def __init__(self) -> None:
        self.unsettled = False
        self.lost = False

    def conclude(self, error: ContactsError) -> ContactsError:
        """What to tell the caller where the call ends in `error`, which supposes that nothing was changed."""
        return OutcomeUnknown(error.message, status=error.status) if self.unsettled else error

    def out_of_time(self, limit: float) -> ContactsError:
        """What to tell the caller after `limit` seconds."""
        return self.conclude(Unreachable(f"the call was not done within {limit:g} seconds"))


class Patience:
    """Decides after each setback of one call how long to wait, in seconds, or False to give up.

    What may have worked is only repeated where that leaves the directory as it would be after one time.
    """

    def __init__(self, *, idempotent: bool, max_wait: float) -> None:
        self._repeatable = idempotent
        self._left = max_wait
        self._next = FIRST_WAIT

    def __call__(self, failure: Exception) -> float | bool:
        if not isinstance(failure, Setback) or (failure.may_have_worked and not self._repeatable):
            return False
        wait = self._next if failure.retry_after is None else failure.retry_after
        if wait > self._left:
            return False
        wait += random.uniform(0, self._next)  # noqa: S311 - spreads the clients of one service, guards nothing
        self._left -= wait
        self._next *= 2
        _log.debug("waiting %.2f s after %r", wait, failure)
        return wait


async def persist(attempt: Callable[[], Awaitable[_T]], patience: Patience) -> _T:
    """Make the attempt, and again after each Setback while there is patience; the last Setback is let through.

    The first attempt is made outside stamina, whose machinery is a tenth of a loopback round trip.
    """
    try:
        return await attempt()
    except Setback as setback:
        made = [setback]

    async def again() -> _T:
        if made:  # stamina counts it, and waits
            raise made.pop()
        return await attempt()

    return await _attempts(patience, again)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After in seconds, from either of its forms; at most a day, None where it makes no sense."""
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), A_DAY)
    try:
        moment = parsedate_to_datetime(text)
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), A_DAY)


def _is_foreign(record: logging.LogRecord) -> bool:
    return not getattr(record, "stamina.caused_by", "").startswith(Setback.__name__ + "(")


# Stamina warns of each retry unless the application says otherwise; a library's retries are no warnings. This
# leaves stamina's hooks as the application set them, and drops this client's records alone.
logging.getLogger("stamina").addFilter(_is_foreign)
