"""The deployment's processes: nginx with our configuration, its replicas, and hosts that connect through it.

Replicas are either real servers, as compose.yaml starts them (`run_fleet`), or servers that only report what they
received (`run_echo_server`).
"""

import json
import re
import shutil
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from deploy.files import DEPLOY, HOST, compose_settings, image_instructions, read_compose
from support import processes
from support.hosts import Host, Person
from support.services import HttpAnswer, ReceivedRequest, directory_service, serve_in_threads

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

_CALL_TIMEOUT_SECONDS, _HOST_TIMEOUT_SECONDS = 15.0, 60.0


@dataclass(frozen=True)
class AnsweredRequest:
    """A request that was answered: its id, its method, and the tool in its header, which only modern hosts send."""

    request_id: str
    method: str
    tool: str


@dataclass(frozen=True)
class Proxy:
    process: processes.ChildProcess
    folder: Path
    tls_port: int
    plain_port: int
    health_port: int
    answered: list[AnsweredRequest] = field(default_factory=list)
    """The requests of the clients of `client` that were answered, in order."""

    @property
    def tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "tls.crt"))

    def client(
        self, headers: dict[str, str] | None = None, timeout: Any = processes.MAX_WAIT_SECONDS, auth: Any = None
    ) -> httpx2.AsyncClient:
        """A client that connects to this nginx for every host name."""
        return httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth, transport=_ProxyTransport(self))

    def answered_lines(self, *, open_streams: bool = False) -> list[dict[str, Any]]:
        """The access log's lines of the answered requests, in order. An open stream has no line yet."""
        wanted = [each.request_id for each in self.answered if not (open_streams and each.method == "GET")]
        processes.block_until(
            lambda: set(wanted) <= {line["request_id"] for line in self.log_lines()}, "a line is missing"
        )
        lines = {line["request_id"]: line for line in self.log_lines()}
        return [lines[name] for name in wanted]

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.process.written.splitlines() if line.startswith("{")]

    def read_output(self) -> str:
        """Everything that nginx has written: both logs, and all other files in its folder."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return "\n".join(path.read_text(errors="replace") for path in files if path.suffix not in {".key", ".conf"})


class _ProxyTransport(httpx2.AsyncBaseTransport):
    """Connects to nginx for every name, as if a DNS server resolved it so. The Host header and the TLS name stay."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._inner = httpx2.AsyncHTTPTransport(verify=proxy.tls_context)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        extensions = {"sni_hostname": request.url.host, **request.extensions}
        response = await self._inner.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1", port=self._proxy.tls_port),
                headers=request.headers,
                stream=request.stream,
                extensions=extensions,
            )
        )
        if "x-request-id" in response.headers:
            tool = request.headers.get("mcp-name", "")
            self._proxy.answered.append(AnsweredRequest(response.headers["x-request-id"], request.method, tool))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


@contextmanager
def run_nginx(folder: Path, replicas: Sequence[int], **directives: str) -> Iterator[Proxy]:
    """Run nginx in front of `replicas`, two ports of this machine.

    `directives` replace values of our configuration, for limits that a test cannot reach.
    """
    with processes.free_ports(3) as (tls, plain, health):
        command = [*prepare_nginx(folder, replicas, tls, plain, health), "-g", "daemon off;"]
        for name, value in directives.items():
            text, occurrences = re.subn(rf"\b{name} [^;]+;", f"{name} {value};", (folder / "nginx.conf").read_text())
            assert occurrences == 1, name
            (folder / "nginx.conf").write_text(text)
        with processes.ChildProcess(folder / "output", command, "start worker process") as running:
            yield Proxy(running, folder, tls, plain, health)


def prepare_nginx(folder: Path, replicas: Sequence[int], tls: int, plain: int, health: int) -> list[str]:
    """Write our configuration with the ports and folder of the test, and a certificate. Returns nginx's command."""
    assert NGINX is not None
    folder.mkdir()
    _write_certificate(folder)
    text = (DEPLOY / "nginx.conf").read_text()
    for original, replacement, occurrences in [
        ("contacts-1:8000", f"127.0.0.1:{replicas[0]}", 2),
        ("contacts-2:8000", f"127.0.0.1:{replicas[1]}", 2),
        ("/run/secrets/tls.", f"{folder}/tls.", 2),
        ("listen 8443 ", f"listen 127.0.0.1:{tls} ", 2),
        ("listen 8080 ", f"listen 127.0.0.1:{plain} ", 1),
        ("listen 127.0.0.1:8081;", f"listen 127.0.0.1:{health};", 1),
        (" /tmp/nginx", f" {folder}/nginx", 6),
    ]:
        assert text.count(original) == occurrences, original
        text = text.replace(original, replacement)
    (folder / "nginx.conf").write_text(text)
    return [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _write_certificate(folder: Path) -> None:
    """Write a self-signed certificate for HOST as tls.crt and tls.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "tls.crt").write_bytes(certificate.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(secret)
    (folder / "tls.key").chmod(0o400)


@dataclass
class Fleet:
    """Two servers behind nginx."""

    proxy: Proxy
    servers: list[processes.ListeningServer]

    @asynccontextmanager
    async def host(self, era: str, person: Person | None = None, *, sse: bool = False) -> AsyncIterator[Host]:
        """A host with the SDK's client that connects to the fleet by its public name. Its waits are bounded."""
        headers = {"X-API-Key": processes.API_KEY}
        async with AsyncExitStack() as opened:
            opened.enter_context(anyio.fail_after(_HOST_TIMEOUT_SECONDS))
            if sse:
                transport = sse_client(f"https://{HOST}/sse", headers=headers, httpx_client_factory=self.proxy.client)
            else:
                http = await opened.enter_async_context(self.proxy.client(headers))
                transport = streamable_http_client(f"https://{HOST}/mcp", http_client=http)
            client = Client(
                transport, mode=era, elicitation_callback=person, read_timeout_seconds=_CALL_TIMEOUT_SECONDS
            )
            yield Host(await opened.enter_async_context(client))

    def replicas_called(self, tool: str) -> list[str]:
        """The replicas that received the calls of a tool from modern hosts, in order."""
        lines = zip(self.proxy.answered_lines(), self.proxy.answered, strict=True)
        return [line["replica"] for line, answered in lines if answered.tool == tool]

    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{server.port}" for server in self.servers]


@contextmanager
def run_fleet(home: Path, *, own_keys: bool = False, **variables: str) -> Iterator[Fleet]:
    """Run the platform, two servers and nginx. `variables` override those of compose.yaml.

    With `own_keys` the servers have different state keys.
    """
    with ExitStack() as running:
        address = running.enter_context(directory_service(home))
        servers = []
        for number, metrics in enumerate(running.enter_context(processes.free_ports(2))):
            own = {"WAYSCLOUD_API_URL": address, "CONTACTS_MCP_METRICS_PORT": str(metrics)}
            own["CONTACTS_MCP_LINKS"] = str(home / "links")
            if own_keys:
                own["CONTACTS_MCP_STATE_KEYS"] = f"{number}" * 64
            servers.append(_build_server(home / f"{number}", {**compose_settings(), **own, **variables}))
        for server in servers:
            running.enter_context(server)
        yield Fleet(running.enter_context(run_nginx(home / "nginx", [server.port for server in servers])), servers)


def _build_server(home: Path, variables: dict[str, str]) -> processes.ListeningServer:
    """A server with the image's command on a loopback port. Empty variables are left out."""
    words = image_instructions()["CMD"].words
    words[words.index("--port") + 1] = "0"
    words[words.index("--host") + 1] = "127.0.0.1"
    return processes.ListeningServer(
        home, "contacts_mcp", *words, **{name: value for name, value in variables.items() if value}
    )


@contextmanager
def run_compose_redis() -> Iterator[str]:
    """Run Redis with the command of compose.yaml, and yield its URL."""
    _, *options = read_compose()["services"]["redis"]["command"]
    with processes.free_port() as port, processes.run_redis(port, *options):
        yield f"redis://127.0.0.1:{port}/0"


@dataclass
class EchoServer:
    """A replica that records its requests and answers with its port.

    `X-Do: hang-up` makes it close the connection without an answer, `X-Do: stream` makes it send events.
    """

    port: int
    requests: list[ReceivedRequest] = field(default_factory=list)
    continue_stream: threading.Event = field(default_factory=threading.Event)
    """Set by the test to make it send the second event."""
    client_left: threading.Event = field(default_factory=threading.Event)
    """Set when the client of a stream has disconnected."""

    def respond(self, request: BaseHTTPRequestHandler, body: bytes) -> HttpAnswer | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(ReceivedRequest(request.command, request.path, headers, body, request.client_address))
        if headers.get("x-do") == "stream":
            self._stream(request)
        if headers.get("x-do"):
            return None
        content = {"Content-Type": "application/json", "X-Request-ID": "the replica's"}
        return 200, json.dumps({"replica": self.port}).encode(), content

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        """Send an event, wait for the test or for the client to disconnect, then send another event."""
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"data: first\n\n")
        request.connection.settimeout(0.05)
        while not self.continue_stream.is_set():
            try:
                if request.connection.recv(1) == b"":
                    self.client_left.set()
                    return
            except TimeoutError:
                continue
        request.wfile.write(b"data: second\n\n")


@contextmanager
def run_echo_server(port: int) -> Iterator[EchoServer]:
    echo = EchoServer(port)
    with serve_in_threads(echo.respond, port, "HTTP/1.1"):
        yield echo
        echo.continue_stream.set()
