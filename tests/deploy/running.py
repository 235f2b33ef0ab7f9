"""A real nginx over examples/deploy/nginx.conf, as an ordinary child in a folder of the test's own."""

import json
import re
import shutil
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.processes import MAX_WAIT_SECONDS, ChildProcess, block_until, free_ports

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
HOST = "contacts.example.com"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@dataclass(frozen=True)
class Answered:
    """A request that was answered: its id, its method, and the tool that a modern host called by it."""

    request_id: str
    method: str
    tool: str


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    process: ChildProcess
    folder: Path
    tls: int
    plain: int
    alive: int
    answered: list[Answered] = field(default_factory=list)
    """What clients of `client` were answered, in their order."""

    @property
    def trust(self) -> ssl.SSLContext:
        """Trusts the test's certificate alone, and checks the name."""
        return ssl.create_default_context(cafile=str(self.folder / "tls.crt"))

    def client(self, headers: dict[str, str] | None = None, **options: Any) -> httpx2.AsyncClient:
        """A client for which every name leads to this nginx."""
        options.setdefault("timeout", httpx2.Timeout(MAX_WAIT_SECONDS))
        return httpx2.AsyncClient(headers=headers, transport=_Here(self), **options)

    def log(self, *, open_streams: bool = False) -> list[dict[str, Any]]:
        """The lines of the access log for what was answered, in that order; an open stream has no line yet."""
        wanted = [each.request_id for each in self.answered if not (open_streams and each.method == "GET")]
        block_until(lambda: set(wanted) <= {line["request_id"] for line in self.lines()}, "a line is missing")
        lines = {line["request_id"]: line for line in self.lines()}
        return [lines[name] for name in wanted]

    def lines(self) -> list[dict[str, Any]]:
        """Every line that is in the access log by now."""
        return [json.loads(line) for line in self.process.written.splitlines() if line.startswith("{")]

    def written(self) -> str:
        """All that nginx has written: both logs, and whatever else is in its folder."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return "\n".join(path.read_text(errors="replace") for path in files if path.suffix not in {".key", ".conf"})


class _Here(httpx2.AsyncBaseTransport):
    """Leads every name to one port of this machine, as a name server would; Host and the name in TLS stay."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._inner = httpx2.AsyncHTTPTransport(verify=proxy.trust)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        extensions = {"sni_hostname": request.url.host, **request.extensions}
        response = await self._inner.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1", port=self._proxy.tls),
                headers=request.headers,
                stream=request.stream,
                extensions=extensions,
            )
        )
        if "x-request-id" in response.headers:
            tool = request.headers.get("mcp-name", "")
            self._proxy.answered.append(Answered(response.headers["x-request-id"], request.method, tool))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def rendered(folder: Path, replicas: Sequence[int], tls: int, plain: int, alive: int) -> str:
    """Our configuration with what is the operator's filled in, and with the test's folder for /tmp."""
    text = (DEPLOY / "nginx.conf").read_text()
    for theirs, ours, times in [
        ("contacts-1:8000", f"127.0.0.1:{replicas[0]}", 2),
        ("contacts-2:8000", f"127.0.0.1:{replicas[1]}", 2),
        ("/run/secrets/tls.", f"{folder}/tls.", 2),
        ("listen 8443 ", f"listen 127.0.0.1:{tls} ", 2),
        ("listen 8080 ", f"listen 127.0.0.1:{plain} ", 1),
        ("listen 127.0.0.1:8081;", f"listen 127.0.0.1:{alive};", 1),
        (" /tmp/nginx", f" {folder}/nginx", 6),
    ]:
        assert text.count(theirs) == times, theirs
        text = text.replace(theirs, ours)
    return text


def prepare(folder: Path, replicas: Sequence[int], tls: int, plain: int, alive: int) -> list[str]:
    """Write the configuration and a certificate; the command that runs nginx over them."""
    folder.mkdir()
    make_certificate(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(rendered(folder, replicas, tls, plain, alive))
    assert NGINX is not None
    return [NGINX, "-p", str(folder), "-c", str(configuration), "-e", "stderr"]


def change(configuration: Path, directives: Mapping[str, str]) -> None:
    """Give directives that stand there once another value."""
    for name, value in directives.items():
        text, times = re.subn(rf"\b{name} [^;]+;", f"{name} {value};", configuration.read_text())
        assert times == 1, name
        configuration.write_text(text)


@contextmanager
def nginx(folder: Path, replicas: Sequence[int], **changed: str) -> Iterator[Proxy]:
    """Run nginx before `replicas`, two ports of this machine, until the end; it is ended by its process id.

    `changed` are directives with another value than ours, for limits that are too far away for a test.
    """
    with free_ports(3) as (tls, plain, alive):
        command = [*prepare(folder, replicas, tls, plain, alive), "-g", "daemon off;"]
        change(folder / "nginx.conf", changed)
        with ChildProcess(folder / "output", command, "start worker process") as running:
            yield Proxy(running, folder, tls, plain, alive)


def make_certificate(folder: Path) -> None:
    """A certificate for HOST that signs itself, as tls.crt and tls.key."""
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
