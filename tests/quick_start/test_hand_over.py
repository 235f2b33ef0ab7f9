"""A host gets the same answers, byte by byte, whichever of its messages were answered before the server was ready."""

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from mcp.server.lowlevel import Server
from mcp_types import PROTOCOL_VERSION_META_KEY

from contacts_mcp.quick_start import AnswerRecorder, Handover
from contacts_mcp.quick_start._begin import Begun
from contacts_mcp.quick_start._conversation import _VERSION
from contacts_mcp.quick_start._front import Front
from contacts_mcp.quick_start._snapshot import Snapshot
from contacts_mcp.transports import _stdio
from support.hosts import server_over
from support.processes import block_until
from support.raw_hosts import initialize_params, modern, notification

Message = dict[str, Any]
PANEL = {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}


def legacy(id_: Any, method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


def with_meta(message: Message, **meta: Any) -> Message:
    """The request with these members in `_meta` as well."""
    params = message["params"]
    return {**message, "params": {**params, "_meta": {**params.get("_meta", {}), **meta}}}


INITIALIZE = legacy(0, "initialize", **initialize_params({}))
INITIALIZED = notification("notifications/initialized")
CALL = {"name": "no_such_tool", "arguments": {}}
LEGACY = [
    INITIALIZE,
    INITIALIZED,
    legacy(1, "tools/list"),
    legacy("two", "prompts/list"),
    legacy(3, "tools/call", **CALL),
    legacy(4, "ping"),
]
MODERN = [
    modern(0, "server/discover"),
    modern(1, "tools/list"),
    modern("two", "resources/templates/list"),
    modern(3, "tools/call", **CALL),
    notification("notifications/cancelled", requestId=99),
]
END = json.dumps(legacy("end", "no/such")).encode()
"""The last request: all before it are answered by then."""
ODD = [
    b"\xef\xbb\xbf" + json.dumps(modern(10, "tools/list")).encode(),
    b'{"jsonrpc":"2.0","id":11,"method":"tools/list","params":{},"params":{}}',
    b"[]",
    b"{",
    b"\xff",
    b" \r",
    b'{"jsonrpc":"2.0","id":12,"method":"tools/list","params":{"cursor":"x"}}',
    b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":-1,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":"\\u00e9","method":"ping"}',
    b'{"jsonrpc":"2.0","id":13,"method":"ping","params":{"x":NaN}}',
    b'{"jsonrpc":"2.0","id":14,"method":"tools/list","params":[]}',
    b'{"jsonrpc":"2.0","id":15,"method":"ping","params":null}',
    b'{"jsonrpc":"2.0","id":16,"method":"ping","other":1}',
    b'{"jsonrpc":"2.0","id":17,"result":{}}',
    json.dumps(modern(18, "tools/list", PANEL)).encode(),
    json.dumps(legacy(19, "initialize", **{**initialize_params({}), "protocolVersion": "2024-11-05"})).encode(),
    json.dumps(legacy(20, "tools/list", cursor="x")).encode(),
    json.dumps(modern(21, "tools/list", cursor="x")).encode(),
    json.dumps(modern(1, "prompts/list")).encode(),  # an id that was used before
    json.dumps(with_meta(legacy(22, "tools/list"), progressToken=[1])).encode(),
    json.dumps(with_meta(legacy(23, "tools/list"), progressToken=1.5, traceparent=None)).encode(),
    json.dumps(with_meta(modern(24, "tools/list"), progressToken={})).encode(),
]


@pytest.fixture(scope="module")
def server() -> Server[Any]:
    return server_over()


@pytest.fixture(autouse=True)
def _stays_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of input would end the process of the tests."""
    monkeypatch.setattr(_stdio, "_exit_after_timeout", lambda: None)


@contextmanager
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """Yield the server's source, the host's end of it, the host's end of the server's sink, and the sink."""
    source, to_server = os.pipe()
    from_server, sink = os.pipe()
    open_ones = {source, to_server, from_server, sink}
    try:
        yield source, to_server, from_server, sink
    finally:
        for each in open_ones:
            try:
                os.close(each)
            except OSError:
                continue


def to_lines(messages: Sequence[Message | bytes]) -> list[bytes]:
    return [each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages]


async def exchange(
    server: Server[Any], lines: Sequence[bytes], snapshot: Snapshot | None = None, before: int = 0
) -> tuple[list[bytes], Begun]:
    """The answers to these lines, of which `before` were read before the server was ready, if there is a snapshot."""
    with pipes() as (source, to_server, from_server, sink):
        heard: list[bytes] = []
        if snapshot:
            snapshot = Snapshot(snapshot.key, dict(snapshot.results))  # it corrects itself
        front = Front(snapshot.results, source, sink) if snapshot else None
        begun = Begun(snapshot or Snapshot("key"), front)
        os.write(to_server, b"".join(line + b"\n" for line in lines[:before]))
        if front:
            block_until(lambda: len(front._handover.lines) >= before)
        recorder = AnswerRecorder(begun, [], lambda _: True)
        handed = recorder.take_over() if front else Handover()
        os.write(to_server, b"".join(line + b"\n" for line in [*lines[before if front else 0 :], END]))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_all, from_server, to_server, heard)
            await _stdio._serve_pipes(server, _stdio._Pipes(source, sink, handed, recorder), tasks.cancel_scope)
    return b"".join(heard).splitlines(), begun


async def read_all(from_server: int, to_server: int, heard: list[bytes]) -> None:
    """Read until the last request is answered; then end the server's input."""
    with anyio.fail_after(10):
        while not heard or b'"id":"end"' not in b"".join(heard[-2:]):
            await anyio.wait_readable(from_server)
            heard.append(os.read(from_server, 1_000_000))
    os.close(to_server)


@pytest.fixture
async def snapshot(server: Server[Any]) -> Snapshot:
    """What two starts have recorded, one of each era."""
    _, begun = await exchange(server, to_lines(LEGACY))
    begun.front = None
    found = Snapshot("key", dict(begun.snapshot.results))
    _, begun = await exchange(server, to_lines(MODERN[:3]))
    found.results.update(begun.snapshot.results)
    return found


def test_modern_requests_are_told_from_others_as_the_sdk_does() -> None:
    assert _VERSION == PROTOCOL_VERSION_META_KEY


@pytest.mark.parametrize("messages", [LEGACY, MODERN], ids=["legacy", "modern"])
async def test_usual_first_messages_are_answered_before_the_server_is_ready(
    server: Server[Any], snapshot: Snapshot, messages: list[Message]
) -> None:
    with pipes() as (source, to_server, from_server, sink):
        front = Front(snapshot.results, source, sink)
        os.write(to_server, b"".join(line + b"\n" for line in to_lines(messages)))
        block_until(lambda: len(front._handover.lines) == len(messages) and not front._handover.unsent)
        handed = front.take_over()
        answers = os.read(from_server, 1_000_000).splitlines()

    assert handed.count_answered() == len(answers) == len(messages) - 2
    assert [line for line, _ in handed.lines] == to_lines(messages)


@pytest.mark.parametrize("messages", [LEGACY[:4], MODERN[:3]], ids=["legacy", "modern"])
async def test_requests_with_tokens_of_their_own_are_answered_by_those_of_an_earlier_start(
    server: Server[Any], messages: list[Message]
) -> None:
    """Some clients name a new trace and a new token for progress in every request."""

    def traced(number: int) -> list[bytes]:
        meta = {"progressToken": f"p{number}", "traceparent": f"00-{number:032x}-{number:016x}-01"}
        return to_lines([with_meta(each, **meta) if "id" in each else each for each in messages])

    _, begun = await exchange(server, traced(1))
    with pipes() as (source, to_server, _, sink):
        front = Front(begun.snapshot.results, source, sink)
        os.write(to_server, b"".join(line + b"\n" for line in traced(2)))
        block_until(lambda: len(front._handover.lines) == len(messages))
        assert front.take_over().count_answered() == sum("id" in each for each in messages)


@pytest.mark.slow
@pytest.mark.parametrize("messages", [LEGACY[:5], MODERN], ids=["legacy", "modern"])
async def test_every_order_of_the_first_messages_gets_the_same_answers(
    server: Server[Any], snapshot: Snapshot, messages: list[Message]
) -> None:
    """Whatever was answered before: nothing, all of it, or a part of it in the order of the messages."""
    for number, order in enumerate(itertools.permutations(to_lines(messages))):
        expected, _ = await exchange(server, order)
        answers, begun = await exchange(server, order, snapshot, before=number % (len(order) + 1))
        assert sorted(answers) == sorted(expected), order
        assert begun.snapshot.results == snapshot.results


@pytest.mark.parametrize("odd", ODD, ids=lambda line: line[:60].decode("latin-1"))
@pytest.mark.parametrize("messages", [LEGACY, MODERN], ids=["legacy", "modern"])
async def test_unusual_message_gets_the_same_answer_wherever_it_stands(
    server: Server[Any], snapshot: Snapshot, messages: list[Message], odd: bytes
) -> None:
    usual = to_lines(messages)
    for lines in ([*usual[:2], odd, *usual[2:]], [odd, *usual]):
        expected, _ = await exchange(server, lines)
        answers, _ = await exchange(server, lines, snapshot, before=len(lines))
        assert sorted(answers) == sorted(expected), lines


async def test_both_eras_on_one_connection_are_refused_as_without_a_snapshot(
    server: Server[Any], snapshot: Snapshot
) -> None:
    for mixed in ([*MODERN[:2], *LEGACY[:3]], [*LEGACY[:3], *MODERN[:2]], [MODERN[0], *LEGACY], [LEGACY[5], *LEGACY]):
        lines = to_lines(mixed)
        expected, _ = await exchange(server, lines)
        for before in range(len(lines) + 1):
            answers, _ = await exchange(server, lines, snapshot, before)
            assert sorted(answers) == sorted(expected), mixed


async def test_line_that_arrives_in_pieces_is_read_whole(server: Server[Any], snapshot: Snapshot) -> None:
    """Its first half was read before the server was ready."""
    half = json.dumps(MODERN[1]).encode()[:40]
    with pipes() as (source, to_server, _, sink):
        front = Front(snapshot.results, source, sink)
        os.write(to_server, half)
        block_until(lambda: bytes(front._handover.rest) == half)
        handed = front.take_over()

    assert (handed.lines, bytes(handed.rest), bytes(handed.unsent)) == ([], half, b"")


async def test_answers_that_the_host_does_not_read_yet_are_written_by_the_server(
    server: Server[Any], snapshot: Snapshot
) -> None:
    """More answers than a pipe holds were waiting when the server was ready."""
    lines = to_lines([modern(number, "tools/list") for number in range(20)])
    expected, _ = await exchange(server, lines)
    with pipes() as (source, to_server, from_server, sink):
        front = Front(snapshot.results, source, sink)
        os.write(to_server, b"".join(line + b"\n" for line in lines))
        block_until(lambda: front._handover.unsent)
        recorder = AnswerRecorder(Begun(snapshot, front), [], lambda _: True)
        handed, heard = recorder.take_over(), list[bytes]()
        os.write(to_server, END + b"\n")
        assert handed.unsent
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_all, from_server, to_server, heard)
            await _stdio._serve_pipes(server, _stdio._Pipes(source, sink, handed, recorder), tasks.cancel_scope)

    answers = b"".join(heard).splitlines()
    assert len(answers) == 21
    assert sorted(answers) == sorted(expected)


async def test_outdated_answer_is_reported_and_replaced_in_the_snapshot(
    server: Server[Any], snapshot: Snapshot, caplog: pytest.LogCaptureFixture
) -> None:
    """Something has changed that the key does not cover."""
    right = dict(snapshot.results)
    for question in snapshot.results:
        snapshot.results[question] = '{"old":true}'
    answers, begun = await exchange(server, to_lines(MODERN[:2]), snapshot, before=2)

    assert sum(b'"old":true' in answer for answer in answers) == 2
    assert "the answer to tools/list at the start was outdated" in caplog.text
    assert sum(begun.snapshot.results[question] == result for question, result in right.items()) == 2


def test_answers_that_may_change_are_not_recorded() -> None:
    """Of the tools of a service that tells what a key allows, and of everything after a reload."""
    begun = Begun(Snapshot("key"))
    recorder = AnswerRecorder(begun, [], lambda method: method != "tools/list")
    for number, line in enumerate(to_lines(MODERN[:2])):
        recorder.note_message(line)
        assert not recorder.note_answer(number, f'{{"jsonrpc":"2.0","id":{number},"result":{{}}}}')
    assert len(begun.snapshot.results) == 1
    recorder.stop()
    recorder.note_message(to_lines(MODERN)[2])
    recorder.note_answer("two", '{"jsonrpc":"2.0","id":"two","result":{}}')
    assert len(begun.snapshot.results) == 1
