"""The server over the network, as clients meet it: real processes, real clients, both transports, both eras."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import fastmcp
import httpx
import pytest
from fastmcp.client.elicitation import ElicitResult as FastElicitResult
from fastmcp.client.transports import SSETransport, StreamableHttpTransport
from mcp import Client
from mcp.client.sse import sse_client

from contacts_mcp.client import Credential
from harness import LEGACY, MODERN, NOBODY, Host, Person
from misbehaving import CONTACT, CONTACT_ID, Misbehaving, reply, silence
from page_service import page_service
from processes import KEY, Network, modern, service
from waiting import until

DELETE = {"decision": "delete"}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A server on the embedded directory, without authentication."""
    with Network(tmp_path_factory.mktemp("network"), CONTACTS_MCP_RATE="0") as running:
        yield running


@pytest.fixture
async def upstream() -> AsyncIterator[Misbehaving]:
    """A service that does as the test says."""
    async with Misbehaving() as running:
        yield running


def keyed(home: Path, address: str, **variables: str) -> Network:
    """A server whose callers bring their own keys for the service at `address`."""
    return Network(home, "--auth", "key", WAYSCLOUD_API_URL=address, **variables)


@asynccontextmanager
async def connected(
    url: str, transport: str, era: str, person: Person | None = None, key: str | None = None
) -> AsyncIterator[Host]:
    """The SDK's client over either transport."""
    headers = {"X-API-Key": key} if key else {}
    async with httpx_of_sdk(headers) as http:
        target: Any = sse_client(f"{url}/sse", headers=headers) if transport == "sse" else streamable(url, http)
        async with Client(target, mode=era, elicitation_callback=person, raise_exceptions=False) as client:
            yield Host(client)


def httpx_of_sdk(headers: dict[str, str]) -> AbstractAsyncContextManager[Any]:
    from mcp.shared._httpx_utils import create_mcp_http_client

    return create_mcp_http_client(headers=headers)


def streamable(url: str, http: Any) -> Any:
    from mcp.client.streamable_http import streamable_http_client

    return streamable_http_client(f"{url}/mcp", http_client=http)


def headers_of(method: str, tool: str | None = None, **more: str) -> dict[str, str]:
    """What a modern request has to say in its headers."""
    named = {"Mcp-Name": tool} if tool else {}
    return {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        **named,
        **more,
    }


async def post(http: httpx.AsyncClient, tool: str, arguments: dict[str, Any], **headers: str) -> httpx.Response:
    body = modern(1, "tools/call", name=tool, arguments=arguments)
    return await http.post("/mcp", json=body, headers=headers_of("tools/call", tool, **headers))


@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_a_client_works_and_a_person_is_asked(network: Network, transport: str, era: str) -> None:
    """Tools, answers and a confirmation, over each transport in each era."""
    person = Person(content=DELETE)
    async with connected(network.url, transport, era, person) as host:
        assert len((await host.client.list_tools()).tools) == 14
        ola = await host.call("create_contact", name="Ola Nordmann")
        assert (await host.call("get_contact", contact_id=ola["id"]))["name"] == "Ola Nordmann"

        assert await host.call("delete_contact", contact_id=ola["id"]) == {"done": True}

    assert "Ola Nordmann" in person.question


@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_a_person_who_declines_keeps_the_contact(network: Network, transport: str, era: str) -> None:
    """A no is a no over the network, too."""
    async with connected(network.url, transport, era, Person(action="decline")) as host:
        ola = await host.call("create_contact", name="Ola Nordmann")

        assert (await host.error("delete_contact", contact_id=ola["id"])).startswith("refused:")
        assert (await host.call("get_contact", contact_id=ola["id"]))["name"] == "Ola Nordmann"


@pytest.mark.parametrize("transport", [StreamableHttpTransport, SSETransport])
async def test_fastmcp_works_and_confirms(network: Network, transport: Callable[[str], Any]) -> None:
    """Another client library, over both transports."""
    questions = []

    async def answer(message: str, response_type: type[Any] | None, _params: Any, _context: Any) -> Any:
        questions.append(message)
        assert response_type is not None
        return FastElicitResult(action="accept", content=response_type(**DELETE))

    path = "/sse" if transport is SSETransport else "/mcp"
    async with fastmcp.Client(transport(network.url + path), elicitation_handler=answer) as client:
        created = await client.call_tool("create_contact", {"name": "Kari Nordmann"})
        deleted = await client.call_tool("delete_contact", {"contact_id": created.structured_content["id"]})

    assert deleted.structured_content == {"done": True}
    assert "Kari Nordmann" in questions[0]


@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_a_long_call_tells_how_far_it_is(tmp_path: Path, transport: str, era: str) -> None:
    """A service that ignores filters is paged through, and the client hears of each page."""
    heard = []

    async def listen(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total, message))

    with page_service(KEY) as address, Network(tmp_path, WAYSCLOUD_API_URL=address, WAYSCLOUD_API_KEY=KEY) as network:
        async with connected(network.url, transport, era) as host:
            for number in range(3):
                await host.call("create_contact", name=f"Contact {number}", tags=["vip"] if number else [])
            result = await host.client.call_tool("list_contacts", {"tags": ["vip"]}, progress_callback=listen)

    assert result.structured_content["total"] == 2
    assert heard == [(3, 3, "contacts read")]


@pytest.mark.parametrize("era", [LEGACY, MODERN])
@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_client_that_goes_away_cancels_its_call_and_the_write_is_recorded(
    tmp_path: Path, upstream: Misbehaving, era: str, transport: str
) -> None:
    """What had been sent upstream may have been done: the trail says `unknown`."""
    upstream.answers(silence)
    with Network(tmp_path, WAYSCLOUD_API_URL=upstream.url, WAYSCLOUD_API_KEY=KEY) as network:
        call = asyncio.create_task(_create(network.url, transport, era))
        await asyncio.wait_for(upstream.received.wait(), 15)
        call.cancel()
        await asyncio.wait({call})

        await until(lambda: bool(network.trail))

    assert network.trail[0]["tool"] == "create_contact"
    assert network.trail[0]["outcome"] == "unknown"


async def _create(url: str, transport: str, era: str) -> None:
    async with connected(url, transport, era) as host:
        await host.raw("create_contact", name="Ola Nordmann")


async def test_a_legacy_connection_that_breaks_cancels_its_call(tmp_path: Path, upstream: Misbehaving) -> None:
    """Not only a client that says so: one that just disconnects, too."""
    upstream.answers(silence)
    with Network(tmp_path, WAYSCLOUD_API_URL=upstream.url, WAYSCLOUD_API_KEY=KEY) as network:
        async with httpx.AsyncClient(base_url=network.url) as http:
            session = await _initialize(http)
            body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
            call = {**body, "params": {"name": "create_contact", "arguments": {"name": "Ola"}}}
            sending = asyncio.create_task(http.post("/mcp", json=call, headers=session))
            await asyncio.wait_for(upstream.received.wait(), 15)
            sending.cancel()
            await asyncio.wait({sending})
            await until(lambda: bool(network.trail))

    assert network.trail[0]["outcome"] == "unknown"


async def _initialize(http: httpx.AsyncClient, **headers: str) -> dict[str, str]:
    """Open a legacy session; the headers of its further requests."""
    accept = {"Accept": "application/json, text/event-stream", **headers}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    answer = await http.post("/mcp", json=opening, headers=accept)
    assert answer.status_code == 200, answer.text
    session = {**accept, "Mcp-Session-Id": answer.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await http.post("/mcp", json=ready, headers=session)).status_code == 202
    return session


async def test_a_caller_works_with_the_key_they_bring(tmp_path: Path) -> None:
    """Both headers carry it, and upstream sees that key."""
    with service(tmp_path) as address, keyed(tmp_path, address) as network:
        async with connected(network.url, "http", MODERN, key=KEY) as host:
            ola = await host.call("create_contact", name="Ola Nordmann")
        async with httpx.AsyncClient(base_url=network.url) as http:
            answer = await post(http, "get_contact", {"contact_id": ola["id"]}, Authorization=f"Bearer {KEY}")

        assert answer.json()["result"]["structuredContent"]["name"] == "Ola Nordmann"
        assert KEY not in network.written
        assert network.trail[0]["caller"] == f"key:{Credential.key(KEY, 'test').fingerprint}"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "wants your WAYSCloud key"),
        ({"X-API-Key": "wayscloud_pat_wrong"}, "wrong, expired or revoked"),
        ({"Authorization": "Basic dTpw"}, "wants your WAYSCloud key"),
        ({"X-API-Key": KEY, "Authorization": "Bearer other"}, "more than one key"),
        ({"X-API-Key": "with blank"}, "characters that no key has"),
    ],
)
async def test_a_wrong_key_is_a_401_that_says_what_to_do(
    keyed_network: Network, headers: dict[str, str], words: str
) -> None:
    """The status, a challenge, and one clear sentence that holds no key."""
    async with httpx.AsyncClient(base_url=keyed_network.url) as http:
        answer = await post(http, "get_contact", {"contact_id": NOBODY}, **headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert words in answer.json()["error"]["message"]
    assert "X-API-Key" in answer.json()["error"]["message"]
    assert answer.json()["error"]["data"]["request_id"] == answer.headers["x-request-id"]
    assert not any(value in answer.text for value in headers.values())


@pytest.fixture(scope="module")
def keyed_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A server in key mode over a real service."""
    folder = tmp_path_factory.mktemp("keyed")
    with service(folder) as address, keyed(folder, address) as running:
        yield running


async def test_every_wrong_request_gets_the_right_status(keyed_network: Network) -> None:
    """Host, origin, size, path, method, session: each its own status and a sentence."""
    key = {"X-API-Key": KEY}
    async with httpx.AsyncClient(base_url=keyed_network.url, headers=key) as http:
        statuses = {
            "host": await post(http, "get_contact", {}, Host="evil.example.com"),
            "origin": await post(http, "get_contact", {}, Origin="https://evil.example.com"),
            "size": await post(http, "create_contact", {"name": "a" * 1_100_000}),
            "path": await http.post("/elsewhere", json={}),
            "method": await http.put("/mcp", json={}),
            "message by get": await http.get("/messages/"),
            "session": await http.post("/mcp", json={}, headers={"Mcp-Session-Id": "f" * 32}),
            "sse session": await http.post(f"/messages/?session_id={'f' * 32}", json={}),
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


async def test_a_proxy_does_not_open_a_server_without_authentication(network: Network) -> None:
    """It reaches the server by loopback, for whoever calls it; so what was passed on is turned down."""
    async with httpx.AsyncClient(base_url=network.url) as http:
        passed_on = await post(http, "create_contact", {"name": "Ola"}, **{"X-Forwarded-For": "203.0.113.9"})

    assert passed_on.status_code == 403
    assert "CONTACTS_MCP_AUTH" in passed_on.json()["error"]["message"]


async def test_failed_requests_end_nobodys_session(network: Network) -> None:
    """The SDK names a session even where it opens none; such names do not count."""
    async with httpx.AsyncClient(base_url=network.url) as http:
        session = await _initialize(http)
        for _ in range(205):
            assert (await http.post("/mcp", json={}, headers={"Accept": session["Accept"]})).status_code == 400
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}

        assert (await http.post("/mcp", json=listing, headers=session)).status_code == 200


async def test_health_is_open_and_readiness_follows_the_backend(tmp_path: Path) -> None:
    """A supervisor needs no key; where the service is gone, the server is alive and not ready, and says why."""
    with service(tmp_path) as address, keyed(tmp_path, address) as network:
        async with httpx.AsyncClient(base_url=network.url, headers={"Host": "10.0.0.7"}) as http:
            assert (await http.get("/healthz")).json() == {"status": "alive"}
            assert (await http.get("/readyz")).json() == {"status": "ready"}
    with keyed(tmp_path, address) as network:
        async with httpx.AsyncClient(base_url=network.url) as http:
            assert (await http.get("/healthz")).status_code == 200
            answer = await http.get("/readyz")
            refused = await post(http, "get_contact", {"contact_id": NOBODY}, **{"X-API-Key": KEY})

    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "reason": "unreachable"})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1


async def test_a_flood_is_slowed_down_in_words_that_a_client_reads(tmp_path: Path) -> None:
    """429 with Retry-After; the SDK's client shows the sentence."""
    with Network(tmp_path, CONTACTS_MCP_RATE="1") as network:
        async with httpx.AsyncClient(base_url=network.url) as http:
            answers = [await post(http, "list_contacts", {}) for _ in range(15)]
        limited = next(answer for answer in answers if answer.status_code == 429)
        async with connected(network.url, "http", MODERN) as host:
            with pytest.raises(Exception, match=r"rate_limited: .*; wait [0-9]+ seconds"):
                await host.raw("list_contacts")

    assert int(limited.headers["retry-after"]) >= 1


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_sigterm_lets_a_call_finish_while_streams_are_open(
    tmp_path: Path, upstream: Misbehaving, era: str
) -> None:
    """The answer arrives, an open event stream ends, and the process is gone within five seconds."""
    answer = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await answer.wait()
        await reply(201, CONTACT)(writer)

    upstream.answers(late)
    with Network(tmp_path, WAYSCLOUD_API_URL=upstream.url, WAYSCLOUD_API_KEY=KEY) as network:
        async with connected(network.url, "http", era) as host, connected(network.url, "sse", LEGACY):
            await host.client.list_tools()  # or the client does so after the call, to check the answer's shape
            call = asyncio.create_task(host.call("create_contact", name="Ola Nordmann"))
            await asyncio.wait_for(upstream.received.wait(), 15)
            began = time.monotonic()
            network.process.send_signal(signal.SIGTERM)
            await asyncio.get_running_loop().run_in_executor(None, _refuses_connections, network.url)
            answer.set()

            assert (await call)["id"] == CONTACT_ID
        await asyncio.to_thread(network.process.wait, 10)
        assert time.monotonic() - began < 5
        assert network.trail[0]["outcome"] == "done"


def _refuses_connections(url: str) -> None:
    """Wait until the server has begun to stop."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/healthz")
        except httpx.TransportError:
            return
    raise AssertionError("it still takes connections")


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_a_call_that_cannot_finish_is_told_so_before_the_server_stops(
    tmp_path: Path, upstream: Misbehaving, era: str
) -> None:
    """The model learns that the change may have been made; the trail says `unknown`; nothing takes five seconds."""
    upstream.answers(silence)
    with Network(tmp_path, WAYSCLOUD_API_URL=upstream.url, WAYSCLOUD_API_KEY=KEY) as network:
        async with connected(network.url, "http", era) as host:
            call = asyncio.create_task(host.error("create_contact", name="Ola Nordmann"))
            await asyncio.wait_for(upstream.received.wait(), 15)
            began = time.monotonic()
            network.process.send_signal(signal.SIGTERM)

            told = await call
        await asyncio.to_thread(network.process.wait, 10)

    assert told.startswith("stopping: ")
    assert "read the record back" in told
    assert time.monotonic() - began < 5
    assert network.trail[0]["outcome"] == "unknown"


async def test_a_modern_subscription_ends_in_order_when_the_server_stops(network: Network, tmp_path: Path) -> None:
    """A listen stream gets its last frame, so that the client knows that it was meant."""
    with Network(tmp_path) as stopping:
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


@pytest.mark.parametrize(
    ("flags", "variables", "words"),
    [
        (("--host", "0.0.0.0"), {}, "without authentication the server binds to loopback alone"),
        (("--host", "0.0.0.0", "--auth", "key"), {}, "--public-host"),
        (("--public-host", "contacts.example.com"), {}, "CONTACTS_MCP_AUTH is none"),
        (("--public-host", "https://contacts.example.com", "--auth", "key"), {}, "without https://"),
        (("--auth", "oauth"), {}, "CONTACTS_MCP_OAUTH_ISSUER"),
        ((), {"CONTACTS_MCP_REDIS_URL": "redis://127.0.0.1:1"}, "CONTACTS_MCP_STATE_KEYS"),
        (("--auth", "key", "--directory", "x.db"), {}, "knows no keys"),
        ((), {"CONTACTS_MCP_STATE_KEYS": "short"}, "at least 32 random characters"),
        ((), {"CONTACTS_MCP_RATE": "-1"}, "CONTACTS_MCP_RATE"),
    ],
)
def test_settings_that_do_not_fit_stop_the_start(
    command: Any, flags: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    """One line that says what to do, and exit code 2."""
    ended = command("serve", "--transport", "http", *flags, **variables)

    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("flag", ["--auth", "--host", "--port", "--public-host", "--allow-origin"])
def test_flags_of_a_network_need_one(command: Any, flag: str) -> None:
    """Whoever gives them believes that they count: `--auth key` over stdio would authenticate nobody."""
    ended = command("serve", flag, {"--port": "8000", "--auth": "key"}.get(flag, "contacts.example.com"))

    assert ended.code == 2
    assert f"{flag} is for a server over a network; add --transport http" in ended.err


async def test_a_server_that_no_confirmation_can_reach_is_not_ready(tmp_path: Path) -> None:
    """Without its Redis nothing can be confirmed: the supervisor learns it, and so does the log."""
    shared = {"CONTACTS_MCP_STATE_KEYS": "k" * 32, "CONTACTS_MCP_REDIS_URL": "redis://127.0.0.1:1"}
    with Network(tmp_path, **shared) as network:
        async with httpx.AsyncClient(base_url=network.url) as http:
            answer = await http.get("/readyz")
        async with connected(network.url, "http", MODERN, Person(content=DELETE)) as host:
            ola = await host.call("create_contact", name="Ola Nordmann")
            told = await host.error("delete_contact", contact_id=ola["id"])

    assert answer.json()["reason"] == "ledger_unavailable"
    assert told.startswith("ledger_unavailable: ")
    assert network.trail[-1]["outcome"] == "ledger_unavailable"
    assert "Redis cannot be asked" in network.written


def test_the_doctor_examines_what_would_be_served(command: Any, tmp_path: Path) -> None:
    """Over a network other things can be wrong: they are found before anybody is sent there."""
    with service(tmp_path) as address:
        good = command("doctor", CONTACTS_MCP_AUTH="key", WAYSCLOUD_API_URL=address)
    gone = command("doctor", CONTACTS_MCP_AUTH="key", WAYSCLOUD_API_URL=address)
    oauth = command("doctor", CONTACTS_MCP_AUTH="oauth")
    issuer = "http://127.0.0.1:1"
    away = command(
        "doctor",
        CONTACTS_MCP_AUTH="oauth",
        CONTACTS_MCP_OAUTH_ISSUER=issuer,
        CONTACTS_MCP_OAUTH_AUDIENCE="https://a.example.com/mcp",
    )

    assert good.code == 0, good.out
    assert f"WAYSCloud at {address} (each caller with their own key)" in good.out
    assert (gone.code, oauth.code, away.code) == (1, 1, 1)
    assert "CONTACTS_MCP_OAUTH_ISSUER" in oauth.out
    assert "issuer's keys cannot be fetched" in away.out


def test_a_port_in_use_is_one_line(network: Network, command: Any) -> None:
    """No traceback from the depths of a server."""
    ended = command("serve", "--transport", "http", "--port", network.url.rpartition(":")[2])

    assert ended.code == 2
    assert "cannot listen on 127.0.0.1" in ended.err
    assert ended.err.count("\n") == 1
