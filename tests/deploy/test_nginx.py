"""What nginx.conf makes of requests: which replica, what is repeated, what is refused, what is written down."""

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

from deploy.echo import Replica, replica
from deploy.running import HOST, Proxy, needs_nginx, nginx, prepare
from support.processes import API_KEY, free_ports

pytestmark = [needs_nginx, pytest.mark.system]
ADDRESS = f"https://{HOST}"
MODERN = {"Mcp-Protocol-Version": "2026-07-28"}


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    with ExitStack() as running:
        ports = running.enter_context(free_ports(2))
        yield [running.enter_context(replica(port)) for port in ports]


@pytest.fixture
def proxy(tmp_path: Path, replicas: list[Replica]) -> Iterator[Proxy]:
    with nginx(tmp_path / "nginx", [each.port for each in replicas]) as running:
        yield running


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[httpx2.AsyncClient]:
    async with proxy.client({"X-API-Key": API_KEY}) as http:
        yield http


def refusal(response: httpx2.Response) -> str:
    """The line of a refusal, which looks like the server's own."""
    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", None)
    assert answer["error"]["code"] in (-32600, -32603)
    return str(answer["error"]["message"])


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    """`nginx -t` over the file with the operator's names filled in: no error, and no warning."""
    with free_ports(5) as ports:
        command = [*prepare(tmp_path / "nginx", ports[:2], *ports[2:]), "-t"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "test is successful" in done.stderr
    assert not re.search(r"\[(warn|error|crit|alert|emerg)\]", done.stderr), done.stderr


async def test_modern_requests_go_to_any_replica(client: httpx2.AsyncClient, replicas: list[Replica]) -> None:
    """One caller's modern requests are spread."""
    for _ in range(8):
        await client.post(f"{ADDRESS}/mcp", headers=MODERN)

    assert [len(each.seen) for each in replicas] == [4, 4]


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_what_is_legacy_stays_with_one_replica(
    client: httpx2.AsyncClient, replicas: list[Replica], header: str
) -> None:
    """No version, a version of the handshake, one nobody knows, the older transport: one caller, one replica."""
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

    assert sorted(len(each.seen) for each in replicas) == [0, 3 * len(versions) + 4]


@pytest.mark.load
async def test_callers_are_spread_over_the_replicas(proxy: Proxy, replicas: list[Replica]) -> None:
    """Each of forty callers comes three times: always to the same replica, and not all to one."""
    async with proxy.client() as http:
        for number in range(40):
            came = {
                (await http.post(f"{ADDRESS}/mcp", headers={"X-API-Key": f"{API_KEY}{number}"})).text for _ in range(3)
            }
            assert len(came) == 1

    assert min(len(each.seen) for each in replicas) >= 3 * 8


@pytest.mark.parametrize("version", [None, "2026-07-28"])
async def test_a_post_that_may_have_been_done_is_not_repeated(
    client: httpx2.AsyncClient, replicas: list[Replica], version: str | None
) -> None:
    """A replica takes the request and dies: the client is told to read back, and nobody else is asked."""
    headers = {"X-Do": "hang-up"} | ({"Mcp-Protocol-Version": version} if version else {})
    answer = await client.post(f"{ADDRESS}/mcp", headers=headers, content=b"{}")

    assert answer.status_code == 502
    assert refusal(answer) == (
        "unreachable: no replica answered; before a change is repeated, read back whether it was made"
    )
    assert sum(len(each.seen) for each in replicas) == 1


async def test_a_post_on_a_kept_connection_that_dies_is_not_repeated(
    client: httpx2.AsyncClient, replicas: list[Replica]
) -> None:
    """nginx may try a kept connection again where a method is idempotent; a POST is not."""
    for _ in range(4):
        await client.post(f"{ADDRESS}/mcp", headers=MODERN)
    for _ in range(4):
        answer = await client.post(f"{ADDRESS}/mcp", headers={**MODERN, "X-Do": "hang-up"}, content=b"{}")
        assert answer.status_code == 502

    assert sum("x-do" in seen.headers for each in replicas for seen in each.seen) == 4


@pytest.mark.parametrize("headers", [{}, MODERN], ids=["legacy", "modern"])
async def test_a_replica_that_is_down_costs_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    """A request that could not be sent goes to the other replica, a POST as well."""
    with free_ports(2) as ports, replica(ports[1]) as other, nginx(tmp_path / "nginx", ports) as proxy:
        async with proxy.client() as http:
            for number in range(12):
                answer = await http.post(f"{ADDRESS}/mcp", headers={**headers, "X-API-Key": f"{API_KEY}{number}"})
                assert answer.json() == {"replica": ports[1]}

        assert len(other.seen) == 12
        assert any(line["replica_status"] == "502, 200" for line in proxy.log())


async def test_bodies_are_taken_up_to_a_mebibyte(client: httpx2.AsyncClient, replicas: list[Replica]) -> None:
    """The limit itself passes unharmed; more, declared or not, is a 413 that no replica hears of."""
    body = b"x" * (1024 * 1024)

    async def undeclared() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    taken = await client.post(f"{ADDRESS}/mcp", content=body)
    refused = [await client.post(f"{ADDRESS}/mcp", content=each) for each in (body + b"x", 2 * body, undeclared())]

    assert taken.status_code == 200
    assert [answer.status_code for answer in refused] == [413] * 3
    assert {refusal(answer) for answer in refused} == {
        "too_large: the body is over 1 MiB; nothing was changed, send less"
    }
    assert [seen.body for each in replicas for seen in each.seen] == [body]


async def test_one_address_cannot_hold_every_connection(tmp_path: Path, replicas: list[Replica]) -> None:
    """Streams over the limit are a 429 that a client can read; one that ends makes room for another."""
    with nginx(tmp_path / "nginx", [each.port for each in replicas], limit_conn="addresses 2") as proxy:
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
async def test_what_is_no_request_is_no_failure(proxy: Proxy, replicas: list[Replica], sent: str, status: int) -> None:
    """Whatever comes in is refused as what it is, and no replica hears of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.tls, ssl=proxy.trust, server_hostname=HOST)
    writer.write(f"{sent}\r\n\r\n".encode())
    async with asyncio.timeout(15):
        first = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert first.split()[1] == b"%d" % status
    assert not any(each.seen for each in replicas)


async def test_long_header_lines_are_refused(client: httpx2.AsyncClient, replicas: list[Replica]) -> None:
    """A token of 7 KiB passes, one of 9 KiB is a 431."""
    taken = await client.get(f"{ADDRESS}/mcp", headers={"Authorization": f"Bearer {'x' * 7_168}"})
    refused = await client.get(f"{ADDRESS}/mcp", headers={"Authorization": f"Bearer {'x' * 9_216}"})

    assert taken.status_code == 200
    assert refused.status_code == 431
    assert refusal(refused).startswith("headers_too_large: ")
    assert sum(len(each.seen) for each in replicas) == 1


async def test_a_wrong_host_is_refused(proxy: Proxy, replicas: list[Replica]) -> None:
    """Under another name in Host nothing is served; under another name in the handshake no certificate is shown."""
    async with proxy.client({"X-API-Key": API_KEY}) as http:
        answer = await http.post(f"{ADDRESS}/mcp", headers={"Host": "evil.example"})
    async with proxy.client({"X-API-Key": API_KEY}) as http:
        with pytest.raises(httpx2.ConnectError) as refused:
            await http.get("https://evil.example/mcp")

    assert answer.status_code == 421
    assert refusal(answer).startswith("wrong_host: ")
    assert "UNRECOGNIZED_NAME" in str(refused.value).upper().replace(" ", "_")
    assert not any(each.seen for each in replicas)


async def test_nothing_is_served_in_the_clear(proxy: Proxy, replicas: list[Replica]) -> None:
    """Not even a redirect: a client that sends its key in the clear has to notice."""
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"http://127.0.0.1:{proxy.plain}/mcp", headers={"Host": HOST, "X-API-Key": API_KEY})

    assert answer.status_code == 403
    assert refusal(answer).startswith("https_only: ")
    assert not any(each.seen for each in replicas)


@pytest.mark.parametrize(
    ("ciphers", "taken"), [("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", False)]
)
async def test_tls_is_authenticated_encryption_alone(proxy: Proxy, ciphers: str, taken: bool) -> None:
    """TLS 1.2 with GCM is taken, with CBC it is not."""
    offered = proxy.trust
    offered.maximum_version = ssl.TLSVersion.TLSv1_2
    offered.set_ciphers(ciphers)
    with nullcontext() if taken else pytest.raises(ssl.SSLError):
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.tls, ssl=offered, server_hostname=HOST)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/", "/docs", "/mcp/", "/sse/x", "/messages", "/healthz/x"])
async def test_only_what_clients_need_is_served(client: httpx2.AsyncClient, replicas: list[Replica], path: str) -> None:
    """Readiness and metrics are no business of clients; no replica hears of them."""
    answer = await client.get(f"{ADDRESS}{path}")

    assert answer.status_code == 404
    assert refusal(answer) == "not_found: nothing is served at this path; connect to /mcp, or an older client to /sse"
    assert not any(each.seen for each in replicas)


@pytest.mark.parametrize(
    "path", ["/healthz", "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]
)
async def test_what_clients_need_without_a_key_is_served(proxy: Proxy, replicas: list[Replica], path: str) -> None:
    """Health for whoever watches from outside, metadata for whoever has to fetch a token."""
    async with proxy.client() as http:
        assert (await http.get(f"{ADDRESS}{path}")).status_code == 200

    assert [seen.path for each in replicas for seen in each.seen] == [path]


async def test_a_replica_learns_who_asks_from_nginx_alone(client: httpx2.AsyncClient, replicas: list[Replica]) -> None:
    """Host and keys pass; the request's id and the address are ours, whatever the client says of itself."""
    forged = {
        "X-Request-ID": "forged",
        "X-Forwarded-For": "forged",
        "Forwarded": "forged",
        "X-Forwarded-Host": "forged",
    }
    answer = await client.post(f"{ADDRESS}/messages/?session_id=7", headers=forged)

    ((seen,),) = [each.seen for each in replicas if each.seen]
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
async def test_events_pass_as_they_come(client: httpx2.AsyncClient, replicas: list[Replica], path: str) -> None:
    """The first event is with the client while the replica has not sent the second."""
    async with client.stream("GET", f"{ADDRESS}{path}", headers={"X-Do": "stream"}) as answer:
        events = answer.aiter_lines()

        assert await anext(events) == "data: first"
        for each in replicas:
            each.go_on.set()
        assert "data: second" in [line async for line in events]


async def test_a_client_that_hangs_up_is_noticed_by_the_replica(
    client: httpx2.AsyncClient, replicas: list[Replica]
) -> None:
    """Its call can be cancelled only if nginx hangs up as well."""
    async with client.stream("POST", f"{ADDRESS}/mcp", headers={"X-Do": "stream"}) as answer:
        assert await anext(answer.aiter_lines()) == "data: first"

    (reached,) = [each for each in replicas if each.seen]
    assert await asyncio.to_thread(reached.left.wait, 15)


async def test_connections_to_replicas_are_kept(
    client: httpx2.AsyncClient, proxy: Proxy, replicas: list[Replica]
) -> None:
    """Forty requests take a connection or two a worker, not forty."""
    for _ in range(40):
        await client.post(f"{ADDRESS}/mcp")

    ((*seen,),) = [each.seen for each in replicas if each.seen]
    assert len(seen) == 40
    assert len({each.source for each in seen}) <= 4


async def test_no_key_and_no_query_string_is_written_down(tmp_path: Path) -> None:
    """Neither where all is well nor where nginx has to complain, in the clear, over TLS, of any size, to no replica."""
    with free_ports(2) as ports, nginx(tmp_path / "nginx", ports) as proxy, replica(ports[0]) as alive:
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
            for port in (proxy.plain, proxy.tls):
                statuses.add((await http.get(f"http://127.0.0.1:{port}/mcp?key={API_KEY}")).status_code)
        assert alive.seen

        assert statuses == {200, 400, 403, 404, 413, 414, 421, 431, 502}
        assert API_KEY not in proxy.written()


async def test_health_checks_do_not_fill_the_log(client: httpx2.AsyncClient, proxy: Proxy) -> None:
    """Whoever watches comes every few seconds."""
    await client.get(f"{ADDRESS}/healthz")
    await client.post(f"{ADDRESS}/mcp")
    proxy.answered.pop(0)

    assert proxy.log() == proxy.lines()


async def test_the_log_says_what_happened(client: httpx2.AsyncClient, proxy: Proxy, replicas: list[Replica]) -> None:
    """One line of JSON a request: when, who, what, which replica, how long, and the id that both sides know."""
    answer = await client.post(f"{ADDRESS}/mcp", headers=MODERN)

    (line,) = proxy.log()
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


def test_nginx_writes_nothing_of_a_request_to_its_disk(proxy: Proxy) -> None:
    """Bodies and answers stay in memory, so that a read-only file system does and no contact lies about."""
    folders = [path for path in proxy.folder.iterdir() if path.is_dir()]

    assert {path.name for path in folders} == {
        f"nginx-{name}" for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi")
    }
    assert not any(file for folder in folders for file in folder.rglob("*"))
