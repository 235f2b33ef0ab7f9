"""The trail as log records that go to an OTLP collector. The SDK is imported by the first of them."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from contacts_mcp.audit._record import Record, line_of
from contacts_mcp.audit._trail import PATIENCE, Unwritable

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from contacts_mcp.audit._export import Exports


class Collector:
    """An OTLP collector, as the standard environment names it; `resource` says who sends.

    For good is what it has acknowledged. Other records are sent together within a second or so, and a loss is logged.
    """

    def __init__(self, resource: Callable[[], "Resource"]) -> None:
        self._resource = resource
        self._exports: Exports | None = None
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def take(self, record: Record, *, durable: bool) -> None:
        """See trail.Listener."""
        exports = await self._opened()
        line = line_of(record).decode().rstrip()
        if not durable:
            exports.send_later(line)
        elif not await self._in_thread(partial(exports.send_now, line)):
            raise Unwritable("it did not acknowledge the record")

    async def probe(self) -> None:
        """See trail.Listener. An export of nothing is an export."""
        exports = await self._opened()
        if not await self._in_thread(exports.send_nothing):
            raise Unwritable("it does not answer as a collector does")

    @property
    def holds_back(self) -> bool:
        """See trail.Listener."""
        return self._exports is not None

    def close(self) -> None:
        """Send what is left; it may take its time."""
        if self._exports is not None:
            self._exports.close()

    async def _opened(self) -> "Exports":
        if self._exports is None:
            await self._in_thread(self._open)
        assert self._exports
        return self._exports

    def _open(self) -> None:
        if self._exports is None:
            from contacts_mcp.audit._export import Exports

            self._exports = Exports(self._resource(), PATIENCE)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._one_at_a_time)

    def __str__(self) -> str:
        return "the OTLP collector"
