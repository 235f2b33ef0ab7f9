"""Connections that never complete a request or never end, over real sockets."""

import asyncio
import re
import socket

import pytest
import uvicorn
from starlette.responses import PlainTextResponse, StreamingResponse

from contacts_mcp.http_protocol import LimitedProtocol
from support.processes import wait_until
from support.services import GET, serve_app, stays_silent

SHORT = 0.3


def with_timeouts(**seconds):
    return type("Protocol", (LimitedProtocol,), seconds)


hello = PlainTextResponse("hello")


async def endless(scope, receive, send):
    """Sends for as long as the client is connected."""

    async def chunks():
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)  # nothing waits in uvicorn's send once the peer is gone

    await StreamingResponse(chunks())(scope, receive, send)


async def answer_of(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = re.search(rb"content-length: (\d+)", head)
    return head, await reader.readexactly(int(length[1]))


async def test_request_head_that_arrives_byte_by_byte_is_cut_off():
    async with serve_app(hello, http=with_timeouts(head_seconds=SHORT)) as server:
        reader, writer = await server.connect()
        writer.write(b"GET / HTTP/1.1\r\n")
        heard = asyncio.create_task(reader.readuntil(b"send it at once"))
        while not heard.done():
            writer.write(b"X-Drop: x\r\n")
            await asyncio.wait({heard}, timeout=SHORT / 6)

        assert heard.result().startswith(b"HTTP/1.1 408 ")
        assert b"too_slow: " in heard.result()
        await wait_until(lambda: server.idle)
        writer.close()


async def test_silent_connection_is_closed():
    async with serve_app(hello, http=with_timeouts(head_seconds=SHORT)) as server:
        reader, writer = await server.connect()

        assert await asyncio.wait_for(reader.read(), 5) == b""
        await wait_until(lambda: server.idle)
        writer.close()


async def test_second_request_head_has_the_same_timeout():
    async with serve_app(hello, http=with_timeouts(head_seconds=SHORT)) as server:
        reader, writer = await server.connect()
        writer.write(GET)
        await answer_of(reader)
        writer.write(GET[:-4])

        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_endless_request_head_is_refused():
    async with serve_app(hello, http=LimitedProtocol) as server:
        reader, writer = await server.connect()
        writer.write(b"GET / HTTP/1.1\r\n" + b"X-Filler: 0123456789\r\n" * 5_000)

        assert re.match(rb"HTTP/1.1 431 ", await asyncio.wait_for(reader.read(100), 5))
        await wait_until(lambda: server.idle)
        writer.close()


@pytest.mark.slow
async def test_idle_keep_alive_connection_outlives_the_head_timeout():
    async with serve_app(hello, http=with_timeouts(head_seconds=SHORT, stalled_seconds=SHORT)) as server:
        reader, writer = await server.connect()
        for _ in range(3):
            writer.write(GET)
            head, body = await answer_of(reader)
            assert (head[:12], body) == (b"HTTP/1.1 200", b"hello")
            assert await stays_silent(reader, SHORT * 2)
        writer.close()


async def test_slow_body_outlives_the_head_timeout():
    """The timeout is only for the head; bodies have their own."""
    bodies = []

    async def listen(scope, receive, send):
        while (message := await receive())["more_body"]:
            bodies.append(message["body"])
        await hello(scope, receive, send)

    async with serve_app(listen, http=with_timeouts(head_seconds=SHORT)) as server:
        reader, writer = await server.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1")
        assert await stays_silent(reader, SHORT * 2)
        writer.write(b"2")

        assert (await answer_of(reader))[0].startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.slow
async def test_idle_stream_outlives_the_stall_timeout():
    event = asyncio.Event()

    async def stream(scope, receive, send):
        async def events():
            yield b": ping\n\n"
            await event.wait()
            yield b"data: late\n\n"

        await StreamingResponse(events())(scope, receive, send)

    async with serve_app(stream, http=with_timeouts(head_seconds=SHORT, stalled_seconds=SHORT)) as server:
        reader, writer = await server.connect()
        writer.write(GET)
        await asyncio.wait_for(reader.readuntil(b": ping\n\n\r\n"), 5)
        assert await stays_silent(reader, SHORT * 3)
        event.set()

        assert b"data: late" in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
        writer.close()


@pytest.mark.parametrize("family", ["unix", "tcp"])
async def test_peer_that_stops_reading_is_aborted_and_its_request_ends(family, tmp_path):
    path = tmp_path / "wire" if family == "unix" else None
    async with serve_app(endless, path, http=with_timeouts(stalled_seconds=SHORT)) as server:
        with await server.dial() as wire:
            await asyncio.get_running_loop().sock_sendall(wire, GET)
            await wait_until(lambda: len(server.server.server_state.tasks) == 1)

            await wait_until(lambda: server.idle)


async def test_peer_that_stops_reading_cannot_hold_the_rest_of_a_response(tmp_path):
    """Neither while the request runs nor after it, while the connection waits for its last bytes to be sent."""

    async def fills(scope, receive, send):
        (connection,) = server.server.server_state.connections

        async def chunks():
            while not connection.transport.get_write_buffer_size():
                yield b"x" * 10_000

        await StreamingResponse(chunks(), headers={"Connection": "close"})(scope, receive, send)

    async with serve_app(fills, tmp_path / "wire", http=with_timeouts(stalled_seconds=SHORT)) as server:
        with await server.dial() as wire:
            await asyncio.get_running_loop().sock_sendall(wire, GET)
            await wait_until(lambda: len(server.server.server_state.tasks) == 1)

            await wait_until(lambda: server.idle)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such time")
async def test_vanished_peer_is_aborted_after_the_kernel_buffered_the_response():
    """Nothing is left to write, and nothing is acknowledged."""

    async def stream(scope, receive, send):
        async def events():
            yield b"x" * 50_000
            await asyncio.Event().wait()

        await StreamingResponse(events())(scope, receive, send)

    async with serve_app(stream, http=with_timeouts(stalled_seconds=SHORT)) as server:
        with await server.dial(receive_buffer=2048) as wire:
            await asyncio.get_running_loop().sock_sendall(wire, GET)
            await wait_until(lambda: len(server.server.server_state.tasks) == 1)

            await wait_until(lambda: server.idle)


@pytest.mark.slow
async def test_slow_but_steady_reader_gets_everything(tmp_path):
    large = PlainTextResponse(b"x" * 8_000_000)
    async with serve_app(large, tmp_path / "wire", http=with_timeouts(stalled_seconds=1)) as server:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with await server.dial() as wire:
            await loop.sock_sendall(wire, GET)
            for share in (5_000_000, 2_000_000, 700_000, 300_000):
                await read(wire, share)
                await asyncio.sleep(0.5)  # being slow is what is tested
            (connection,) = server.server.server_state.connections

            assert loop.time() - began > 1.5
            assert connection._stall_timer.cancelled()


async def read(wire, count):
    while count > 0:
        chunk = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(wire, count), 5)
        assert chunk, "the connection was closed"
        count -= len(chunk)


async def test_rest_of_a_refused_body_does_not_count_as_a_request_head():
    async with serve_app(hello, http=LimitedProtocol) as server:
        reader, writer = await server.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n")
        await answer_of(reader)
        writer.write(b"x" * 200_000 + GET)

        assert (await answer_of(reader))[0].startswith(b"HTTP/1.1 200")
        writer.close()


def test_uvicorn_loads_the_protocol_by_its_name():
    """`uvicorn --workers` needs it by name."""
    config = uvicorn.Config(hello, http=f"{LimitedProtocol.__module__}:LimitedProtocol", log_config=None)
    config.load()

    assert config.http_protocol_class is LimitedProtocol
