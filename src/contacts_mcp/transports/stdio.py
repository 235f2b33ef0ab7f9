"""Serving one host over standard input and output, which carries JSON-RPC and nothing else."""

import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
from anyio import AsyncFile, CancelScope
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

_GRACE = 0.8
"""Seconds after a signal in which the process ends by itself; then it is ended."""
_CHUNK = 65_536


async def serve_stdio(server: Server[Any]) -> None:
    """Serve until standard input ends, or SIGINT or SIGTERM arrives; either ends the process within a second."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, tasks.cancel_scope)
        async with stdio_server(stdin=_stdin()) as (read, write):
            await server.run(read, write, server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _stop_on_signal(scope: CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            _end_after_grace()
            scope.cancel()


def _end_after_grace() -> None:
    """The SDK writes in threads: where the host has stopped reading, one may hang in its write for ever."""
    timer = threading.Timer(_GRACE, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _stdin() -> AsyncFile[str] | None:
    """Our own reader, since the SDK's thread cannot be woken from its read by a signal; None for the SDK's."""
    if sys.platform == "win32":
        return None  # pipes cannot be waited for there
    return cast("AsyncFile[str]", _Lines(sys.stdin.fileno()))


class _Lines:
    """The lines of a file descriptor, as far as the SDK's transport needs a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def __aiter__(self) -> AsyncIterator[str]:
        rest = bytearray()
        while chunk := await self._read():
            rest += chunk
            *lines, rest = rest.split(b"\n") if b"\n" in chunk else [rest]
            for line in filter(None, lines):
                yield line.decode("utf-8", errors="replace")
        if rest:
            yield rest.decode("utf-8", errors="replace")

    async def _read(self) -> bytes:
        try:
            await anyio.wait_readable(self._descriptor)
        except PermissionError:
            await anyio.lowlevel.checkpoint()  # a regular file cannot be waited for; it is always readable
        return os.read(self._descriptor, _CHUNK)
