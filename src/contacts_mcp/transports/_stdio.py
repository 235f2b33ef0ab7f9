"""Serve one host over standard input and output, which carry only JSON-RPC.

The SDK's transport reads and writes in threads. A signal cannot wake a thread from its read, a thread may hang in its
write when the host has stopped reading, and each answer costs two thread switches. Here the event loop waits for the
file descriptors instead, except on Windows, where threads that the process does not wait for read and write.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import anyio
import anyio.to_thread
from anyio import CancelScope
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage

from contacts_mcp.operating_system import STOP_SIGNALS, PipeReader, PipeWriter, handle_hangup_in_loop
from contacts_mcp.quick_start import AnswerRecorder, Handover
from contacts_mcp.transports._eras import serve_connection
from contacts_mcp.transports._messages import MalformedMessage, parse_message, too_large
from contacts_mcp.transports._streams import Read, Write, answer_unserved

_EXIT_TIMEOUT_SECONDS = 0.8
"""Time for an orderly end; after it the process is ended."""
_SAVE_DELAY_SECONDS = 1.0
"""Hosts ask for several lists one after another."""
_CHUNK_BYTES = 65_536
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A line without an end would take all memory."""
_MAX_SIZE = f"{_MAX_MESSAGE_BYTES // 1024**2} MiB"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


async def serve_stdio(
    server: Server[Any], on_hangup: Callable[[], None] | None = None, recorder: AnswerRecorder | None = None
) -> None:
    """Serve until standard input ends, or SIGINT or SIGTERM arrives; either ends the process within a second.

    SIGHUP only calls `on_hangup`: if the terminal or the host has gone, standard input ends as well. `recorder` has
    what was answered before, and keeps answers for the next start.
    """
    if on_hangup:
        handle_hangup_in_loop(on_hangup)
    async with anyio.create_task_group() as tasks:
        with _stop_on_signal(tasks.cancel_scope):
            before = recorder.take_over() if recorder else Handover()  # it writes to standard output until then
            with _claim_stdout() as wire:
                await _serve_pipes(server, _Pipes(0, wire, before, recorder), tasks.cancel_scope)
        tasks.cancel_scope.cancel()


@contextmanager
def _stop_on_signal(scope: CancelScope) -> Iterator[None]:
    """Cancel the scope on SIGINT or SIGTERM. The handlers run even if the event loop does not get on."""
    loop = asyncio.get_running_loop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        _exit_after_timeout()
        loop.call_soon_threadsafe(scope.cancel)

    previous = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _exit_after_timeout() -> None:
    """End the process soon, even if a backend waits for another process: it must not outlive its host."""
    timer = threading.Timer(_EXIT_TIMEOUT_SECONDS, os._exit, (1,))
    timer.daemon = True
    timer.start()


@contextmanager
def _claim_stdout() -> Iterator[int]:
    """Yield a file descriptor for standard output; inside the block all other output goes to standard error."""
    wire = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):  # which does not block, as the file descriptor may
            yield wire
    finally:
        os.dup2(wire, 1)
        os.close(wire)


@dataclass(frozen=True, slots=True)
class _Pipes:
    """The descriptors of the host's messages and of ours, and what was read and answered before."""

    source: int
    sink: int
    before: Handover = field(default_factory=Handover)
    recorder: AnswerRecorder | None = None


async def _serve_pipes(server: Server[Any], pipes: _Pipes, scope: CancelScope) -> None:
    async with server.lifespan(server) as state, _open_streams(pipes, scope) as (read, write):
        await serve_connection(server, *answer_unserved(read, write), lifespan_state=state)


@asynccontextmanager
async def _open_streams(pipes: _Pipes, scope: CancelScope) -> AsyncIterator[tuple[Read, Write]]:
    """Yield the host's messages, and a stream for ours; `scope` is cancelled when the host no longer accepts output."""
    received, incoming = anyio.create_memory_object_stream[SessionMessage | Exception]()
    sent, outgoing = anyio.create_memory_object_stream[SessionMessage]()
    reader = PipeReader(pipes.source)
    writer = PipeWriter(pipes.sink, reader.has_hung_up)
    async with _save_answers(pipes.recorder), anyio.create_task_group() as tasks:
        tasks.start_soon(_read_messages, received, reader, pipes)
        tasks.start_soon(_write_messages, outgoing, writer, pipes, scope)
        yield incoming, sent


@asynccontextmanager
async def _save_answers(recorder: AnswerRecorder | None) -> AsyncIterator[None]:
    """Keep recorded answers for the next start at the end of the block, and before, as a host may kill the process."""
    if recorder is None:
        yield
        return

    async def save() -> None:
        while True:
            await recorder.wait_for_change()
            await anyio.sleep(_SAVE_DELAY_SECONDS)
            await anyio.to_thread.run_sync(recorder.save, abandon_on_cancel=True)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(save)
            yield
            tasks.cancel_scope.cancel()
    finally:
        recorder.save()


async def _read_messages(
    received: MemoryObjectSendStream[SessionMessage | Exception], reader: PipeReader, pipes: _Pipes
) -> None:
    """Read standard input to its end, then end the process soon."""
    async with received:
        for line, result in pipes.before.lines:
            if found := _finish_line(b"", bytearray(line)):
                await received.send(_to_item(found, pipes.recorder, result))
        async for found in _read_lines(reader, pipes.before.rest):
            await received.send(_to_item(found, pipes.recorder))
        _exit_after_timeout()


def _to_item(
    line: bytes | MalformedMessage, recorder: AnswerRecorder | None, result: str | None = None
) -> SessionMessage | Exception:
    """Return the message of a line; with another id if it was answered before with this result."""
    if isinstance(line, MalformedMessage):
        if recorder:
            recorder.stop()
        return line
    id_ = recorder.note_message(line, result) if recorder else None
    try:
        message = parse_message(line)
    except MalformedMessage as malformed:
        return malformed
    return SessionMessage(message if id_ is None else message.model_copy(update={"id": id_}))


async def _read_lines(reader: PipeReader, rest: bytearray) -> AsyncIterator[bytes | MalformedMessage]:
    """Yield the lines that are not blank, and an error for each that is too large; `rest` was read before."""
    head = b""
    while chunk := await reader.read():
        rest += chunk
        *lines, rest = rest.split(b"\n") if b"\n" in chunk else [rest]
        for line in lines:
            if found := _finish_line(head, line):
                yield found
            head = b""
        if len(rest) > _MAX_MESSAGE_BYTES or head:  # from now on, only its start and its end are kept
            head = head or bytes(rest[:_CHUNK_BYTES])
            del rest[:-_CHUNK_BYTES]
    if found := _finish_line(head, rest):
        yield found


def _finish_line(head: bytes, line: bytearray) -> bytes | MalformedMessage | None:
    if head:
        return too_large(_MAX_SIZE, head, bytes(line))
    return None if not line or line.isspace() else bytes(line.removeprefix(_BYTE_ORDER_MARK))


async def _write_messages(
    outgoing: MemoryObjectReceiveStream[SessionMessage], writer: PipeWriter, pipes: _Pipes, scope: CancelScope
) -> None:
    """Write messages, each of them whole, also if the task that sent it is cancelled."""
    try:
        async with outgoing:
            await writer.write(bytes(pipes.before.unsent))
            async for item in outgoing:
                # The id of an error may be a fraction, of which pydantic would warn.
                text = item.message.model_dump_json(by_alias=True, exclude_unset=True, warnings=False)
                if pipes.recorder and pipes.recorder.note_answer(getattr(item.message, "id", None), text):
                    continue  # the host has had it
                await writer.write(text.encode() + b"\n")
    except OSError:  # the host is gone, even if its side of standard input is still open
        _exit_after_timeout()
        scope.cancel()
