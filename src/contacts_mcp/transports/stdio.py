"""Serving one host over standard input and output, which carries JSON-RPC and nothing else.

The SDK's transport reads and writes in threads. A thread cannot be woken from its read by a signal, may hang in its
write where the host has stopped reading, and costs two errands an answer; so the descriptors are waited for by the
event loop instead. That takes POSIX.
"""

import logging
import os
import select
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import anyio
from anyio import AsyncFile, CancelScope
from anyio.lowlevel import checkpoint
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from contacts_mcp.transports._unanswered import bounded

_GRACE = 0.8
"""Seconds in which the process ends by itself once it has to; then it is ended."""
_CHUNK = 65_536
_LONGEST = 16 * 1024 * 1024
"""Bytes of a message: a line that never ended would take all the memory there is."""
_MOST_PARTS = 1_000_000
"""Commas and opening brackets of a message: each value that it holds takes hundreds of bytes while it is read."""

_LEFT_OUT = f"a message of more than {_LONGEST // 1024**2} MiB or {_MOST_PARTS:,} values was left out"

_log = logging.getLogger(__name__)


async def serve_stdio(server: Server[Any]) -> None:
    """Serve until standard input ends, or SIGINT or SIGTERM arrives; either ends the process within a second."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, tasks.cancel_scope)
        with _standard_streams(tasks.cancel_scope) as (stdin, stdout):
            async with stdio_server(stdin, stdout) as (read, write):
                await server.run(*bounded(read, write), server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _stop_on_signal(scope: CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            _end_after_grace()
            scope.cancel()


def _end_after_grace() -> None:
    """A backend may be waiting for another process; a host that goes away must not leave this one behind."""
    timer = threading.Timer(_GRACE, os._exit, (1,))
    timer.daemon = True
    timer.start()


@contextmanager
def _standard_streams(scope: CancelScope) -> Iterator[tuple[AsyncFile[str], AsyncFile[str]]]:
    """Standard input and output as the SDK's transport wants files.

    Meanwhile whatever else writes to standard output reaches standard error. `scope` is cancelled where the host no
    longer takes what is written.
    """
    wire = os.dup(1)
    os.dup2(2, 1)
    try:
        yield cast("AsyncFile[str]", _Lines(0)), cast("AsyncFile[str]", _Wire(wire, scope))
    finally:
        os.dup2(wire, 1)
        os.close(wire)


class _Lines:
    """The lines of a descriptor, but for those that are too long."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read_already = b""

    async def __aiter__(self) -> AsyncIterator[str]:
        rest = bytearray()
        while chunk := await self._read():
            rest += chunk
            *lines, rest = rest.split(b"\n") if b"\n" in chunk else [rest]
            for line in filter(_may_be_read, lines):
                yield line.decode("utf-8", errors="replace")
            if len(rest) > _LONGEST:
                _log.warning(_LEFT_OUT)
                rest.clear()
                await self._skip()
        if _may_be_read(rest):
            yield rest.decode("utf-8", errors="replace")
        _end_after_grace()

    async def _skip(self) -> None:
        """Forget what is read up to the end of the line."""
        end = b""
        while not end and (chunk := await self._read()):
            _, end, self._read_already = chunk.partition(b"\n")

    async def _read(self) -> bytes:
        if self._read_already:
            chunk, self._read_already = self._read_already, b""
            return chunk
        try:
            await anyio.wait_readable(self._descriptor)
        except PermissionError:
            await checkpoint()  # a regular file cannot be waited for; it can always be read
        return os.read(self._descriptor, _CHUNK)


def _may_be_read(line: bytearray) -> bool:
    """Whether there is something in a line, and not too much."""
    is_small = sum(map(line.count, b",[{")) <= _MOST_PARTS
    if not is_small:
        _log.warning(_LEFT_OUT)
    return bool(line) and is_small


class _Wire:
    """A descriptor to write to: as much as a pipe surely takes at once, so that no write blocks."""

    def __init__(self, descriptor: int, scope: CancelScope) -> None:
        self._descriptor = descriptor
        self._scope = scope
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    async def write(self, text: str) -> None:
        try:
            await self._write(memoryview(text.encode()))
        except OSError:  # the host is gone, whatever its side of standard input still says
            _end_after_grace()
            self._scope.cancel()
            await checkpoint()

    async def _write(self, rest: memoryview) -> None:
        while rest:
            if not self._poll.poll(0):
                await anyio.wait_writable(self._descriptor)
            rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]

    async def flush(self) -> None:
        """Nothing is held back."""
