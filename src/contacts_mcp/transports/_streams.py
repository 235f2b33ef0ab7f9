"""Wrappers around the SDK's message streams: they answer malformed messages, and limit the requests without an answer.

The SDK begins to work on every message that it reads. A host that writes requests and reads no answers would therefore
have this process keep all answers in memory.
"""

import logging
from typing import Any, Generic, Self, TypeVar, cast

import anyio
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse

from contacts_mcp.transports._messages import MalformedMessage

MAX_UNANSWERED_REQUESTS = 1_000
_BUSY = "busy: {:,} of your requests have no answer yet; read the answers, then send the request again"

Read = ReadStream[SessionMessage | Exception]
Write = WriteStream[SessionMessage]
S = TypeVar("S", Read, Write)

_log = logging.getLogger(__name__)


class StreamProxy(Generic[S]):
    """Base of a stream that wraps another one and is closed with it."""

    def __init__(self, stream: S) -> None:
        self._stream: S = stream

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        await self.aclose()


def answer_unserved(read: Read, write: Write) -> tuple[Read, Write]:
    """Wrap both streams, so that a malformed message, and a request above the limit, is answered with an error.

    Sending that error waits like any answer: nothing more is read from a host that does not read.
    """
    unanswered = _Unanswered(write)
    return _Requests(read, unanswered), _Answers(write, unanswered)


class _Unanswered:
    """Counts the requests without an answer."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._count = 0

    async def admit(self, item: SessionMessage | Exception) -> SessionMessage | Exception | None:
        """Return the message for the server to read; None if it is not served, and was answered."""
        if isinstance(item, MalformedMessage):
            await self._refuse(item)
            return None
        if isinstance(item, Exception) or not isinstance(item.message, JSONRPCRequest):
            return item
        if self._count >= MAX_UNANSWERED_REQUESTS:
            error = ErrorData(code=INTERNAL_ERROR, message=_BUSY.format(MAX_UNANSWERED_REQUESTS))
            await self._write.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=item.message.id, error=error)))
            return None
        self._count += 1
        return SessionMessage(item.message, ServerMessageMetadata(on_request_unanswered=self.settle))

    async def _refuse(self, malformed: MalformedMessage) -> None:
        _log.warning("a malformed message was not served: %s", malformed.message)
        if malformed.is_answered:
            error = ErrorData(code=malformed.code, message=malformed.message)
            # Not validated, because the id may be a fraction.
            answer = JSONRPCError.model_construct(jsonrpc="2.0", id=cast("Any", malformed.id), error=error)
            await self._write.send(SessionMessage(answer))

    async def settle(self) -> None:
        """Count one request less: it was answered, or its caller no longer waits."""
        self._count -= 1


class _Requests(StreamProxy[Read]):
    def __init__(self, stream: Read, unanswered: _Unanswered) -> None:
        super().__init__(stream)
        self._unanswered = unanswered

    async def receive(self) -> SessionMessage | Exception:
        while True:
            item = await self._unanswered.admit(await self._stream.receive())
            if item is not None:
                return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class _Answers(StreamProxy[Write]):
    def __init__(self, stream: Write, unanswered: _Unanswered) -> None:
        super().__init__(stream)
        self._unanswered = unanswered

    async def send(self, item: SessionMessage, /) -> None:
        try:
            await self._stream.send(item)
        finally:
            if isinstance(item.message, JSONRPCResponse | JSONRPCError):
                await self._unanswered.settle()
