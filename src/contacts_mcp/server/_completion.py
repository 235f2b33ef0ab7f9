"""What the server does with completion/complete: it suggests, and never fails."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server

from contacts_mcp.contract import ContactsError, RateLimited, Risk
from contacts_mcp.server._caller import BackendFactory, caller_of
from contacts_mcp.server._calls import Calls
from contacts_mcp.server._elicitation import Context
from contacts_mcp.server._observe import place
from contacts_mcp.tools import Backend

logger = logging.getLogger(__name__)

Values = tuple[Sequence[str], bool]
"""What fits, best first, and whether that is all there is."""
Source = Callable[[Backend, str, str], Awaitable[Values]]
"""Suggests for a backend, the tenant it is of, and what was typed."""
Sources = Mapping[tuple[str, str], Source]
"""Sources by the name of a prompt or a template of addresses, and the name of its argument."""

_MOST_VALUES = 100  # the protocol's bound
_LONGEST = 200
"""Characters that somebody may have typed; nothing that is suggested is longer."""
_PATIENCE = 5.0
"""Seconds; a later suggestion is of no use to anybody who types."""
_NOTHING: Values = ((), True)


class CompletionHandlers:
    """Whatever cannot be suggested, for whatever reason, is an empty list."""

    def __init__(self, sources: Sources, backend_for: BackendFactory, calls: Calls) -> None:
        self._sources = sources
        self._backend_for = backend_for
        self._calls = calls

    def register(self, server: Server[Any]) -> None:
        """Have `server` answer this method."""
        server.add_request_handler("completion/complete", types.CompleteRequestParams, self.complete)

    async def complete(self, ctx: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        """Up to 100 values; `total` only where it is known."""
        values, complete = _NOTHING
        with suppress(RateLimited), anyio.move_on_after(_PATIENCE), self._calls.under_way(ctx):
            values, complete = await self._found(ctx, params)
        more = len(values) > _MOST_VALUES
        return types.CompleteResult(
            completion=types.Completion(
                values=list(values[:_MOST_VALUES]),
                total=len(values) if complete else None,
                has_more=more if more or complete else None,
            )
        )

    async def _found(self, ctx: Context, params: types.CompleteRequestParams) -> Values:
        of = params.ref.name if isinstance(params.ref, types.PromptReference) else params.ref.uri
        source = self._sources.get((of, params.argument.name))
        caller, typed = caller_of(ctx), params.argument.value
        if source is None or Risk.READ not in caller.risks or len(typed) > _LONGEST:
            return _NOTHING
        try:
            return await source(self._backend_for(caller), caller.tenant, typed)
        except ContactsError:
            return _NOTHING
        except Exception as exc:  # noqa: BLE001 - a suggestion less is no fault of the person who types
            logger.error("completion failed: %s", place(exc))  # noqa: TRY400 - a traceback could hold values
            return _NOTHING
