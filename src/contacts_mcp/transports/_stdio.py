"""Serve one host over standard input and output, which carry only JSON-RPC.

The SDK's transport reads and writes in threads. A signal cannot wake a thread from its read, a thread may hang in its
write when the host has stopped reading, and each answer costs two thread switches. Here the event loop waits for the
file descriptors instead, which needs POSIX.
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

from contacts_mcp.transports._streams import limit_unanswered

_EXIT_TIMEOUT_SECONDS = 0.8
"""Time for an orderly end; after it the process is ended."""
_CHUNK_BYTES = 65_536
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A line without an end would take all memory."""
_MAX_MESSAGE_VALUES = 1_000_000
"""Commas and opening brackets of a message: each value in it takes hundreds of bytes while it is parsed."""
_DROPPED = f"dropped a message of more than {_MAX_MESSAGE_BYTES // 1024**2} MiB or {_MAX_MESSAGE_VALUES:,} values"

_log = logging.getLogger(__name__)


async def serve_stdio(server: Server[Any]) -> None:
    """Serve until standard input ends, or SIGINT or SIGTERM arrives; either ends the process within a second."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, tasks.cancel_scope)
        with _standard_streams(tasks.cancel_scope) as (stdin, stdout):
            async with stdio_server(stdin, stdout) as (read, write):
                await server.run(*limit_unanswered(read, write), server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _stop_on_signal(scope: CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            _exit_after_timeout()
            scope.cancel()


def _exit_after_timeout() -> None:
    """End the process soon, even if a backend waits for another process: it must not outlive its host."""
    timer = threading.Timer(_EXIT_TIMEOUT_SECONDS, os._exit, (1,))
    timer.daemon = True
    timer.start()


@contextmanager
def _standard_streams(scope: CancelScope) -> Iterator[tuple[AsyncFile[str], AsyncFile[str]]]:
    """Standard input and output in the form in which the SDK's transport takes files.

    Inside the block everything else that writes to standard output reaches standard error. `scope` is cancelled when
    the host no longer accepts output.
    """
    wire = os.dup(1)
    os.dup2(2, 1)
    try:
        yield cast("AsyncFile[str]", _LineReader(0)), cast("AsyncFile[str]", _Writer(wire, scope))
    finally:
        os.dup2(wire, 1)
        os.close(wire)


class _LineReader:
    """The lines of a file descriptor, without those that are too large."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = b""

    async def __aiter__(self) -> AsyncIterator[str]:
        rest = bytearray()
        while chunk := await self._read():
            rest += chunk
            *lines, rest = rest.split(b"\n") if b"\n" in chunk else [rest]
            for line in filter(_is_acceptable, lines):
                yield line.decode("utf-8", errors="replace")
            if len(rest) > _MAX_MESSAGE_BYTES:
                _log.warning(_DROPPED)
                rest.clear()
                await self._skip_line()
        if _is_acceptable(rest):
            yield rest.decode("utf-8", errors="replace")
        _exit_after_timeout()

    async def _skip_line(self) -> None:
        end = b""
        while not end and (chunk := await self._read()):
            _, end, self._pending = chunk.partition(b"\n")

    async def _read(self) -> bytes:
        if self._pending:
            chunk, self._pending = self._pending, b""
            return chunk
        try:
            await anyio.wait_readable(self._descriptor)
        except PermissionError:
            await checkpoint()  # a regular file cannot be waited for; it is always readable
        return os.read(self._descriptor, _CHUNK_BYTES)


def _is_acceptable(line: bytearray) -> bool:
    """Whether a line holds a message that is not too large."""
    is_small = sum(map(line.count, b",[{")) <= _MAX_MESSAGE_VALUES
    if not is_small:
        _log.warning(_DROPPED)
    return bool(line) and is_small


class _Writer:
    """Writes to a file descriptor, at most as much at once as a pipe surely takes, so that no write blocks."""

    def __init__(self, descriptor: int, scope: CancelScope) -> None:
        self._descriptor = descriptor
        self._scope = scope
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    async def write(self, text: str) -> None:
        try:
            await self._write(memoryview(text.encode()))
        except OSError:  # the host is gone, even if its side of standard input is still open
            _exit_after_timeout()
            self._scope.cancel()
            await checkpoint()

    async def _write(self, rest: memoryview) -> None:
        while rest:
            if not self._poll.poll(0):
                await anyio.wait_writable(self._descriptor)
            rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]

    async def flush(self) -> None:
        """Do nothing: no output is buffered."""
