"""The pipes to the host that has started this process. Nothing here blocks the event loop.

On POSIX the event loop waits for the descriptors. On Windows it cannot wait for a pipe that the host has made, so
threads read and write. They are daemons: one that waits for the host does not keep the process from ending.
"""

import os
import select
import sys
from collections.abc import Callable

_CHUNK_BYTES = 65_536
_HANGUP_INTERVAL_SECONDS = 1.0
"""How often a write that waits checks whether the host has gone."""

if sys.platform == "win32":
    import asyncio
    import threading
    from collections import deque
    from contextlib import suppress
    from queue import SimpleQueue

    _MAX_CHUNKS_AHEAD = 64

    class PipeReader:
        """Reads a descriptor in a thread, which is at most 64 chunks ahead of the event loop."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
            self._chunks: deque[bytes] = deque()
            self._arrived = asyncio.Event()
            self._room = threading.Semaphore(_MAX_CHUNKS_AHEAD)
            self._has_ended = False
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._read_all, args=(loop,), daemon=True, name="stdin").start()

        async def read(self) -> bytes:
            """Return what has arrived, nothing at the end."""
            await self._arrived.wait()
            chunk = self._chunks.popleft()
            if not self._chunks:
                self._arrived.clear()
            self._room.release()
            return chunk

        def has_hung_up(self) -> bool:
            """Whether the other side has closed the pipe."""
            return self._has_ended

        def _read_all(self, loop: asyncio.AbstractEventLoop) -> None:
            while not self._has_ended:
                self._room.acquire()
                try:
                    chunk = os.read(self._descriptor, _CHUNK_BYTES)
                except OSError:
                    chunk = b""
                self._has_ended = not chunk
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._accept, chunk)

        def _accept(self, chunk: bytes) -> None:
            self._chunks.append(chunk)
            self._arrived.set()

    class PipeWriter:
        """Writes to a descriptor in a thread, each text whole."""

        def __init__(self, descriptor: int, has_hung_up: Callable[[], bool]) -> None:
            self._descriptor = descriptor
            self._has_hung_up = has_hung_up
            self._loop = asyncio.get_running_loop()
            self._texts: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
            threading.Thread(target=self._write_all, daemon=True, name="stdout").start()

        async def write(self, text: bytes) -> None:
            """Write all of it. Raises OSError if the host is gone."""
            written = self._loop.create_future()
            self._texts.put((text, written))
            while not written.done():
                await asyncio.wait({written}, timeout=_HANGUP_INTERVAL_SECONDS)
                if not written.done() and self._has_hung_up():
                    raise BrokenPipeError
            written.result()

        def _write_all(self) -> None:
            while True:
                text, written = self._texts.get()
                fault: OSError | None = None
                try:
                    rest = memoryview(text)
                    while rest:
                        rest = rest[os.write(self._descriptor, rest) :]
                except OSError as exc:
                    fault = exc
                with suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(_finish, written, fault)

    def _finish(written: asyncio.Future[None], fault: OSError | None) -> None:
        if written.done():  # its task was cancelled
            return
        if fault:
            written.set_exception(fault)
        else:
            written.set_result(None)

    def wait_until_writable(descriptor: int) -> None:
        """Return at once: a descriptor always blocks here, so that no write has to be repeated."""

else:

    class PipeReader:
        """Reads a descriptor once it is readable."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor

        async def read(self) -> bytes:
            """Return what has arrived, nothing at the end."""
            import anyio  # here, because a program that reads workbooks imports this package as well

            try:
                await anyio.wait_readable(self._descriptor)
            except PermissionError:
                await anyio.lowlevel.checkpoint()  # a regular file cannot be waited for; it is always readable
            try:
                return os.read(self._descriptor, _CHUNK_BYTES)
            except OSError:  # of a terminal that is gone
                return b""

        def has_hung_up(self) -> bool:
            """Whether the other side has closed the pipe."""
            poll = select.poll()
            poll.register(self._descriptor, getattr(select, "POLLRDHUP", 0))  # a pipe's end is always reported
            return bool(poll.poll(0))

    class PipeWriter:
        """Writes to a descriptor, at most as much at once as a pipe surely takes, so that no write blocks."""

        def __init__(self, descriptor: int, has_hung_up: Callable[[], bool]) -> None:
            self._descriptor = descriptor
            self._has_hung_up = has_hung_up
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)

        async def write(self, text: bytes) -> None:
            """Write all of it. Raises OSError if the host is gone."""
            rest = memoryview(text)
            while rest:
                if self._poll.poll(0):
                    rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
                else:
                    await self._wait()

        async def _wait(self) -> None:
            """Wait for the host to read. If it has closed standard input it will not, and nothing else would notice."""
            import anyio

            with anyio.move_on_after(_HANGUP_INTERVAL_SECONDS) as waiting:
                await anyio.wait_writable(self._descriptor)
            if waiting.cancelled_caught and self._has_hung_up():
                raise BrokenPipeError

    def wait_until_writable(descriptor: int) -> None:
        """Wait, without an event loop, until a write to a non-blocking descriptor takes something."""
        select.select([], [descriptor], [])
