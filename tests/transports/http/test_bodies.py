"""Request bodies are read whole, within limits of size and time, before the app runs."""

import asyncio
import json

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from contacts_mcp.middleware import BODY_SCOPE_KEY, BodyLimitMiddleware
from contacts_mcp.transports.http._errors import json_rpc_error
from support.processes import wait_until
from support.services import serve_app
from transports.http.clients import ask, line_of

LIMIT = 100_000
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


async def measures(scope, receive, send):
    """Reads the body, and answers with its length."""
    body = await Request(scope, receive).body()
    await JSONResponse([len(body), body == scope[BODY_SCOPE_KEY]])(scope, receive, send)


class Noting:
    def __init__(self):
        self.ran = self.left = 0

    async def __call__(self, scope, receive, send):
        self.ran += 1
        assert (await receive())["type"] == "http.request"
        self.left += (await receive())["type"] == "http.disconnect"


def limited(app, **limits):
    return BodyLimitMiddleware(app, json_rpc_error, **limits)


async def send_on(writer):
    while True:
        writer.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        await writer.drain()


async def pieces(*sizes):
    for size in sizes:
        yield b"x" * size


@pytest.mark.parametrize("sizes", [(0,), (1,), (LIMIT,), (1, 2, 3), (LIMIT // 2, LIMIT // 2)])
async def test_body_within_the_limit_is_kept_and_can_be_read_again(sizes):
    answer = await ask(limited(measures, limit_bytes=LIMIT), content=pieces(*sizes))

    assert answer.json() == [sum(sizes), True]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_request_without_a_body_has_an_empty_body(method):
    assert (await ask(limited(measures), method)).json() == [0, True]


async def test_body_declared_too_large_is_refused():
    app = Noting()
    answer = await ask(limited(app, limit_bytes=LIMIT), content=b"x" * (LIMIT + 1))

    assert answer.status_code == 413
    assert line_of(answer) == "too_large: the body has more than 100,000 bytes; send less at once"
    assert answer.headers["Connection"] == "close"
    assert app.ran == 0


async def test_content_length_of_many_digits_is_too_large():
    answer = await ask(
        limited(measures, limit_bytes=LIMIT), headers={"Content-Length": "9" * 10_000}, content=pieces(1)
    )

    assert answer.status_code == 413


@pytest.mark.parametrize("declared", [None, "1", "-1", "many"])
async def test_body_that_exceeds_its_declared_length_is_refused(declared):
    """The bytes are counted, and the declared length is ignored."""
    app = Noting()
    headers = {"Content-Length": declared} if declared else {}
    answer = await ask(limited(app, limit_bytes=LIMIT), headers=headers, content=pieces(LIMIT, 1))

    assert (answer.status_code, app.ran) == (413, 0)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "identity, gzip", "br"])
async def test_compressed_body_is_refused(encoding):
    """A small compressed body could be large."""
    app = Noting()
    answer = await ask(limited(app), headers={"Content-Encoding": encoding}, content=b"x")

    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")
    assert line_of(answer).startswith("unsupported_encoding: ")
    assert app.ran == 0


@pytest.mark.parametrize("encoding", ["identity", " Identity "])
async def test_body_with_identity_encoding_is_accepted(encoding):
    assert (await ask(limited(measures), headers={"Content-Encoding": encoding}, content=b"x")).json() == [1, True]


@pytest.mark.slow
async def test_body_that_does_not_arrive_is_answered_with_408():
    app = Noting()
    async with serve_app(limited(app, timeout_seconds=0.2)) as server:
        reader, writer = await server.connect()
        writer.write(POST + b"Content-Length: 2\r\n\r\nx")
        heard = await asyncio.wait_for(reader.readuntil(b"send it again"), 5)
        assert await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"too_slow: the body did not arrive within 0.2 seconds" in heard
    assert app.ran == 0


async def test_body_that_arrives_byte_by_byte_is_answered_with_408():
    """The timeout is for the whole body; no byte extends it."""
    async with serve_app(limited(Noting(), timeout_seconds=0.3)) as server:
        reader, writer = await server.connect()
        writer.write(POST + b"Content-Length: 1000\r\n\r\n")
        heard = asyncio.create_task(reader.readuntil(b"send it again"))
        while not heard.done():
            writer.write(b"x")
            await asyncio.wait({heard}, timeout=0.05)
        writer.close()

    assert heard.result().startswith(b"HTTP/1.1 408 ")


async def test_app_does_not_run_if_the_client_leaves_before_its_body_is_complete():
    app = Noting()
    async with serve_app(limited(app)) as server:
        _, writer = await server.connect()
        writer.write(POST + b"Content-Length: 1000\r\n\r\nhalf")
        await wait_until(lambda: len(server.server.server_state.tasks) == 1)
        writer.close()
        await wait_until(lambda: server.idle)

    assert app.ran == 0


async def test_app_receives_the_disconnect_of_its_client():
    app = Noting()
    async with serve_app(limited(app)) as server:
        _, writer = await server.connect()
        writer.write(POST + b"Content-Length: 4\r\n\r\nbody")
        await wait_until(lambda: app.ran == 1)
        writer.close()
        await wait_until(lambda: app.left == 1)


async def test_client_that_keeps_sending_gets_413_and_is_disconnected():
    """It can read the answer although it is still sending; then the connection is closed."""
    async with serve_app(limited(Noting(), limit_bytes=LIMIT)) as server:
        reader, writer = await server.connect()
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        heard = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        for _ in range(30):
            writer.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        head = await asyncio.wait_for(heard, 5)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_on(writer), 5)
        await wait_until(lambda: server.idle)

    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head.lower()


async def test_only_a_bounded_part_of_a_refused_body_is_read():
    read, sent = 0, []

    async def receive():
        nonlocal read
        read += 10_000
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": read < LIMIT * 1_000}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/", "headers": []}
    await limited(Noting(), limit_bytes=LIMIT)(scope, receive, send)

    assert sent[0]["status"] == 413
    assert read < LIMIT * 20


async def test_ordinary_client_can_read_why_its_large_body_was_refused():
    """A connection that is closed with unread bytes is reset, and the answer is lost, so the bytes are read."""
    async with serve_app(limited(Noting(), limit_bytes=LIMIT)) as server, httpx.AsyncClient() as http:
        host, port = server.address
        for content in (b"x" * LIMIT * 6, pieces(*[LIMIT] * 6)):
            answer = await http.post(f"http://{host}:{port}/", content=content)

            assert answer.status_code == 413
            assert json.loads(answer.content)["error"]["message"].startswith("too_large: ")
            assert answer.headers["Connection"] == "close"


async def test_streamed_response_is_not_held_back():
    """Each chunk is sent when the app sends it."""
    more = asyncio.Event()

    async def stream(scope, receive, send):
        async def events():
            yield b"data: 1\n\n"
            await more.wait()
            yield b"data: 2\n\n"

        await StreamingResponse(events())(scope, receive, send)

    async with serve_app(limited(stream)) as server:
        reader, writer = await server.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"data: 1\n\n\r\n"), 5)
        more.set()
        await asyncio.wait_for(reader.readuntil(b"data: 2\n\n\r\n"), 5)
        writer.close()
