"""How nginx.conf routes, repeats, rejects and logs requests."""

import asyncio
import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

import httpx2
import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from deploy.files import HOST
from deploy.servers import EchoServer, Proxy, needs_nginx, prepare_nginx, run_echo_server, run_nginx
from support.processes import API_KEY, free_ports

pytestmark = [needs_nginx, pytest.mark.system]
ADDRESS = f"https://{HOST}"
MODERN = {"Mcp-Protocol-Version": "2026-07-28"}


@pytest.fixture
def replicas() -> Iterator[list[EchoServer]]:
    with ExitStack() as running:
        ports = running.enter_context(free_ports(2))
        yield [running.enter_context(run_echo_server(port)) for port in ports]


@pytest.fixture
def proxy(tmp_path: Path, replicas: list[EchoServer]) -> Iterator[Proxy]:
    with run_nginx(tmp_path / "nginx", [each.port for each in replicas]) as running:
        yield running


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[httpx2.AsyncClient]:
    async with proxy.client({"X-API-Key": API_KEY}) as http:
        yield http


def refusal(response: httpx2.Response) -> str:
    """Return the message of a refusal, which has the form of the server's refusals."""
    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", None)
    assert answer["error"]["code"] in (-32600, -32603)
    return str(answer["error"]["message"])


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    """`nginx -t` reports no error and no warning."""
    with free_ports(5) as ports:
        command = [*prepare_nginx(tmp_path / "nginx", ports[:2], *ports[2:]), "-t"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "test is successful" in done.stderr
    assert not re.search(r"\[(warn|error|crit|alert|emerg)\]", done.stderr), done.stderr


async def test_modern_requests_of_one_caller_are_spread(client: httpx2.AsyncClient, replicas: list[EchoServer]) -> None:
    for _ in range(8):
        await client.post(f"{ADDRESS}/mcp", headers=MODERN)

    assert [len(each.requests) for each in replicas] == [4, 4]


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_legacy_requests_of_one_caller_reach_one_replica(
    client: httpx2.AsyncClient, replicas: list[EchoServer], header: str
) -> None:
    """Without a version, with a handshake version, with an unknown version, and over SSE."""
    del client.headers["X-API-Key"]
    client.headers[header] = f"Bearer {API_KEY}"
    versions = [None, *HANDSHAKE_PROTOCOL_VERSIONS, "2030-01-01", ""]
    for version in versions:
        headers = {} if version is None else {"Mcp-Protocol-Version": version}
        for method in ("POST", "GET", "DELETE"):
            await client.request(method, f"{ADDRESS}/mcp", headers=headers)
    for headers in ({}, MODERN):
        await client.get(f"{ADDRESS}/sse", headers=headers)
        await client.post(f"{ADDRESS}/messages/?session_id=1", headers=headers)

    assert sorted(len(each.requests) for each in replicas) == [0, 3 * len(versions) + 4]


@pytest.mark.load
async def test_legacy_callers_are_spread_over_the_replicas(proxy: Proxy, replicas: list[EchoServer]) -> None:
    """Each of forty callers always reaches the same replica, and each replica gets some callers."""
    async with proxy.client() as http:
        for number in range(40):
            came = {
                (await http.post(f"{ADDRESS}/mcp", headers={"X-API-Key": f"{API_KEY}{number}"})).text for _ in range(3)
            }
            assert len(came) == 1

    assert min(len(each.requests) for each in replicas) >= 3 * 8


@pytest.mark.parametrize("version", [None, "2026-07-28"])
async def test_post_is_not_repeated_after_a_replica_received_it(
    client: httpx2.AsyncClient, replicas: list[EchoServer], version: str | None
) -> None:
    """The replica closes the connection; the error says to read back, and the other replica gets nothing."""
    headers = {"X-Do": "hang-up"} | ({"Mcp-Protocol-Version": version} if version else {})
    answer = await client.post(f"{ADDRESS}/mcp", headers=headers, content=b"{}")

    assert answer.status_code == 502
    assert refusal(answer) == (
        "unreachable: no replica answered; before a change is repeated, read back whether it was made"
    )
    assert sum(len(each.requests) for each in replicas) == 1


async def test_post_on_a_kept_connection_that_ends_is_not_repeated(
    client: httpx2.AsyncClient, replicas: list[EchoServer]
) -> None:
    """nginx may repeat requests with an idempotent method; POST is not one."""
    for _ in range(4):
        await client.post(f"{ADDRESS}/mcp", headers=MODERN)
    for _ in range(4):
        answer = await client.post(f"{ADDRESS}/mcp", headers={**MODERN, "X-Do": "hang-up"}, content=b"{}")
        assert answer.status_code == 502

    assert sum("x-do" in seen.headers for each in replicas for seen in each.requests) == 4


@pytest.mark.parametrize("headers", [{}, MODERN], ids=["legacy", "modern"])
async def test_requests_to_a_stopped_replica_go_to_the_other(tmp_path: Path, headers: dict[str, str]) -> None:
    """Even a POST, which could not be sent."""
    with free_ports(2) as ports, run_echo_server(ports[1]) as other, run_nginx(tmp_path / "nginx", ports) as proxy:
        async with proxy.client() as http:
            for number in range(12):
                answer = await http.post(f"{ADDRESS}/mcp", headers={**headers, "X-API-Key": f"{API_KEY}{number}"})
                assert answer.json() == {"replica": ports[1]}

        assert len(other.requests) == 12
        assert any(line["replica_status"] == "502, 200" for line in proxy.answered_lines())


async def test_body_over_one_mebibyte_is_rejected_by_nginx(
    client: httpx2.AsyncClient, replicas: list[EchoServer]
) -> None:
    """The limit itself passes. A larger body, with or without a declared length, gets a 413 and reaches no replica."""
    body = b"x" * (1024 * 1024)

    async def undeclared() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    taken = await client.post(f"{ADDRESS}/mcp", content=body)
    refused = [await client.post(f"{ADDRESS}/mcp", content=each) for each in (body + b"x", 2 * body, undeclared())]

    assert taken.status_code == 200
    assert [answer.status_code for answer in refused] == [413] * 3
    assert {refusal(answer) for answer in refused} == {
        "too_large: the body is over 1 MiB, or the file over 64 MiB; nothing was changed, send less"
    }
    assert [seen.body for each in replicas for seen in each.requests] == [body]


async def test_connections_over_the_limit_of_an_address_are_rejected(
    tmp_path: Path, replicas: list[EchoServer]
) -> None:
    """With a 429; when a stream ends, another may be opened."""
    with run_nginx(tmp_path / "nginx", [each.port for each in replicas], limit_conn="addresses 2") as proxy:
        async with proxy.client({"X-Do": "stream"}) as http, http.stream("GET", f"{ADDRESS}/sse") as first:
            async with http.stream("GET", f"{ADDRESS}/mcp") as second:
                third = await http.post(f"{ADDRESS}/mcp")
            assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
            assert refusal(third).startswith("too_many_connections: ")
            async with asyncio.timeout(15):
                while (await http.post(f"{ADDRESS}/mcp", headers={"X-Do": ""})).status_code != 200:
                    pass


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("GET /mcp HTTP/1.1", 400),
        (f"GET /mcp HTTP/1.1\r\nHost: {HOST}\r\nHost: {HOST}", 400),
        (f"GET /mcp HTTP/9.9\r\nHost: {HOST}", 505),
        ("\x00 what is this", 400),
        (f"GET /{'x' * 9_000} HTTP/1.1\r\nHost: {HOST}", 414),
        (f"GET http://evil.example/mcp HTTP/1.1\r\nHost: {HOST}", 421),
        (f"GET /../../etc/passwd HTTP/1.1\r\nHost: {HOST}", 400),
        (f"TRACE /mcp HTTP/1.1\r\nHost: {HOST}", 405),
        (f"POST /mcp HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: x", 400),
        (f"POST /mcp HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked", 400),
    ],
    ids=["no host", "two hosts", "version", "garbage", "long", "two names", "dots", "trace", "length", "two lengths"],
)
async def test_malformed_request_is_rejected_with_its_status(
    proxy: Proxy, replicas: list[EchoServer], sent: str, status: int
) -> None:
    """No replica receives it."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", proxy.tls_port, ssl=proxy.tls_context, server_hostname=HOST
    )
    writer.write(f"{sent}\r\n\r\n".encode())
    async with asyncio.timeout(15):
        first = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert first.split()[1] == b"%d" % status
    assert not any(each.requests for each in replicas)


async def test_header_line_over_8_kib_is_rejected(client: httpx2.AsyncClient, replicas: list[EchoServer]) -> None:
    """A token of 7 KiB passes, one of 9 KiB gets a 431."""
    taken = await client.get(f"{ADDRESS}/mcp", headers={"Authorization": f"Bearer {'x' * 7_168}"})
    refused = await client.get(f"{ADDRESS}/mcp", headers={"Authorization": f"Bearer {'x' * 9_216}"})

    assert taken.status_code == 200
    assert refused.status_code == 431
    assert refusal(refused).startswith("headers_too_large: ")
    assert sum(len(each.requests) for each in replicas) == 1


async def test_other_host_names_are_rejected(proxy: Proxy, replicas: list[EchoServer]) -> None:
    """In the Host header with a 421; in the TLS handshake nginx sends no certificate."""
    async with proxy.client({"X-API-Key": API_KEY}) as http:
        answer = await http.post(f"{ADDRESS}/mcp", headers={"Host": "evil.example"})
    async with proxy.client({"X-API-Key": API_KEY}) as http:
        with pytest.raises(httpx2.ConnectError) as refused:
            await http.get("https://evil.example/mcp")

    assert answer.status_code == 421
    assert refusal(answer).startswith("wrong_host: ")
    assert "UNRECOGNIZED_NAME" in str(refused.value).upper().replace(" ", "_")
    assert not any(each.requests for each in replicas)


async def test_plain_http_is_rejected_without_a_redirect(proxy: Proxy, replicas: list[EchoServer]) -> None:
    """A client that sends its key without TLS has to notice."""
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"http://127.0.0.1:{proxy.plain_port}/mcp", headers={"Host": HOST, "X-API-Key": API_KEY}
        )

    assert answer.status_code == 403
    assert refusal(answer).startswith("https_only: ")
    assert not any(each.requests for each in replicas)


@pytest.mark.parametrize(
    ("ciphers", "taken"), [("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", False)]
)
async def test_tls_accepts_only_authenticated_encryption(proxy: Proxy, ciphers: str, taken: bool) -> None:
    """TLS 1.2 with GCM is accepted, with CBC it is not."""
    offered = proxy.tls_context
    offered.maximum_version = ssl.TLSVersion.TLSv1_2
    offered.set_ciphers(ciphers)
    with nullcontext() if taken else pytest.raises(ssl.SSLError):
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.tls_port, ssl=offered, server_hostname=HOST)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/", "/docs", "/mcp/", "/sse/x", "/messages", "/healthz/x"])
async def test_non_public_path_is_not_served(client: httpx2.AsyncClient, replicas: list[EchoServer], path: str) -> None:
    """Readiness and metrics are not public; no replica receives the request."""
    answer = await client.get(f"{ADDRESS}{path}")

    assert answer.status_code == 404
    assert refusal(answer) == "not_found: nothing is served at this path; connect to /mcp, or an older client to /sse"
    assert not any(each.requests for each in replicas)


@pytest.mark.parametrize(
    "path", ["/healthz", "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]
)
async def test_public_path_is_served_without_a_key(proxy: Proxy, replicas: list[EchoServer], path: str) -> None:
    """Health for monitoring, metadata for clients that have to fetch a token."""
    async with proxy.client() as http:
        assert (await http.get(f"{ADDRESS}{path}")).status_code == 200

    assert [seen.path for each in replicas for seen in each.requests] == [path]


async def test_forwarding_headers_of_the_client_are_replaced(
    client: httpx2.AsyncClient, replicas: list[EchoServer]
) -> None:
    """Host and keys pass; nginx sets the request id and the address."""
    forged = {
        "X-Request-ID": "forged",
        "X-Forwarded-For": "forged",
        "Forwarded": "forged",
        "X-Forwarded-Host": "forged",
    }
    answer = await client.post(f"{ADDRESS}/messages/?session_id=7", headers=forged)

    ((seen,),) = [each.requests for each in replicas if each.requests]
    assert seen.path == "/messages/?session_id=7"
    assert seen.headers["host"] == HOST
    assert seen.headers["x-api-key"] == API_KEY
    assert seen.headers["x-forwarded-for"] == "127.0.0.1"
    assert seen.headers["x-forwarded-proto"] == "https"
    assert answer.headers.get_list("x-request-id") == [seen.headers["x-request-id"]]
    assert "forged" not in seen.headers.values()
    assert "connection" not in seen.headers
    assert answer.headers["strict-transport-security"]
    assert answer.headers["server"] == "nginx"


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_events_are_not_buffered(client: httpx2.AsyncClient, replicas: list[EchoServer], path: str) -> None:
    """The client has the first event before the replica has sent the second."""
    async with client.stream("GET", f"{ADDRESS}{path}", headers={"X-Do": "stream"}) as answer:
        events = answer.aiter_lines()

        assert await anext(events) == "data: first"
        for each in replicas:
            each.continue_stream.set()
        assert "data: second" in [line async for line in events]


async def test_replica_notices_that_the_client_disconnected(
    client: httpx2.AsyncClient, replicas: list[EchoServer]
) -> None:
    """Its call can be cancelled only if nginx closes its connection as well."""
    async with client.stream("POST", f"{ADDRESS}/mcp", headers={"X-Do": "stream"}) as answer:
        assert await anext(answer.aiter_lines()) == "data: first"

    (reached,) = [each for each in replicas if each.requests]
    assert await asyncio.to_thread(reached.client_left.wait, 15)


async def test_connections_to_replicas_are_reused(
    client: httpx2.AsyncClient, proxy: Proxy, replicas: list[EchoServer]
) -> None:
    """Forty requests need one or two connections per worker."""
    for _ in range(40):
        await client.post(f"{ADDRESS}/mcp")

    ((*seen,),) = [each.requests for each in replicas if each.requests]
    assert len(seen) == 40
    assert len({each.source for each in seen}) <= 4


async def test_nginx_logs_no_key_and_no_query_string(tmp_path: Path) -> None:
    """In access log and error log, with and without TLS, for all sizes, with a stopped replica."""
    with free_ports(2) as ports, run_nginx(tmp_path / "nginx", ports) as proxy, run_echo_server(ports[0]) as alive:
        statuses = set()
        secret = {
            "X-API-Key": API_KEY,
            "Authorization": f"Bearer {API_KEY}",
            "Referer": f"{ADDRESS}/?{API_KEY}",
            "Cookie": API_KEY,
        }
        async with proxy.client(secret) as http:
            for path in ("/mcp", "/sse", "/messages/", "/healthz", "/metrics", f"/{'x' * 9_000}"):
                for extra in ({}, {"X-Do": "hang-up"}, {"Host": "evil.example"}, {"X-Long": "x" * 9_000}):
                    for content in (b"{}", API_KEY.encode() * 50_000):
                        answer = await http.post(f"{ADDRESS}{path}?key={API_KEY}", headers=extra, content=content)
                        statuses.add(answer.status_code)
        async with httpx2.AsyncClient(headers=secret) as http:
            for port in (proxy.plain_port, proxy.tls_port):
                statuses.add((await http.get(f"http://127.0.0.1:{port}/mcp?key={API_KEY}")).status_code)
        assert alive.requests

        assert statuses == {200, 400, 403, 404, 413, 414, 421, 431, 502}
        assert API_KEY not in proxy.read_output()


async def test_health_checks_are_not_logged(client: httpx2.AsyncClient, proxy: Proxy) -> None:
    """Monitoring sends one every few seconds."""
    await client.get(f"{ADDRESS}/healthz")
    await client.post(f"{ADDRESS}/mcp")
    proxy.answered.pop(0)

    assert proxy.answered_lines() == proxy.log_lines()


async def test_access_log_line_describes_the_request(
    client: httpx2.AsyncClient, proxy: Proxy, replicas: list[EchoServer]
) -> None:
    """One line of JSON per request: time, client, request, replica, duration, and the id that both sides know."""
    answer = await client.post(f"{ADDRESS}/mcp", headers=MODERN)

    (line,) = proxy.answered_lines()
    assert line == {
        "time": line["time"],
        "request_id": answer.headers["x-request-id"],
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/mcp",
        "status": 200,
        "sent": len(answer.content),
        "seconds": line["seconds"],
        "era": "modern",
        "replica": f"127.0.0.1:{answer.json()['replica']}",
        "replica_status": "200",
        "replica_seconds": line["replica_seconds"],
    }


def test_nginx_buffers_no_request_on_disk(proxy: Proxy) -> None:
    """Bodies and answers stay in memory: the file system may be read-only, and no contact is left on it."""
    folders = [path for path in proxy.folder.iterdir() if path.is_dir()]

    assert {path.name for path in folders} == {
        f"nginx-{name}" for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi")
    }
    assert not any(file for folder in folders for file in folder.rglob("*"))
