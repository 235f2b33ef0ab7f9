"""The progress of a call: what its job reports, and reminders while it waits for a person or a slow service.

A host may end a call that seems to hang. The specification wants each value to be greater than the one before.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from contacts_mcp.contract import ProgressCallback

REMINDER_INTERVAL_SECONDS = 5.0
_REMINDER_STEP = 0.01  # a reminder has to be greater than the last report, but it is no item


class CallProgress:
    """Sends the progress of one call. `waiting_for` returns what the call waits for when it reports nothing."""

    def __init__(self, send: ProgressCallback, waiting_for: Callable[[], str]) -> None:
        self._send = send
        self._waiting_for = waiting_for
        self._part = ""
        self._done_before = 0.0  # items of earlier parts of the job
        self._value, self._total = 0.0, 0.0
        self._has_sent = False
        self._message = ""
        self._sent_at = time.monotonic()

    async def report(self, done: float, total: float | None, message: str | None) -> None:
        """Report a part of the job; each part begins again at 0, and is known by its message."""
        if (message or "") != self._part:
            self._part, self._done_before = message or "", self._value
        of = "" if total is None else f" of {total:,.0f}"
        self._message = f"{message}: {done:,.0f}{of}" if message else ""
        self._total = 0.0 if total is None else self._done_before + total
        if self._done_before + done > self._value or not self._has_sent:
            await self._send_value(self._done_before + done, self._message)

    @contextmanager
    def reminding(self) -> Iterator[None]:
        """Send a reminder whenever nothing was reported for a while, until the block ends."""
        reminders: list[asyncio.Task[None]] = []
        # Hardly any call takes so long, and a task for each would cost more than its timer.
        timer = asyncio.get_running_loop().call_later(
            REMINDER_INTERVAL_SECONDS, lambda: reminders.append(asyncio.create_task(self._remind()))
        )
        try:
            yield
        finally:
            timer.cancel()
            for task in reminders:
                task.cancel()

    async def _remind(self) -> None:
        while True:
            wait = self._sent_at + REMINDER_INTERVAL_SECONDS - time.monotonic()
            if wait > 0:
                await anyio.sleep(wait)
            else:
                known = f" ({self._message})" if self._message else ""
                await self._send_value(self._value + _REMINDER_STEP, f"waiting for {self._waiting_for()}{known}")

    async def _send_value(self, value: float, message: str) -> None:
        self._value, self._sent_at, self._has_sent = value, time.monotonic(), True
        await self._send(value, max(value, self._total) if self._total else None, message or None)
