"""`contacts-mcp` in a hurry: `python -m trust.hurried serve` is the same process, with a second where it has minutes.

So that thousands of faults take minutes and not days. What it really takes has a test of its own. It says first which
process it is.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from contacts_mcp.__main__ import main
from contacts_mcp.client import ContactsClient, _client, _transport
from contacts_mcp.tools import _job

TIME_LIMIT = 1.5
"""Seconds for one call of the service, instead of 30."""
SILENCE = TIME_LIMIT / _client._TIMEOUTS_PER_CALL
"""Seconds without a word after which a request that may be repeated is, instead of 10."""
PATIENCE = 0.5
"""Seconds that a job waits in all where the service asks it to, instead of 600."""
TURNS = 3
"""Times that a job sends a call that does not get through, instead of 5."""

_LIMITS = {"time_limit": TIME_LIMIT, "connect_limit": SILENCE, "max_wait": TIME_LIMIT}
_SHORTER: tuple[tuple[Any, str, Any], ...] = (
    (ContactsClient.__init__, "__kwdefaults__", {**(ContactsClient.__init__.__kwdefaults__ or {}), **_LIMITS}),
    (_transport, "FIRST_WAIT_SECONDS", 0.02),
    (_job, "FIRST_WAIT_SECONDS", 0.1),
    (_job, "MAX_WAIT_SECONDS", PATIENCE),
    (_job, "RETRY_DELAYS_SECONDS", (0.01, 0.02)),
)


def hurry(patch: Callable[[Any, str, Any], None]) -> None:
    """Shorten every wait."""
    for what, name, value in _SHORTER:
        patch(what, name, value)


if __name__ == "__main__":
    hurry(setattr)
    sys.stderr.write(f"process {os.getpid()}\n")
    main()
