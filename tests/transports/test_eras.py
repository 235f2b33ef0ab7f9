"""Which protocol era a connection gets: from its first request that is served and is not a discovery."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCMessage, jsonrpc_message_adapter

from contacts_mcp.transports._eras import serve_connection
from support.hosts import server_over
from support.raw_hosts import initialize_params, modern, notification

Message = dict[str, Any]
INITIALIZED = notification("notifications/initialized")
WRONG_VERSION = modern("wrong", "tools/list")
WRONG_VERSION["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01"


def legacy(id_: str, method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


def initialize(id_: str = "initialize") -> Message:
    return legacy(id_, "initialize", **initialize_params({}))


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Any, Any]]:
    host, received = anyio.create_memory_object_stream[SessionMessage | Exception](100)
    sent, heard = anyio.create_memory_object_stream[SessionMessage](100)
    async with host, heard, anyio.create_task_group() as tasks:
        tasks.start_soon(serve_connection, server_over(), received, sent, None)
        yield host, heard
        await host.aclose()


async def exchange(*messages: Message) -> dict[Any, JSONRPCMessage]:
    """Send messages without waiting between them; return the answers by the ids of their requests."""
    async with connected() as (host, heard):
        for message in messages:
            await host.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))
        with anyio.fail_after(10):
            answers = [(await heard.receive()).message for message in messages if "id" in message]
    return {answer.id: answer for answer in answers}


def served(answers: dict[Any, Any]) -> list[Any]:
    return sorted(id_ for id_, answer in answers.items() if hasattr(answer, "result"))


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([modern("d", "server/discover"), initialize("i"), INITIALIZED, legacy("t", "tools/list")], "dit"),
        ([modern("d", "server/discover"), modern("t", "tools/list")], "dt"),
        ([modern("d", "server/discover")] * 1 + [modern("e", "server/discover"), initialize("i")], "dei"),
        ([initialize("i"), INITIALIZED, modern("d", "server/discover"), legacy("t", "tools/list")], "dit"),
        ([modern("t", "tools/list"), modern("d", "server/discover"), modern("u", "tools/list")], "dtu"),
        ([legacy("p", "ping"), initialize("i"), legacy("t", "tools/list")], "ipt"),
        ([INITIALIZED, modern("d", "server/discover"), modern("t", "tools/list")], "dt"),
        ([notification("notifications/cancelled", requestId="d"), initialize("i")], "i"),
        ([legacy("d", "server/discover"), modern("t", "tools/list")], "t"),
        ([WRONG_VERSION, initialize("i"), legacy("t", "tools/list")], "it"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_connection_serves_the_requests_of_its_era(messages: list[Message], expected: str) -> None:
    assert served(await exchange(*messages)) == sorted(expected)


async def test_initialize_on_a_modern_connection_names_the_versions_that_it_serves() -> None:
    answers: Any = await exchange(modern("t", "tools/list"), initialize("i"))

    assert served(answers) == ["t"]
    assert answers["i"].error.code == -32022
    assert answers["i"].error.data["supported"] == ["2026-07-28"]


async def test_modern_request_on_a_legacy_connection_is_refused() -> None:
    answers: Any = await exchange(initialize("i"), modern("t", "tools/list"), legacy("u", "tools/list"))

    assert served(answers) == ["i", "u"]
    assert answers["t"].error.code == -32600


async def test_modern_request_without_its_envelope_learns_what_is_missing() -> None:
    answers: Any = await exchange(modern("t", "tools/list"), legacy("u", "tools/list"))

    assert answers["u"].error.code == -32602
    assert "_meta" in answers["u"].error.message


async def test_cancelled_discovery_does_not_decide_the_era() -> None:
    async with connected() as (host, heard):
        for message in (
            modern("d", "server/discover"),
            notification("notifications/cancelled", requestId="d"),
            initialize("i"),
        ):
            await host.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))
        with anyio.fail_after(10):
            answers = [(await heard.receive()).message]
            if answers[0].id != "i":
                answers.append((await heard.receive()).message)

    assert answers[-1].id == "i"
    assert hasattr(answers[-1], "result")
