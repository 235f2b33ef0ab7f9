"""A caller whose requests never end, over real sockets: other callers are served."""

import asyncio
import re
import resource
from contextlib import asynccontextmanager

import httpx
import pytest

from contacts_mcp.directory import Directory
from contacts_mcp.http_protocol import LimitedProtocol
from support.processes import ContactsService, make_keys, wait_until
from support.services import serve_app

UNFINISHED = 2_000
MAX_REQUESTS = 100


@asynccontextmanager
async def served(path, **config):
    async with (
        Directory(path, keys=True, rate=0) as directory,
        serve_app(directory.app, http=LimitedProtocol, **config) as server,
    ):
        keys = [(await directory.create_key("test", tenant, ["read", "write"]))[0] for tenant in ("one", "another")]
        yield server, keys


def half(key, path="/v1/contacts"):
    """A request of which half the body is still to come."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    return (head + 'Content-Length: 100\r\n\r\n{"name": "').encode()


async def opened(address, request):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    return reader, writer


async def list_contacts(url, key):
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=10) as http:
        return (await http.get("/v1/contacts")).status_code


async def test_key_with_many_unfinished_requests_is_refused_and_another_is_served(tmp_path):
    async with served(tmp_path / "contacts.db") as (server, (greedy, modest)):
        held = [await opened(server.address, half(greedy)) for _ in range(MAX_REQUESTS)]
        await wait_until(lambda: len(server.server.server_state.tasks) == MAX_REQUESTS)
        refused, writer = await opened(server.address, half(greedy))
        heard = await asyncio.wait_for(refused.readuntil(b"answer yet"), 5)

        assert heard.startswith(b"HTTP/1.1 429 ")
        assert await list_contacts(server.url, modest) == 200
        for _, each in [*held, (refused, writer)]:
            each.close()
        await wait_until(lambda: not server.server.server_state.tasks)
        assert await list_contacts(server.url, greedy) == 200


@pytest.mark.parametrize("unfinished", ["head", "body"])
async def test_caller_is_served_while_all_connections_are_held_by_another(tmp_path, unfinished):
    async with served(tmp_path / "contacts.db", limit_concurrency=50) as (server, (greedy, modest)):
        request = half(greedy) if unfinished == "body" else half(greedy)[:60]
        held = [await opened(server.address, request) for _ in range(60)]
        await wait_until(lambda: len(server.server.server_state.connections) == 49)

        assert await list_contacts(server.url, modest) == 200
        for _, writer in held:
            writer.close()


async def test_body_of_a_single_contact_has_ten_seconds_and_that_of_a_batch_a_minute(tmp_path, monkeypatch):
    waited = []

    def timeout(seconds):
        waited.append(seconds)
        return asyncio.Timeout(None)

    monkeypatch.setattr("contacts_mcp.middleware.asyncio.timeout", timeout)
    async with Directory(tmp_path / "contacts.db", keys=True, rate=0) as directory:
        key, _ = await directory.create_key("test", "one", ["read", "write"])
        transport = httpx.ASGITransport(directory.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers={"X-API-Key": key}) as http:
            await http.post("/v1/contacts", json={})
            await http.post("/v1/directory/contacts", json={})

    assert waited == [10.0, 60.0]


@pytest.mark.system
async def test_thousands_of_unfinished_requests_of_one_key_do_not_delay_another(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = UNFINISHED + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the test needs {wanted} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    path = tmp_path / "contacts.db"
    greedy, modest = await asyncio.to_thread(make_keys, path, "one", "another")
    with ContactsService(tmp_path / "home", path) as service:
        held = [await opened(("127.0.0.1", service.port), half(greedy)) for _ in range(UNFINISHED)]
        loop, took = asyncio.get_running_loop(), []
        for _ in range(5):
            began = loop.time()
            assert await list_contacts(service.url, modest) == 200
            took.append(loop.time() - began)
        for _, writer in held:
            writer.close()

    assert min(took) < 1
    assert not re.search("Traceback", service.written)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
