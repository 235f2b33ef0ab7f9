"""Streams that see what goes through other ones."""

from types import TracebackType
from typing import Generic, Self, TypeVar

from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage

Read = ReadStream[SessionMessage | Exception]
Write = WriteStream[SessionMessage]
S = TypeVar("S", Read, Write)


class StandIn(Generic[S]):
    """A stream that stands for another one, and is closed with it."""

    def __init__(self, stream: S) -> None:
        self._stream: S = stream

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()
