"""Messages that no client should send, to real processes: the next call is answered, and memory stays bounded."""

import asyncio
import json
import random
import select
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.hosts import MISSING_ID
from support.processes import HttpServer, StdioServer, peak_memory
from support.raw_hosts import initialize_params, modern, notification
from support.texts import MARK
from support.trust_summary import Tried
from transports.http.clients import headers_of

MEGABYTE = 1_000_000
MAX_MEMORY_BYTES = 1_000 * MEGABYTE
"""Each of the values of a message may take 800 bytes while it is read; the rest takes 150 MB."""
MAX_MEMORY_OF_SMALL_BYTES = 300 * MEGABYTE
"""A thousand requests without an answer, or a thousand small messages at once, take some tens of megabytes."""
MAX_UNREAD, OBJECTS_PER_TEXT, MEMORY_OF_THE_REST_BYTES = 1_000, 7, 150 * MEGABYTE
"""A thousand answers wait to be read, as objects, which take seven times as much as their text; what the rest takes."""
MAX_MEMORY_OVER_HTTP_BYTES = 400 * MEGABYTE
"""64 MiB of bodies are held at most, as bytes and as what was read of them; the rest takes 150 MB."""
ROUNDS, SEEDS, A_ROUND = 15, range(4), 50


def call(identifier: Any, **arguments: Any) -> dict[str, Any]:
    return modern(identifier, "tools/call", name="list_contacts", arguments=arguments)


def written(message: Any) -> bytes:
    return json.dumps(message).encode()


PROMPT = {"type": "ref/prompt", "name": "x"}
MESSAGES = [
    *(call("fuzz", search=MARK, tags=["vip"]), modern("fuzz", "no/such/method", x=1)),
    *(modern("fuzz", method) for method in ("tools/list", "server/discover")),
    modern("fuzz", "tools/call", name="create_contact", arguments={"name": MARK, "tags": ["vip"]}),
    modern("fuzz", "tools/call", name="delete_contact", arguments={"contact_id": MISSING_ID}),
    modern("fuzz", "resources/read", uri="contacts://groups/a1b2c3d4-5678-9abc-def0-123456789abc"),
    modern("fuzz", "resources/list", cursor="x"),
    modern("fuzz", "prompts/get", name="add_person", arguments={"who": MARK}),
    modern("fuzz", "completion/complete", ref=PROMPT, argument={"name": "tag", "value": ""}),
    notification("notifications/cancelled", requestId="fuzz", reason=MARK),
    notification("notifications/progress", progressToken=1, progress=0.5),
    {"jsonrpc": "2.0", "id": 7, "result": {}},
    {"jsonrpc": "2.0", "id": 7, "error": {"code": -1, "message": MARK}},
]
LITERALS = [
    *("null", "true", "1.5", "-0", "1e999", "NaN", "-Infinity", "9" * 400, "9" * 5_000, '""', "[]", "{}", "[[]]"),
    *('"\\ud800"', '"\\u0000"', f'"{"x" * 10_000}"', "[" * 500 + "]" * 500, '{"__proto__":{}}', '"\\u202e"', "'x'"),
]


def mutated(chance: random.Random) -> bytes:
    """One of the messages with a fault."""
    message = json.dumps(chance.choice(MESSAGES))
    place, length = chance.randrange(len(message)), chance.randrange(1, 30)
    before, behind = message[:place], message[place:]
    match chance.randrange(6):
        case 0:
            start = chance.choice([found for found, character in enumerate(message) if character == ":"]) + 1
            end = min(found for found in (message.find(mark, start) for mark in ",}]") if found > 0)
            return (message[:start] + chance.choice(LITERALS) + message[end:]).encode()
        case 1:
            return before.encode()
        case 2:
            return before.encode() + chance.randbytes(8).replace(b"\n", b"") + behind.encode()
        case 3:
            return (before + behind[chance.randrange(1, 9) :]).encode()
        case 4:
            return f"[{message},{message}]".encode()
        case _:
            return (before + behind[:length] * 3 + behind).encode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StdioServer]:
    """A server over stdio. At the end it exits by itself and has logged no traceback."""
    with StdioServer(tmp_path) as running:
        running.start_reading()
        yield running
        running.close_input()
        assert running.process.returncode == 0, running.written[-2_000:]
        assert "Traceback" not in running.written
        assert MARK not in running.written


def answers_next(server: StdioServer, identifier: Any) -> bool:
    server.write_line(written(call(identifier)))
    return "contacts" in server.answer(identifier)["result"]["structuredContent"]


@pytest.mark.parametrize("seed", SEEDS)
def test_stdio_server_answers_after_fuzzed_messages(server: StdioServer, seed: int, tried: Tried) -> None:
    chance = random.Random(seed)
    for number in range(ROUNDS):
        lines = [mutated(chance) for _ in range(A_ROUND)]
        server.write_line(b"\n".join(lines))
        assert answers_next(server, f"round {number}"), lines

    assert peak_memory(server.process.pid) < MAX_MEMORY_OF_SMALL_BYTES
    tried("bad inputs tried", ROUNDS * A_ROUND)


def deep(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return written(call("deep", search="HERE")).replace(b'"HERE"', (opening * depth + "1" + closing * depth).encode())


def with_id(literal: str) -> bytes:
    return written(call("HERE")).replace(b'"HERE"', literal.encode())


IDS = ["1.5", "null", "[]", "{}", "true", '""', "-1", str(2**70), "9" * 5_000, '"\\u0000\\u202e"']
IDS += [f'"{"9" * 5_000}"']
ODD: dict[str, list[bytes]] = {
    "ids": [with_id(literal) for literal in IDS],
    "an id of a megabyte": [with_id('"' + "x" * MEGABYTE + '"')],
    "ten megabytes": [written(call("large", search="x" * 10 * MEGABYTE)), b"x" * 10 * MEGABYTE],
    "ten megabytes of trifles": [
        written(call("large", tags=[[]] * 2_500_000)), b"[" + b"{}," * 3_000_000 + b"{}]",
        b"[" + b"{}," * 490_000 + b"{}]",
        written({"x": ["a"] * 990_000}),
    ],
    "nesting": [b"[" * 100_000, deep(100_000), deep(100_000, '{"a":', "}"), deep(190)],
    "bytes that are no UTF-8": [
        b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", written(call("x")).replace(b'"x"', b'"\xf0"'),
    ],
    "byte order marks": [b"\xef\xbb\xbf" + written(call("bom")), json.dumps(call("wide")).encode("utf-16")],
    "frames of other protocols": [
        b"Content-Length: 2\r\n\r\n{}", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
        b"\0" * 1_000, b"\r", b"\r\n\r\n", b"data: {}\n\n", written(call("pretty")).replace(b" ", b"\n"),
    ],
    "the same id again and again": [written(call("same"))] * 50,
    "calls and their ends in turn": [
        line
        for number in range(200)
        for line in (written(call(number)), written(notification("notifications/cancelled", requestId=number)))
    ],
    "cancellations of unknown requests": [
        written(notification("notifications/cancelled", requestId=identifier, reason="x"))
        for identifier in ("gone", -1, None, 1.5, [], {}, True, "9" * 5_000, 2**70)
    ],
    "answers to unknown requests": [written({"jsonrpc": "2.0", "id": number, "result": {}}) for number in range(500)],
    "a flood of notifications": [written(notification("notifications/progress", progressToken=1, progress=1))] * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
def test_stdio_server_answers_after_a_hostile_message(server: StdioServer, what: str, tried: Tried) -> None:
    for line in ODD[what]:
        server.write_line(line)

    assert answers_next(server, "after")
    assert peak_memory(server.process.pid) < MAX_MEMORY_BYTES
    tried("bad inputs tried", len(ODD[what]))


def test_endless_line_is_refused_and_logged(server: StdioServer, tried: Tried) -> None:
    """The next line is read."""
    assert server.process.stdin
    for _ in range(40):
        server.process.stdin.write(b"x" * MEGABYTE)
    server.write_line(b"\n" + written(call("first")))

    assert "contacts" in server.answer("first")["result"]["structuredContent"]
    assert answers_next(server, "after")
    assert "the message has more than 16 MiB" in server.written
    assert peak_memory(server.process.pid) < MAX_MEMORY_BYTES
    tried("bad inputs tried", 1)


@pytest.mark.parametrize(
    "half", [b'{"jsonrpc": "2.0", "id": 1, "meth', written(call("last"))[:-1], b"\xf0\x9f", b"x" * MEGABYTE]
)
def test_input_that_ends_inside_a_message_ends_the_server(server: StdioServer, half: bytes, tried: Tried) -> None:
    """The exit code is 0 and there is no traceback; the fixture checks it."""
    assert answers_next(server, "before")
    assert server.process.stdin
    server.process.stdin.write(half)

    assert server.close_input()[1] < 5
    tried("bad inputs tried", 1)


UNREAD, PENDING = 2_000, 100_000


def test_server_stops_reading_from_a_host_that_does_not_read(tmp_path: Path, tried: Tried) -> None:
    """Memory stays bounded. Once the host reads, each request gets one answer."""
    requests = iter([written(modern(number, "tools/list")) + b"\n" for number in range(UNREAD)])
    with StdioServer(tmp_path) as server:
        server.write_line(written(modern("first", "tools/list")))
        size = len(server.read_line())
        assert server.process.stdin
        takes = select.poll()
        takes.register(server.process.stdin, select.POLLOUT)
        for request in requests:
            if not takes.poll(3_000):
                rest = b"".join([request, *requests])
                break
            server.process.stdin.write(request)
            server.process.stdin.flush()
        else:
            pytest.fail("all of it was read")

        server.start_reading()
        server.write_line(rest)
        answered = [server.next_answer()["id"] for _ in range(UNREAD)]

        assert sorted(answered) == list(range(UNREAD))
        assert answers_next(server, "after")
        assert peak_memory(server.process.pid) < MEMORY_OF_THE_REST_BYTES + MAX_UNREAD * OBJECTS_PER_TEXT * size
        assert "Traceback" not in server.written
    tried("bad inputs tried", UNREAD)


INITIALIZE = initialize_params({"elicitation": {}})


def legacy(identifier: str, method: str, **params: Any) -> bytes:
    return written({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})


def test_at_most_a_thousand_calls_wait_for_a_person(server: StdioServer, tried: Tried) -> None:
    """The other calls are refused at once. After the host cancels the waiting calls, its next call is answered."""
    server.write_line(legacy("initialize", "initialize", **INITIALIZE))
    server.answer("initialize")
    server.write_line(written(notification("notifications/initialized")))
    server.write_line(legacy("new", "tools/call", name="create_contact", arguments={"name": "Ola"}))
    arguments = {"contact_id": server.answer("new")["result"]["structuredContent"]["id"]}
    call_of = partial(legacy, method="tools/call", name="delete_contact", arguments=arguments)

    server.write_line(b"\n".join(call_of(f"call {number}") for number in range(PENDING)))
    asked, refused = 0, set[str]()
    while not asked or len(refused) < PENDING - 1_000:
        heard = server.next_answer()
        if heard.get("method") == "elicitation/create":
            asked += 1
        elif "error" in heard:
            refused.add(heard["id"])

    assert asked <= 1_000  # the same calls wait for the same form
    for number in range(PENDING):
        if f"call {number}" not in refused:
            server.write_line(written(notification("notifications/cancelled", requestId=f"call {number}")))
    server.write_line(legacy("after", "tools/call", name="list_contacts", arguments={}))
    assert server.answer("after")["result"]["structuredContent"]["total"] == 1
    assert peak_memory(server.process.pid) < MAX_MEMORY_OF_SMALL_BYTES
    tried("bad inputs tried", PENDING)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A server over HTTP. At the end its memory is small and its log has no traceback."""
    with HttpServer(tmp_path_factory.mktemp("wire"), CONTACTS_MCP_RATE="0") as running:
        yield running
        assert peak_memory(running.process.pid) < MAX_MEMORY_OVER_HTTP_BYTES
        assert "Traceback" not in running.written
        assert MARK not in running.written


async def is_well(http: httpx.AsyncClient) -> bool:
    response = await http.post("/mcp", json=call(1), headers=headers_of("tools/call", "list_contacts"))
    return "contacts" in response.json()["result"]["structuredContent"]


def client_of(network: HttpServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=network.url, timeout=30)


@pytest.mark.parametrize("seed", SEEDS)
async def test_http_server_answers_after_fuzzed_bodies(network: HttpServer, seed: int, tried: Tried) -> None:
    """No body causes an internal error."""
    chance = random.Random(seed)
    tools = [None, "list_contacts", "create_contact", MARK]
    async with client_of(network) as http:
        for _ in range(ROUNDS // 3):
            bodies = [mutated(chance) for _ in range(A_ROUND)]
            posts = (
                post(http, body, chance.choice(MESSAGES).get("method", "x"), chance.choice(tools)) for body in bodies
            )
            for body, answer in zip(bodies, await asyncio.gather(*posts), strict=True):
                assert answer.status_code < 500, body
                assert "internal" not in answer.text, body
            assert await is_well(http)

    tried("bad inputs tried", ROUNDS // 3 * A_ROUND)


async def post(http: httpx.AsyncClient, body: bytes, method: str, tool: str | None) -> httpx.Response:
    headers = {**headers_of(method, tool), "Content-Type": "application/json"}
    return await http.post("/mcp", content=body, headers=headers)


@pytest.mark.parametrize("what", ODD)
async def test_http_server_answers_after_a_hostile_body(network: HttpServer, what: str, tried: Tried) -> None:
    async with client_of(network) as http:
        for body in ODD[what][:200]:
            assert (await post(http, body, "tools/call", "list_contacts")).status_code < 500, body[:100]
        assert await is_well(http)

    tried("bad inputs tried", len(ODD[what][:200]))


POST = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
FRAMES = [
    POST + b"Content-Length: -1\r\n\r\n{}",
    POST + b"Content-Length: 5\r\nContent-Length: 2\r\n\r\n{}",
    POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{}\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    POST + b"Content-Length: 2, 2\r\n\r\n{}",
    POST + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
    POST + b"X: y\r\n" * 20_000 + b"\r\n",
    POST + b"X: a\0b\r\n\r\n",
    POST + b"X: a\r\n b\r\n\r\n",
    b"POST /mcp HTTP/9.9\r\nHost: x\r\n\r\n",
    b"POST /mcp\r\n\r\n",
    b"POST " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /mcp%00/../..//etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"\r\n" * 1_000,
    b"\0" * 70_000,
    b"{}",
]


async def answer_to(frame: bytes, port: int) -> bytes:
    """The server's complete response; empty if it closes the connection, perhaps before all was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(frame)
        writer.write_eof()
        return await reader.read(MEGABYTE)
    except OSError:
        return b""
    finally:
        writer.close()


async def test_broken_http_frames_affect_only_their_connection(network: HttpServer, tried: Tried) -> None:
    """The server answers with an error or closes the connection."""
    async with client_of(network) as http:
        for frame in FRAMES:
            heard = await asyncio.wait_for(answer_to(frame, network.port), 30)
            assert b"HTTP/1.1 2" not in heard, frame[:200]
            assert b"HTTP/1.1 5" not in heard, frame[:200]
        assert await is_well(http)

    tried("bad inputs tried", len(FRAMES))


async def test_half_sent_bodies_do_not_block_other_callers(network: HttpServer, tried: Tried) -> None:
    """Two hundred connections stop in the middle of a body and close; one caller may have 256 such requests."""
    halves = [await asyncio.open_connection("127.0.0.1", network.port) for _ in range(200)]
    for _, writer in halves:
        writer.write(POST + b'Content-Length: 1000\r\n\r\n{"jsonrpc": "2.0"')
    async with client_of(network) as http:
        assert await is_well(http)
        for _, writer in halves:
            writer.transport.abort()
        assert await is_well(http)

    tried("bad inputs tried", len(halves))
