"""The calls under way, so that they can be ended: by a caller who is gone, or by a server that has to stop."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio

from contacts_mcp.contract import RateLimited
from contacts_mcp.server._caller import caller_of
from contacts_mcp.server._elicitation import Context

CALLS = "contacts_mcp.calls"
"""Where a network transport that notices a caller hang up finds the scopes of that request's calls."""


class Calls:
    """Cancel scopes of the calls under way, of which one caller may have `at_once` (None: any number)."""

    def __init__(self, at_once: int | None = None) -> None:
        self._at_once = at_once
        self._of: Counter[str] = Counter()
        self._scopes: set[anyio.CancelScope] = set()
        self._one_less = anyio.Event()

    @contextmanager
    def under_way(self, ctx: Context) -> Iterator[None]:
        """Run a call until it is done, or until `end` or its transport ends it; then go on after the block.

        Raises:
            RateLimited: the caller has too many under way.
        """
        principal = caller_of(ctx).principal
        if self._at_once is not None and self._of[principal] >= self._at_once:
            raise RateLimited(f"{self._at_once} calls of yours are under way already", retry_after=1)
        of_request: set[Any] = set() if ctx.request is None else ctx.request.scope.setdefault(CALLS, set())
        with anyio.CancelScope() as scope:
            self._of[principal] += 1
            self._scopes.add(scope)
            of_request.add(scope)
            try:
                yield
            finally:
                self._leave(principal)
                self._scopes.discard(scope)
                of_request.discard(scope)
                self._one_less.set()

    def _leave(self, principal: str) -> None:
        self._of[principal] -= 1
        if not self._of[principal]:
            del self._of[principal]

    async def done(self) -> None:
        """Wait until none is under way."""
        while self._scopes:
            self._one_less = anyio.Event()
            await self._one_less.wait()

    def end(self) -> None:
        """End every call; each tells its caller what is known of it."""
        for scope in list(self._scopes):
            scope.cancel()
