"""Collect garbage between calls, so that no caller waits while Python visits every object of the process.

A full collection takes a tenth of a second or more for the objects of the imported modules alone, and half a second
among the rows of a large import. Python starts one in the middle of whatever creates many objects. While a server runs,
full collections therefore wait until no call is running; the frequent collections of new objects go on as usual.
"""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio

from contacts_mcp.server import ActiveCalls

_INTERVAL_SECONDS = 1.0
_DUE_AFTER, _FORCED_AFTER = 10, 500
"""Collections of new objects (each of a few thousand) before a full one is due, and before it waits no longer."""

_server_count = 0


@asynccontextmanager
async def collect_when_idle(calls: ActiveCalls) -> AsyncIterator[None]:
    """Let full collections wait for a moment without calls, while the block runs."""
    with _full_collections_postponed():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_collect_when_due, calls)
            yield
            tasks.cancel_scope.cancel()


async def _collect_when_due(calls: ActiveCalls) -> None:
    has_collected = False
    while True:
        await anyio.sleep(_INTERVAL_SECONDS)
        if calls.is_idle and gc.get_count()[2] >= _DUE_AFTER:
            gc.collect()
            if not has_collected:  # the first call has imported the backend
                gc.freeze()
            has_collected = True


@contextmanager
def _full_collections_postponed() -> Iterator[None]:
    """Postpone full collections, and leave out the objects that exist now; several servers may do so at once."""
    global _server_count  # noqa: PLW0603 - the collector belongs to the process
    young, middle, full = gc.get_threshold()
    if not _server_count:
        gc.freeze()
        gc.set_threshold(young, middle, full * _FORCED_AFTER // _DUE_AFTER)
    _server_count += 1
    try:
        yield
    finally:
        _server_count -= 1
        if not _server_count:
            gc.set_threshold(*gc.get_threshold()[:2], full)
            gc.unfreeze()
