"""How much one connection may send before its request is served, and how many connections may wait, over sockets."""

import asyncio
import re

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from contacts_mcp.http_protocol import MAX_HEAD_BYTES, MAX_HEADERS, LimitedProtocol
from support.processes import wait_until
from support.services import GET, serve_app, stays_silent

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
MANY = MAX_HEADERS + 1
FIELD = b"a: 1\r\n"

hello = PlainTextResponse("hello")


async def counts(scope, receive, send):
    """Answers with the number of headers, and with the length of the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(scope['headers'])} {len(body)};")(scope, receive, send)


def serve(app, **limits):
    return serve_app(app, http=LimitedProtocol, **limits)


async def exchange(server, request, end=rb"connection: close|;$"):
    """Send everything at once; return what comes back until `end`, or until the connection is closed."""
    reader, writer = await server.connect()
    writer.write(request)
    heard = b""
    try:
        async with asyncio.timeout(5):
            while not re.search(end, heard):
                if not (more := await reader.read(65_536)):
                    break
                heard += more
    finally:
        writer.close()
    return heard


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + FIELD * (MAX_HEADERS - 1) + b"\r\n",
        HEAD + b"X: " + b"x" * (MAX_HEAD_BYTES - len(HEAD) - 7) + b"\r\n\r\n",
        HEAD + b"X: a\r\n" + b" b\r\n" * (MAX_HEADERS - 2) + b"\r\n",
        b"GET /?" + b"x" * 30_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["100 headers", "32 KiB", "folded header", "long address"],
)
async def test_request_head_within_the_limits_is_served(request_):
    async with serve(counts) as server:
        assert (await exchange(server, request_)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + FIELD * MAX_HEADERS + b"\r\n",
        HEAD.replace(b"\r", b"") + b"a:1\n" * MAX_HEADERS + b"\n",
        HEAD + b"a:\r\n" * 9_000 + b"\r\n",
        HEAD + b"a:\r\n" * 9_000,
        HEAD + b"X: a\r\n" + b" b\r\n" * MAX_HEADERS + b"\r\n",
        HEAD + b"X: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET /?" + b"x" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"x" * MAX_HEAD_BYTES,
        CHUNKED + b"1\r\nx\r\n0\r\n\r\n" + HEAD + FIELD * MAX_HEADERS + b"\r\n",
        CHUNKED + b"1\r\nx\r\n0\r\n" + FIELD * 3_000 + b"\r\n",
        CHUNKED + b"1;a=" + b"x" * 9_000 + b"\r\nx\r\n0\r\n\r\n",
    ],
    ids=[
        *("101 headers", "line feeds only", "9,000 headers", "9,000 headers without an end", "folded header"),
        *("long header", "long address", "no line at all", "second request", "trailers", "chunk extension"),
    ],
)
async def test_request_head_above_a_limit_is_refused_although_it_is_complete(request_):
    async with serve(counts) as server:
        heard = await exchange(server, request_, rb"too_large: ")

        assert b"HTTP/1.1 431 " in heard
        assert b"too_large: " in heard
        await wait_until(lambda: server.idle)


@pytest.mark.slow
async def test_body_of_too_many_chunks_is_refused():
    async with serve(counts) as server:
        heard = await exchange(server, CHUNKED + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n")

        assert heard.startswith(b"HTTP/1.1 413 ")
        assert b"send fewer and larger chunks" in heard
        await wait_until(lambda: server.idle)


async def test_other_request_is_served_while_tiny_chunks_are_parsed():
    """The parser works on a small part of a connection's data at a time."""
    bodies = []

    async def notes(scope, receive, send):
        while scope["method"] == "POST":
            message = await receive()
            bodies.append(message["body"])
            if not message["more_body"]:
                break
        await hello(scope, receive, send)

    async with serve(notes) as server:
        (reader, writer), (_, flooding) = await server.connect(), await server.connect()
        flooding.write(CHUNKED + b"1\r\nx\r\n" * 10_000)
        await wait_until(lambda: bodies)
        writer.write(GET)
        await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        parsed = sum(map(len, bodies))
        await wait_until(lambda: sum(map(len, bodies)) == 10_000)
        writer.close()
        flooding.close()

    assert parsed < 9_000


async def test_many_requests_sent_at_once_are_answered_one_by_one():
    count = 400
    requests = b"".join(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc" for _ in range(count))
    async with serve(counts) as server:
        reader, writer = await server.connect()
        writer.write(requests)
        heard = b""
        async with asyncio.timeout(20):
            while heard.count(b"2 3;") < count:
                heard += await reader.read(65_536)
        (connection,) = server.server.server_state.connections

        assert heard.count(b"HTTP/1.1 200 ") == count
        assert not connection._unparsed
        writer.close()


async def test_requests_sent_at_once_are_read_no_faster_than_they_are_answered():
    release = asyncio.Event()

    async def waits(scope, receive, send):
        await release.wait()
        await hello(scope, receive, send)

    async with serve(waits) as server:
        _, writer = await server.connect()
        writer.write(GET * 200_000)
        await wait_until(lambda: len(server.server.server_state.tasks) == 1)
        assert await stays_unread(writer)
        (connection,) = server.server.server_state.connections

        assert len(connection._unparsed) < 600_000
        writer.transport.abort()
        release.set()
        await wait_until(lambda: server.idle)


async def stays_unread(writer):
    """Whether the peer takes no more of what was written."""
    before = -1
    while (now := writer.transport.get_write_buffer_size()) != before:
        before = now
        await asyncio.wait([asyncio.create_task(asyncio.sleep(0.05))])
    return now > 0


async def test_body_that_is_sent_at_once_arrives_whole():
    async with serve(counts) as server:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n"

        assert (await exchange(server, head + b"x" * 3_000_000)).endswith(b"2 3000000;")


@pytest.mark.parametrize(
    "unfinished", [b"", HEAD, CHUNKED, CHUNKED + b"1\r\nx\r\n"], ids=["nothing", "head", "no body", "half a body"]
)
async def test_new_connection_replaces_the_one_that_has_waited_longest(unfinished):
    async with serve(counts, limit_concurrency=4) as server:
        held = []
        for number in range(1, 4):
            held.append(await server.connect())
            held[-1][1].write(unfinished)
            await wait_until(lambda number=number: len(server.server.server_state.connections) == number)
        assert b"200 OK" in await exchange(server, GET[:-2] + b"Connection: close\r\n\r\n")
        gone = await asyncio.wait_for(held[0][0].read(), 5)

        assert gone == b"" if not unfinished else gone.startswith(b"HTTP/1.1 503 ")
        assert await stays_silent(held[2][0], 0.05)
        for _, writer in held:
            writer.close()


async def test_requests_whose_connections_made_room_do_not_count_against_others():
    """Those requests may still run: a service checks the key of each."""
    release = asyncio.Event()

    async def checks(scope, receive, send):
        if scope["method"] == "POST":
            await release.wait()
        await hello(scope, receive, send)

    async with serve(checks, limit_concurrency=4) as server:
        held = []
        for number in range(1, 6):
            held.append(await server.connect())
            held[-1][1].write(CHUNKED)
            await wait_until(lambda number=number: len(server.server.server_state.tasks) == number)

        assert b"200 OK" in await exchange(server, GET[:-2] + b"Connection: close\r\n\r\n")
        release.set()
        for _, writer in held:
            writer.close()


async def test_running_request_is_not_replaced():
    release = asyncio.Event()

    async def waits(scope, receive, send):
        await release.wait()
        await hello(scope, receive, send)

    async with serve(waits, limit_concurrency=3) as server:
        held = [await server.connect() for _ in range(2)]
        for _, writer in held:
            writer.write(GET)
        await wait_until(lambda: len(server.server.server_state.tasks) == 2)
        assert b" 503 " in await exchange(server, GET)
        release.set()

        for reader, writer in held:
            assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"hello"), 5)
            writer.close()
