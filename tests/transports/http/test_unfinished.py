"""Calls that are interrupted: the client disconnects, or the server stops."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from support.hosts import LEGACY, each_era
from support.processes import API_KEY, HttpServer, block_until, free_port, wait_until
from support.raw_hosts import modern
from support.services import CONTACT, CONTACT_ID, ScriptedServer, reply, silence
from transports.http.clients import connected, headers_of, initialize

pytestmark = pytest.mark.system

GAVE_UP = "timeout graceful shutdown exceeded"
"""What uvicorn logs if connections are still open four seconds after SIGTERM."""


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as running:
        yield running


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of the service, one for each test that shares the server."""
    with free_port() as port:
        yield port


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[HttpServer]:
    with HttpServer(tmp_path_factory.mktemp("network"), **over(f"http://127.0.0.1:{port}")) as running:
        yield running


@pytest.fixture
async def silent(port: int) -> AsyncIterator[ScriptedServer]:
    """A service that reads requests and never answers."""
    async with ScriptedServer(port) as running:
        running.answers(silence)
        yield running


def over(address: str) -> dict[str, str]:
    return {"WAYSCLOUD_API_URL": address, "WAYSCLOUD_API_KEY": API_KEY}


@each_era
@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_disconnected_client_cancels_its_call_and_the_write_is_recorded(
    network: HttpServer, silent: ScriptedServer, era: str, transport: str
) -> None:
    """The service may have carried out the write, so the trail says `unknown`."""
    before = len(network.trail)
    call = asyncio.create_task(_create(network.url, transport, era))
    await asyncio.wait_for(silent.received.wait(), 15)
    call.cancel()
    await asyncio.wait({call})

    await wait_until(lambda: len(network.trail) > before)
    assert [(line["tool"], line["outcome"]) for line in network.trail[before:]] == [("create_contact_group", "unknown")]


async def _create(url: str, transport: str, era: str) -> None:
    async with connected(url, transport, era) as host:
        await host.raw("create_contact_group", name="Choir")


async def test_broken_legacy_connection_cancels_its_call(network: HttpServer, silent: ScriptedServer) -> None:
    """The client disconnects without cancelling the call."""
    before = len(network.trail)
    async with httpx.AsyncClient(base_url=network.url) as http:
        session = await initialize(http)
        body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
        call = {**body, "params": {"name": "create_contact_group", "arguments": {"name": "Choir"}}}
        sending = asyncio.create_task(http.post("/mcp", json=call, headers=session))
        await asyncio.wait_for(silent.received.wait(), 15)
        sending.cancel()
        await asyncio.wait({sending})

    await wait_until(lambda: len(network.trail) > before)
    assert [line["outcome"] for line in network.trail[before:]] == ["unknown"]


@each_era
async def test_sigterm_lets_a_call_finish_while_streams_are_open(
    tmp_path: Path, upstream: ScriptedServer, era: str
) -> None:
    """The answer arrives, an open event stream ends, and the server stops by itself before uvicorn gives up waiting."""
    answer = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await answer.wait()
        await reply(201, CONTACT)(writer)

    upstream.answers(late)
    with HttpServer(tmp_path, **over(upstream.url)) as network:
        async with connected(network.url, "http", era) as host, connected(network.url, "sse", LEGACY):
            await host.client.list_tools()  # or the client does so after the call, to check the answer's shape
            call = asyncio.create_task(host.call("create_contact_group", name="Choir"))
            await asyncio.wait_for(upstream.received.wait(), 15)
            network.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(block_until, lambda: _refuses_connections(network.url))
            answer.set()

            assert (await call)["id"] == CONTACT_ID
        await asyncio.to_thread(network.process.wait, 10)
        assert GAVE_UP not in network.written
        assert network.trail[0]["outcome"] == "done"


def _refuses_connections(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz")
    except httpx.TransportError:
        return True
    return False


@each_era
async def test_call_that_cannot_finish_is_answered_before_the_server_stops(
    tmp_path: Path, upstream: ScriptedServer, era: str
) -> None:
    """The model learns that the change may have been made; the trail says `unknown`; the server stops by itself."""
    upstream.answers(silence)
    with HttpServer(tmp_path, **over(upstream.url)) as network:
        async with connected(network.url, "http", era) as host:
            call = asyncio.create_task(host.error("create_contact_group", name="Choir"))
            await asyncio.wait_for(upstream.received.wait(), 15)
            network.process.send_signal(signal.SIGTERM)

            told = await call
        await asyncio.to_thread(network.process.wait, 10)

    assert told.startswith("stopping: ")
    assert "read the record back" in told
    assert GAVE_UP not in network.written
    assert network.trail[0]["outcome"] == "unknown"


async def test_modern_subscription_gets_its_result_when_the_server_stops(tmp_path: Path) -> None:
    """The last frame of a listen stream tells the client that the end is intended."""
    with HttpServer(tmp_path) as stopping:
        async with httpx.AsyncClient(base_url=stopping.url, timeout=20) as http:
            body = modern(7, "subscriptions/listen", notifications={"resourcesListChanged": True})
            async with http.stream("POST", "/mcp", json=body, headers=headers_of("subscriptions/listen")) as stream:
                lines = stream.aiter_lines()
                await anext(lines)
                stopping.process.send_signal(signal.SIGTERM)
                rest = [line async for line in lines]
        await asyncio.to_thread(stopping.process.wait, 10)

    last = json.loads([line for line in rest if line.startswith("data:")][-1].removeprefix("data:"))
    assert last["id"] == 7
    assert "result" in last
