"""The server over the network: real processes, real clients, both transports, both protocol eras."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contacts_mcp.client import Credential
from contacts_mcp.tools import TOOLS
from support.hosts import MISSING_ID, MODERN, Person, deleted, each_era, read_question
from support.processes import API_KEY, HttpServer
from support.services import directory_service, page_service
from transports.http.clients import DELETE, connected, initialize, keyed, post

pytestmark = pytest.mark.system

LISTING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.mark.parametrize("transport", ["http", "sse"])
@each_era
async def test_client_can_call_tools_and_confirm_a_deletion(network: HttpServer, transport: str, era: str) -> None:
    """Tools, answers and a confirmation, over each transport in each era."""
    person = Person(content=DELETE)
    async with connected(network.url, transport, era, person) as host:
        assert len((await host.client.list_tools()).tools) == len(TOOLS)
        ola = await host.create()
        assert (await host.call("get_contact", **ola))["name"] == "Ola Nordmann"

        assert await host.call("delete_contact", **ola) == deleted(ola["contact_id"], "Ola Nordmann")

    assert "Ola Nordmann" in person.question


@pytest.mark.parametrize("transport", ["http", "sse"])
@each_era
async def test_declined_deletion_keeps_the_contact(network: HttpServer, transport: str, era: str) -> None:
    """The deletion is refused, and the contact can still be read."""
    async with connected(network.url, transport, era, Person(action="decline", meanwhile=read_question)) as host:
        ola = await host.create()

        assert "the person declined" in await host.declined("delete_contact", **ola)
        assert (await host.call("get_contact", **ola))["name"] == "Ola Nordmann"


@pytest.mark.parametrize(("transport", "path"), [("StreamableHttpTransport", "/mcp"), ("SSETransport", "/sse")])
async def test_fastmcp_client_can_confirm_a_deletion(network: HttpServer, transport: str, path: str) -> None:
    """Another client library, over both transports."""
    import fastmcp.client.transports  # takes a second, also where this test is not run

    questions = []

    async def answer(message: str, response_type: type[Any] | None, _params: Any, _context: Any) -> Any:
        questions.append(message)
        assert response_type is not None
        return fastmcp.client.elicitation.ElicitResult(action="accept", content=response_type(**DELETE))

    target = getattr(fastmcp.client.transports, transport)(network.url + path)
    async with fastmcp.Client(target, elicitation_handler=answer) as client:
        created = await client.call_tool("create_contact", {"name": "Kari Nordmann"})
        done = await client.call_tool("delete_contact", {"contact_id": created.structured_content["id"]})

    assert done.structured_content == deleted(created.structured_content["id"], "Kari Nordmann")
    assert "Kari Nordmann" in questions[0]


@pytest.fixture(scope="module")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A server on a service that ignores filters, with three contacts, of which two are VIPs."""
    with page_service(API_KEY) as address:
        for number in range(3):
            contact = {"type": "person", "name": f"Contact {number}", "tags": ["vip"] if number else []}
            httpx.post(f"{address}/v1/contacts", json=contact, headers={"X-API-Key": API_KEY})
        settings = {"WAYSCLOUD_API_URL": address, "WAYSCLOUD_API_KEY": API_KEY}
        with HttpServer(tmp_path_factory.mktemp("paged"), **settings) as running:
            yield running


@pytest.mark.parametrize("transport", ["http", "sse"])
@each_era
async def test_long_call_reports_progress(paged: HttpServer, transport: str, era: str) -> None:
    """A service that ignores filters is read page by page, and the client gets the progress of each page."""
    heard = []

    async def listen(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total, message))

    async with connected(paged.url, transport, era) as host:
        result = await host.client.call_tool("list_contacts", {"tags": ["vip"]}, progress_callback=listen)

    assert result.structured_content["total"] == 2
    assert heard == [(3, 3, "contacts read: 3 of 3")]


@pytest.fixture(scope="module")
def keyed_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A server in key mode over a real service."""
    folder = tmp_path_factory.mktemp("keyed")
    with directory_service(folder) as address, keyed(folder, address) as running:
        yield running


async def test_callers_own_key_is_used_upstream(keyed_network: HttpServer) -> None:
    """Both headers are accepted, and the service sees that key."""
    async with connected(keyed_network.url, "http", MODERN, key=API_KEY) as host:
        ola = await host.call("create_contact", name="Ola Nordmann")
    async with httpx.AsyncClient(base_url=keyed_network.url) as http:
        answer = await post(http, "get_contact", {"contact_id": ola["id"]}, Authorization=f"Bearer {API_KEY}")

    assert answer.json()["result"]["structuredContent"]["name"] == "Ola Nordmann"
    assert API_KEY not in keyed_network.written
    (created,) = [line for line in keyed_network.trail if line["tool"] == "create_contact"]
    assert created["caller"] == f"key:{Credential.key(API_KEY, 'test').fingerprint}"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "requires your WAYSCloud key"),
        ({"X-API-Key": "wayscloud_pat_wrong"}, "wrong, expired or revoked"),
        ({"Authorization": "Basic dTpw"}, "requires your WAYSCloud key"),
        ({"X-API-Key": API_KEY, "Authorization": "Bearer other"}, "more than one key"),
        ({"X-API-Key": "with blank"}, "characters that no key has"),
    ],
)
async def test_wrong_key_is_answered_with_401_and_advice(
    keyed_network: HttpServer, headers: dict[str, str], words: str
) -> None:
    """The response has a challenge and one message, which holds no key."""
    async with httpx.AsyncClient(base_url=keyed_network.url) as http:
        answer = await post(http, "get_contact", {"contact_id": MISSING_ID}, **headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert words in answer.json()["error"]["message"]
    assert "X-API-Key" in answer.json()["error"]["message"]
    assert answer.json()["error"]["data"]["request_id"] == answer.headers["x-request-id"]
    assert not any(value in answer.text for value in headers.values())


async def test_each_wrong_request_gets_its_own_status(keyed_network: HttpServer) -> None:
    """Host, origin, size, path, method and session each have their own status and a message."""
    key = {"X-API-Key": API_KEY}
    async with httpx.AsyncClient(base_url=keyed_network.url, headers=key) as http:
        statuses = {
            "host": await post(http, "get_contact", {}, Host="evil.example.com"),
            "origin": await post(http, "get_contact", {}, Origin="https://evil.example.com"),
            "size": await post(http, "create_contact", {"name": "a" * 1_100_000}),
            "path": await http.post("/elsewhere", json={}),
            "method": await http.put("/mcp", json={}),
            "message by get": await http.get("/messages/"),
            "session": await http.post("/mcp", json=LISTING, headers={"Mcp-Session-Id": "f" * 32}),
            "sse session": await http.post(f"/messages/?session_id={'f' * 32}", json=LISTING),
        }

    assert {name: answer.status_code for name, answer in statuses.items()} == {
        "host": 421,
        "origin": 403,
        "size": 413,
        "path": 404,
        "method": 405,
        "message by get": 405,
        "session": 404,
        "sse session": 404,
    }
    for answer in statuses.values():
        error = answer.json()["error"]
        assert "; " in error["message"], "it does not say what to do"
        assert error["data"]["request_id"] == answer.headers["x-request-id"]


async def test_forwarded_request_is_refused_without_authentication(network: HttpServer) -> None:
    """A proxy reaches the server by loopback, for callers from anywhere."""
    async with httpx.AsyncClient(base_url=network.url) as http:
        passed_on = await post(http, "create_contact", {"name": "Ola"}, **{"X-Forwarded-For": "203.0.113.9"})

    assert passed_on.status_code == 403
    assert "CONTACTS_MCP_AUTH" in passed_on.json()["error"]["message"]


async def test_failed_requests_do_not_end_a_session(network: HttpServer) -> None:
    """The SDK's error responses name a session that was never opened; such names do not count."""
    async with httpx.AsyncClient(base_url=network.url) as http:
        session = await initialize(http)
        for _ in range(205):
            assert (await http.post("/mcp", json={}, headers={"Accept": session["Accept"]})).status_code == 400
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}

        assert (await http.post("/mcp", json=listing, headers=session)).status_code == 200


async def test_health_page_is_public_and_readiness_follows_the_backend(
    tmp_path: Path, keyed_network: HttpServer
) -> None:
    """A supervisor needs no key. If the service is unavailable, the server is alive but not ready, and says why."""
    async with httpx.AsyncClient(base_url=keyed_network.url, headers={"Host": "10.0.0.7"}) as http:
        assert (await http.get("/healthz")).json() == {"status": "alive"}
        assert (await http.get("/readyz")).json() == {"status": "ready", "parts": {"platform": "ok", "trail": "ok"}}
    with keyed(tmp_path, "http://127.0.0.1:1") as network:
        async with httpx.AsyncClient(base_url=network.url) as http:
            assert (await http.get("/healthz")).status_code == 200
            answer = await http.get("/readyz")
            text = await http.get("/readyz", headers={"Accept": "text/plain"})
            refused = await post(http, "get_contact", {"contact_id": MISSING_ID}, **{"X-API-Key": API_KEY})

    parts = {"platform": "unreachable", "trail": "ok"}
    assert (answer.status_code, answer.json()) == (
        503,
        {"status": "not ready", "reason": "unreachable", "parts": parts},
    )
    assert (text.status_code, text.text) == (503, "not ready: unreachable\nplatform: unreachable\ntrail: ok\n")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1


async def test_rate_limited_client_gets_429_with_a_readable_message(tmp_path: Path) -> None:
    """The response has Retry-After, and the SDK's client shows the message."""
    with HttpServer(tmp_path, CONTACTS_MCP_RATE="1") as network:
        async with httpx.AsyncClient(base_url=network.url) as http:
            answers = [await post(http, "list_contacts", {}) for _ in range(15)]
        limited = next(answer for answer in answers if answer.status_code == 429)
        async with connected(network.url, "http", MODERN) as host:
            with pytest.raises(Exception, match=r"rate_limited: .*; wait [0-9]+ seconds"):
                await host.raw("list_contacts")

    assert int(limited.headers["retry-after"]) >= 1


async def test_server_without_its_nonce_store_is_not_ready(tmp_path: Path) -> None:
    """Without its Redis no deletion can be confirmed; the readiness page and the log say so."""
    shared = {"CONTACTS_MCP_STATE_KEYS": "k" * 32, "CONTACTS_MCP_REDIS_URL": "redis://127.0.0.1:1"}
    with HttpServer(tmp_path, **shared) as network:
        async with connected(network.url, "http", MODERN, Person(content=DELETE)) as host:
            ola = await host.call("create_contact", name="Ola Nordmann")
            told = await host.error("delete_contact", contact_id=ola["id"])
        async with httpx.AsyncClient(base_url=network.url) as http:
            answer = await http.get("/readyz")

    assert answer.json()["reason"] == "nonce_store_unavailable"
    assert answer.json()["parts"] == {"directory": "ok", "trail": "ok", "shared_state": "nonce_store_unavailable"}
    assert told.startswith("nonce_store_unavailable: ")
    assert network.trail[-1]["error"] == "nonce_store_unavailable"
    assert "Redis does not answer" in network.written
