"""Requests that have no answer yet: a host may have so many, and one more is answered at once that it has to wait.

The SDK begins to work on whatever it reads, however much that is: a host that writes and does not read would have this
process keep all of its answers.
"""

from typing import Self

import anyio
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse

from contacts_mcp.transports._stand_in import Read, StandIn, Write

_MOST = 1_000
_BUSY = f"busy: {_MOST:,} requests of yours have no answer yet; read the answers, and send it again"


def bounded(read: Read, write: Write) -> tuple[Read, Write]:
    """The same streams, between which a request more than there may be is answered and not passed on.

    That answer is waited for like any other: from a host that does not read, no more is read.
    """
    unanswered = _Unanswered(write)
    return _Requests(read, unanswered), _Answers(write, unanswered)


class _Unanswered:
    """How many there are."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._count = 0

    async def taken(self, item: SessionMessage | Exception) -> SessionMessage | Exception | None:
        """What is passed on; None where it was a request too many."""
        if isinstance(item, Exception) or not isinstance(item.message, JSONRPCRequest):
            return item
        if self._count >= _MOST:
            error = ErrorData(code=INTERNAL_ERROR, message=_BUSY)
            await self._write.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=item.message.id, error=error)))
            return None
        self._count += 1
        return SessionMessage(item.message, ServerMessageMetadata(on_request_unanswered=self.settled))

    async def settled(self) -> None:
        """One less: it was answered, or its caller no longer waits."""
        self._count -= 1


class _Requests(StandIn[Read]):
    def __init__(self, stream: Read, unanswered: _Unanswered) -> None:
        super().__init__(stream)
        self._unanswered = unanswered

    async def receive(self) -> SessionMessage | Exception:
        while True:
            item = await self._unanswered.taken(await self._stream.receive())
            if item is not None:
                return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class _Answers(StandIn[Write]):
    def __init__(self, stream: Write, unanswered: _Unanswered) -> None:
        super().__init__(stream)
        self._unanswered = unanswered

    async def send(self, item: SessionMessage, /) -> None:
        try:
            await self._stream.send(item)
        finally:
            if isinstance(item.message, JSONRPCResponse | JSONRPCError):
                await self._unanswered.settled()
