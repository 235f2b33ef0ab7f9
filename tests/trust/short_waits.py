"""`contacts-mcp` with short waits: `python -m trust.short_waits serve` waits seconds instead of minutes.

Thousands of faults then take minutes instead of days; another test covers the real waits. The server first writes its
process id to standard error.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from contacts_mcp.__main__ import main
from contacts_mcp.client import ContactsClient, _client, _transport
from contacts_mcp.tools import _job

TIME_LIMIT_SECONDS = 1.5
"""Seconds for one call of the service, instead of 30."""
READ_TIMEOUT_SECONDS = TIME_LIMIT_SECONDS / _client._TIMEOUTS_PER_CALL
"""Seconds without data after which an idempotent request is repeated, instead of 10."""
JOB_WAIT_SECONDS = 0.5
"""Seconds that a job waits at most if the service demands it, instead of 600."""
JOB_ATTEMPTS = 3
"""Attempts of a job to send a call, instead of 5."""

_LIMITS = {"timeout": TIME_LIMIT_SECONDS, "connect_timeout": READ_TIMEOUT_SECONDS, "max_retry_wait": TIME_LIMIT_SECONDS}
_SHORT_WAITS: tuple[tuple[Any, str, Any], ...] = (
    (ContactsClient.__init__, "__kwdefaults__", {**(ContactsClient.__init__.__kwdefaults__ or {}), **_LIMITS}),
    (_transport, "FIRST_WAIT_SECONDS", 0.02),
    (_job, "FIRST_WAIT_SECONDS", 0.1),
    (_job, "MAX_WAIT_SECONDS", JOB_WAIT_SECONDS),
    (_job, "RETRY_DELAYS_SECONDS", (0.01, 0.02)),
)


def shorten_waits(patch: Callable[[Any, str, Any], None]) -> None:
    for what, name, value in _SHORT_WAITS:
        patch(what, name, value)


if __name__ == "__main__":
    shorten_waits(setattr)
    sys.stderr.write(f"process {os.getpid()}\n")
    main()
