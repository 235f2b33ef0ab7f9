"""Who listens for changes, for each tenant apart: nobody learns of another tenant's activity."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Protocol

from mcp.server.subscriptions import ListenHandler, ServerEvent

from contacts_mcp.server._faults import invalid

_MOST_WATCHED = 5_000
"""Addresses that all of a tenant may watch together."""
_MOST_OF_ONE = 1_000
"""Addresses that one caller may watch, however many sessions and streams they have."""
_MOST_STREAMS = 1_024
"""Streams that a tenant may have open."""
_MOST_WAITING = 512
"""Events that a stream may be behind with; then it ends, and its client has to read everything again."""


class Touched(Protocol):
    """What a change touched."""

    @property
    def listing(self) -> bool:
        """Whether the list of resources differs."""
        ...

    def concerns(self, uri: str, /) -> bool:
        """Whether what this address shows may differ now."""
        ...


class Tenant:
    """The listeners of one tenant, and what they watch. It is a `SubscriptionBus` for the SDK's streams."""

    def __init__(self) -> None:
        self.stream = ListenHandler(self, max_subscriptions=_MOST_STREAMS, max_buffered_events=_MOST_WAITING)
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}
        self._watched: Counter[str] = Counter()
        self._of: Counter[str] = Counter()

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Call `listener`, which neither waits nor raises, with each event until what is returned is called."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def publish(self, event: ServerEvent) -> None:
        """Tell all listeners."""
        self.tell(event)

    def tell(self, event: ServerEvent) -> None:
        """Tell all in one go: who made the change waits for nobody, and no cancellation cuts it in two."""
        for listener in list(self._listeners.values()):
            listener(event)

    def watch(self, uris: Collection[str], principal: str) -> None:
        """Note addresses of which somebody wants to be told.

        Raises:
            MCPError: the caller watches too many already, or all of the tenant together do.
        """
        of_one = self._of[principal] + len(uris)
        if of_one > _MOST_OF_ONE or len(self._watched) + len(uris) > _MOST_WATCHED:
            raise invalid("invalid: too many addresses are watched here; unsubscribe from some")
        self._of[principal] = of_one
        self._watched.update(uris)

    def unwatch(self, uris: Collection[str], principal: str) -> None:
        """Take back one `watch` of each."""
        self._of[principal] -= len(uris)
        if not self._of[principal]:
            del self._of[principal]
        self._watched.subtract(uris)
        for uri in uris:
            if self._watched[uri] <= 0:
                del self._watched[uri]

    def watched(self, touched: Touched) -> list[str]:
        """The watched addresses that a change concerns, as those who watch write them."""
        return [uri for uri in self._watched if touched.concerns(uri)]


class Tenants:
    """The tenants somebody listens for; the others are not remembered."""

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}
        self._listening: Counter[str] = Counter()

    @contextmanager
    def listening(self, name: str) -> Iterator[Tenant]:
        """A tenant, kept for as long as this lasts."""
        self._listening[name] += 1
        try:
            yield self._tenants.setdefault(name, Tenant())
        finally:
            self._listening[name] -= 1
            if not self._listening[name]:
                del self._listening[name], self._tenants[name]

    def get(self, name: str) -> Tenant | None:
        """The tenant, if somebody listens for it."""
        return self._tenants.get(name)

    def __iter__(self) -> Iterator[Tenant]:
        return iter(list(self._tenants.values()))
