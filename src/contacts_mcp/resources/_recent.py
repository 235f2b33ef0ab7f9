"""What was read a moment ago, remembered for each tenant apart."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Recent(Generic[T]):
    """Remembers for `lifetime` seconds, and for the `most` tenants that asked last."""

    def __init__(self, lifetime: float, most: int = 256, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifetime = lifetime
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()

    async def get(self, tenant: str, load: Callable[[], Awaitable[T]]) -> T:
        """What was loaded for this tenant; several who ask at once wait for one loading."""
        entry = self._entries.setdefault(tenant, _Entry())
        self._entries.move_to_end(tenant)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        async with entry.loading:
            if not entry.kept or entry.until <= self._clock():
                entry.kept = [await load()]
                entry.until = self._clock() + self._lifetime
            return entry.kept[0]


class _Entry(Generic[T]):
    def __init__(self) -> None:
        self.loading = anyio.Lock()
        self.until = 0.0
        self.kept: list[T] = []
