"""Real processes: keys appear nowhere, and personal data only in results and the directory."""

import asyncio
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support import processes
from support.hosts import MODERN
from support.postgres import run_postgres
from support.raw_hosts import CONTENT, FORMS, Headers, HttpConnection, ModernConnection, modern
from support.services import CONTACT_ID, ScriptedServer, directory_service, reply
from support.telemetry import collecting, scrape
from support.trust_summary import Tried
from transports.http.issuer import AUDIENCE, RSA_TOO, LoopbackIssuer
from trust.leaks import (
    OTHER,
    PERSON,
    PERSONAL,
    RecordingHost,
    call_broken_directory,
    files_below,
    find_seeds,
    halves,
    secret_of,
    send_invalid_requests,
    use_every_feature,
)

DIRECTORY = ("contacts.db", "service.db", "shared/exports/", ".wayscloud/credentials")
"""Files that may hold the data: the directory itself, and the file that a key is read from."""
KEY = f"wayscloud_pat_seed1_{secret_of('key')}"
TOKEN = f"wayscloud_pat_seed2_{secret_of('token')}"
BEARER = secret_of("bearer")
STORED = f"wayscloud_pat_seed3_{secret_of('file')}"
STATE = secret_of("state")
REDIS = secret_of("redis")
POSTGRES = secret_of("postgres")
each_format = pytest.mark.parametrize("form", ["text", "json"])


@dataclass
class Evidence:
    """The output of a server: `told` may hold personal data, `written` must not; neither may hold a secret."""

    secrets: dict[str, str] = field(default_factory=dict)
    shown: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)

    def hide(self, name: str, secret: str) -> None:
        for number, piece in enumerate(halves(secret)):
            self.secrets[f"{name} ({number})"] = piece

    def check(self, tried: Tried) -> None:
        everything = self.shown | self.written
        leaks = find_seeds(everything, self.secrets) + find_seeds(self.written, PERSONAL)
        assert not leaks, "\n".join(leaks)
        assert find_seeds(self.shown, PERSONAL), "the personal data was not even told to those who asked for it"
        tried("leaks found", len(leaks))
        tried("bytes searched for secrets", sum(map(len, everything.values())))


def settings(form: str, **more: str) -> dict[str, str]:
    return {"CONTACTS_MCP_LOG_LEVEL": "DEBUG", "CONTACTS_MCP_LOG_FORMAT": form, **more}


@contextmanager
def over_stdio(
    home: Path, evidence: Evidence, **variables: str
) -> Iterator[tuple[processes.StdioServer, RecordingHost]]:
    """A server on pipes, and the data on them as evidence."""
    heard = bytearray()
    server = processes.StdioServer(home, **variables)
    numbers = iter(range(1, 1_000_000))

    async def ask(method: str, **params: Any) -> dict[str, Any]:
        message = modern(next(numbers), method, FORMS, **params)
        server.write_line(json.dumps(message).encode())
        while line := await asyncio.to_thread(server.read_line):
            heard.extend(line)
            if (answer := json.loads(line)).get("id") == message["id"]:
                return answer
        raise AssertionError(server.written)

    with server:
        host = RecordingHost(ask)
        yield server, host
        rest = server.process.communicate(timeout=30)[0]
    evidence.shown["standard output"] = bytes(heard) + rest
    collect(evidence, home, host)


def collect(evidence: Evidence, home: Path, host: RecordingHost) -> None:
    """Add the files below the home folder, including the log, and the error messages."""
    evidence.written |= files_below(home, DIRECTORY_BELOW)
    evidence.written["errors"] = json.dumps(host.errors, ensure_ascii=False).encode()
    assert host.errors
    assert b"DEBUG" in b"".join(text for name, text in evidence.written.items() if name.startswith("stderr"))


DIRECTORY_BELOW = tuple(f"{folder}{name}" for name in DIRECTORY for folder in ("", "data/wayscloud-contacts-mcp/"))


def break_directory(path: Path) -> None:
    """Drop tables of a running server, so that statements with people's data fail."""
    database = sqlite3.connect(path)
    for table in ("contact_terms", "spellings", "contact_groups", "contacts"):
        database.execute(f"DROP TABLE {table}")
    database.close()


_BROKEN = {"jsonrpc": "2.0", "id": {"name": PERSON["name"]}, "method": 5, "params": KEY}
_STRAY_MESSAGES = [
    *(_BROKEN, [PERSON, KEY], {"jsonrpc": "2.0", "method": PERSON["name"], "params": PERSON}),
    {"jsonrpc": "2.0", "id": 7, "result": PERSON},
]
RUBBISH = [
    *(f'{{"broken": "{PERSON["name"]}'.encode(), b"\xff" + str(PERSON["email"]).encode()),
    *(json.dumps(message).encode() for message in _STRAY_MESSAGES),
]
"""Lines that are not JSON-RPC, with names and keys in them."""


@each_format
async def test_stdio_server_with_a_directory_leaks_nothing(tmp_path: Path, tried: Tried, form: str) -> None:
    """Valid and invalid requests, invalid lines, a directory that breaks during use, and SIGTERM during a call."""
    evidence = Evidence()
    evidence.hide("state key", STATE)
    home = tmp_path / "home"
    variables = settings(form, CONTACTS_MCP_STATE_KEYS=STATE, CONTACTS_MCP_DIRECTORY=str(home / "contacts.db"))
    with over_stdio(home, evidence, **variables) as (server, host):
        await use_every_feature(host)
        await send_invalid_requests(host)
        server.write(b"".join(line + b"\n" for line in RUBBISH))
        await host.call("create_contact", **PERSON)
        break_directory(home / "contacts.db")
        await call_broken_directory(host)
        server.write_line(
            json.dumps(modern(0, "tools/call", name="find_contacts", arguments={"query": "Zäph"})).encode()
        )
        server.process.send_signal(signal.SIGTERM)

    evidence.check(tried)


CREDENTIALS = {
    "a key": (KEY, {"WAYSCLOUD_API_KEY": KEY}),
    "a token": (TOKEN, {"WAYSCLOUD_TOKEN": TOKEN}),
    "a file": (STORED, {}),
}


@pytest.mark.parametrize("kind", CREDENTIALS)
async def test_stdio_server_with_the_platform_leaks_no_credential(tmp_path: Path, tried: Tried, kind: str) -> None:
    secret, variables = CREDENTIALS[kind]
    evidence, home = Evidence(), tmp_path / "home"
    evidence.hide(kind, secret)
    credentials = home / ".wayscloud" / "credentials"
    credentials.parent.mkdir(parents=True)
    credentials.write_text(json.dumps({"version": 1, "token": STORED}))
    with (
        directory_service(tmp_path, secret) as address,
        over_stdio(home, evidence, **settings("json", WAYSCLOUD_API_URL=address, **variables)) as (_, host),
    ):
        await use_every_feature(host)
        await send_invalid_requests(host)

    evidence.check(tried)


ECHOES = {"key": KEY, "bearer": BEARER, "authorization": f"Bearer {BEARER}"}
FAULTS = [
    reply(status, body, headers=["Retry-After: 0"])
    for status in (200, 400, 401, 403, 404, 409, 422, 429, 500, 503)
    for body in (
        {"error": {"code": "X", "message": f"{KEY} and {BEARER} are wrong", "details": ECHOES}},
        {"detail": [{"loc": ["body", "name"], "msg": f"wrong for {KEY}", "input": {**PERSON, **ECHOES}}]},
        f"Traceback: {KEY} {BEARER}",
    )
]


@pytest.mark.parametrize(
    "variables", [{"WAYSCLOUD_API_KEY": KEY}, {"WAYSCLOUD_TOKEN": BEARER}], ids=["a key", "a bearer token"]
)
async def test_key_repeated_by_a_service_is_not_shown(tmp_path: Path, tried: Tried, variables: dict[str, str]) -> None:
    evidence, home = Evidence(), tmp_path / "home"
    for name, secret in (("key", KEY), ("bearer", BEARER)):
        if secret in variables.values():
            evidence.hide(name, secret)
    async with ScriptedServer() as platform:
        variables = settings("text", WAYSCLOUD_API_URL=platform.url, **variables)
        with over_stdio(home, evidence, **variables) as (_, host):
            for fault in FAULTS:
                platform.answers(fault)
                for tool, arguments in (("create_contact", PERSON), ("list_contacts", {"search": PERSON["name"]})):
                    await host.request("tools/call", name=tool, arguments=arguments)
            platform.answers(reply(200, {"contacts": [{**PERSON, "id": CONTACT_ID}], "total": 1}))
            await host.call("list_contacts")

    evidence.check(tried)


async def test_stdio_server_with_postgresql_leaks_no_password(tmp_path: Path, tried: Tried) -> None:
    """Driver errors could quote the address, which contains the password."""
    evidence, home = Evidence(), tmp_path / "home"
    evidence.hide("password", POSTGRES)
    with run_postgres() as database:
        place = database.create_database().replace("contacts@", f"contacts:{POSTGRES}@")
        with over_stdio(home, evidence, **settings("json", CONTACTS_MCP_DIRECTORY=place)) as (_, host):
            await use_every_feature(host)
            await host.call("create_contact", **PERSON)
            name = place.partition("?")[0].rpartition("/")[2]
            for table in ("contact_terms", "spellings"):
                database.sql(f"DROP TABLE {table}", name)
            await call_broken_directory(host)
            database.crash()
            await call_broken_directory(host, limit=1)
            database.start()

    evidence.check(tried)


@asynccontextmanager
async def over_http(
    server: processes.HttpServer, home: Path, evidence: Evidence, headers: Headers
) -> AsyncIterator[RecordingHost]:
    """A caller of a server over a network, and the data on the wire as evidence."""
    heard: list[str] = []
    with server:
        async with ModernConnection(server.port, headers) as caller:

            async def ask(method: str, **params: Any) -> dict[str, Any]:
                answer = await caller.request(method, **params)
                heard.append(answer.head + answer.body)
                return answer.message

            host = RecordingHost(ask)
            yield host
            heard += [await stray(server.port, *request) for request in STRAY]
            if server.metrics:
                evidence.written["metrics"] = "".join(map(str, scrape(server.metrics))).encode()
        server.end()
    evidence.shown["answers"] = "".join(heard).encode()
    collect(evidence, home, host)


_NAME = quote(str(PERSON["name"]))
WRONG = f"wayscloud_pat_seed4_{secret_of('wrong')}"
_POST = [*CONTENT, ("MCP-Protocol-Version", MODERN)]
STRAY: list[tuple[str, str, Headers, bytes]] = [
    ("GET", f"/{_NAME}?key={WRONG}", [], b""),
    ("GET", f"/mcp?key={WRONG}&name={_NAME}", [("X-API-Key", WRONG)], b""),
    ("DELETE", f"/mcp/{_NAME}", [("Mcp-Session-Id", WRONG)], b""),
    ("POST", "/mcp", [*_POST, ("X-API-Key", WRONG)], json.dumps(modern(1, "tools/list")).encode()),
    ("POST", "/mcp", [*_POST, ("Authorization", f"Bearer {WRONG}")], json.dumps(PERSON).encode()),
    ("POST", "/mcp", [*_POST, ("Authorization", f"Basic {WRONG}")], b'{"name": "' + _NAME.encode()),
    ("POST", f"/messages/?session_id={WRONG}", _POST, json.dumps(PERSON).encode()),
    ("GET", "/sse", [("Origin", f"https://{WRONG}.example.com"), ("User-Agent", WRONG)], b""),
    ("GET", "/healthz", [("Host", f"{WRONG}.example.com")], b""),
]
"""Requests of strangers, with an invalid key and a name in every part."""


async def stray(port: int, method: str, path: str, headers: Headers, body: bytes) -> str:
    async with HttpConnection(port) as wire:
        answer = await wire.exchange(method, path, headers, body)
    return answer.head + answer.body


@processes.needs_redis
async def test_http_server_with_caller_keys_leaks_nothing(tmp_path: Path, tried: Tried) -> None:
    """Also covers the Redis password, state keys, the OTLP collector and the metrics page."""
    evidence, home = Evidence(), tmp_path / "home"
    for name, secret in (("key", KEY), ("wrong key", WRONG), ("state key", STATE), ("Redis' password", REDIS)):
        evidence.hide(name, secret)
    with ExitStack() as stack:
        redis_port, page_port = stack.enter_context(processes.free_ports(2))
        stack.enter_context(processes.run_redis(redis_port, "--requirepass", REDIS))
        address = stack.enter_context(directory_service(tmp_path, KEY))
        collector = stack.enter_context(collecting())
        variables = settings(
            "json",
            WAYSCLOUD_API_URL=address,
            CONTACTS_MCP_STATE_KEYS=STATE,
            CONTACTS_MCP_REDIS_URL=f"redis://:{REDIS}@127.0.0.1:{redis_port}/0",
            CONTACTS_MCP_METRICS_PORT=str(page_port),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        )
        server = processes.HttpServer(home, "--auth", "key", **variables)
        async with over_http(server, home, evidence, [("X-API-Key", KEY)]) as host:
            await use_every_feature(host)
            await send_invalid_requests(host)
        evidence.written["telemetry"] = bytes(collector.received)

    assert collector.spans
    assert evidence.written["metrics"]
    evidence.check(tried)


async def test_http_server_with_oauth_leaks_no_token(tmp_path: Path, tried: Tried) -> None:
    """Valid, expired and foreign tokens over an embedded directory that breaks during use."""
    evidence, home = Evidence(), tmp_path / "home"
    evidence.hide("wrong key", WRONG)
    with LoopbackIssuer() as issuer, collecting() as collector:
        scope = "contacts:read contacts:write contacts:delete"
        tokens = {
            "token": issuer.token(scope=scope, sub=str(PERSON["email"])),
            "expired": issuer.token(exp=1),
            "foreign": issuer.token(RSA_TOO),
        }
        for name, token in tokens.items():
            _, payload, signature = token.split(".")
            evidence.hide(f"{name}'s payload", payload)
            evidence.hide(f"{name}'s signature", signature)
        variables = settings(
            "text",
            CONTACTS_MCP_OAUTH_ISSUER=issuer.url,
            CONTACTS_MCP_OAUTH_AUDIENCE=AUDIENCE,
            CONTACTS_MCP_DIRECTORY=str(home / "contacts.db"),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        )
        server = processes.HttpServer(home, "--auth", "oauth", **variables)
        async with over_http(server, home, evidence, [("Authorization", f"Bearer {tokens['token']}")]) as host:
            await use_every_feature(host)
            await send_invalid_requests(host)
            for token in tokens.values():
                for request in (("GET", f"/mcp?access_token={token}", []), ("GET", "/mcp", [("X-API-Key", token)])):
                    await stray(server.port, *request, b"")
                await stray(server.port, "POST", "/mcp", [*_POST, ("Authorization", f"Bearer {token}")], b"{")
            break_directory(home / "contacts.db")
            await call_broken_directory(host)
        evidence.written["telemetry"] = bytes(collector.received)

    evidence.check(tried)


def make_key(home: Path, **variables: str) -> str:
    """A new key of a served directory."""
    for words in ("migrate", "keys create test"):
        create = [sys.executable, "-m", "contacts_mcp", "directory", *words.split()]
        written = subprocess.check_output(
            create, env=processes.clean_environment(home, **variables), text=True, timeout=60
        )
    return written.strip()


@each_format
async def test_directory_service_leaks_no_key(tmp_path: Path, tried: Tried, form: str) -> None:
    """The command that creates a key shows it once; the service never does."""
    evidence, home = Evidence(), tmp_path / "home"
    variables = settings(form, CONTACTS_MCP_DIRECTORY=str(home / "contacts.db"))
    key = make_key(home, **variables)
    evidence.hide("directory key", key.rpartition("_")[2])
    evidence.hide("wrong key", WRONG)
    heard, errors = [], []
    with processes.ListeningServer(home, "contacts_mcp", "directory", "serve", "--port", "0", **variables) as server:
        url = re.findall(r"listening on (http://[\d.]+:\d+)", server.written)[0]
        async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}) as caller:
            for step in (*REQUESTS, None, *REQUESTS):
                if step is None:
                    break_directory(home / "contacts.db")
                    continue
                method, path, more = step
                answer = await caller.request(method, path, **more)
                (heard if answer.is_success else errors).append(answer.text)
        server.end()

    evidence.shown["answers"] = "".join(heard).encode()
    evidence.written |= {"errors": "".join(errors).encode(), **files_below(home, DIRECTORY_BELOW)}
    assert len(errors) > len(REQUESTS)
    evidence.check(tried)


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/contacts", {"json": {**PERSON, "type": "person"}, "headers": {"Idempotency-Key": "once"}}),
    ("POST", "/v1/contacts", {"json": {**OTHER, "type": "person"}, "headers": {"Idempotency-Key": "once"}}),
    ("POST", "/v1/contacts", {"json": {**PERSON, "type": PERSON["name"]}}),
    ("POST", "/v1/contacts", {"content": json.dumps(PERSON)[:-1]}),
    ("POST", "/v1/contacts", {"json": [PERSON]}),
    ("GET", "/v1/contacts", {"params": {"search": PERSON["name"], "tags": PERSON["tags"]}}),
    ("GET", "/v1/contacts", {"params": {"page": PERSON["name"], "key": WRONG}}),
    ("GET", "/v1/contacts", {"headers": {"X-API-Key": WRONG}}),
    ("GET", f"/v1/contacts/{PERSON['name']}", {}),
    ("PATCH", f"/v1/contacts/{PERSON['email']}", {"json": PERSON}),
    ("DELETE", f"/{PERSON['name']}?key={WRONG}", {}),
    ("POST", "/v1/contacts/groups", {"json": {"name": PERSON["company_name"], "more": PERSON}}),
]


@contextmanager
def cores_allowed() -> Iterator[None]:
    """Let processes that are started here write core files, if the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def dumps_core(process: subprocess.Popen[bytes]) -> bool:
    """Crash a process. Returns whether the kernel wrote a core file."""
    process.send_signal(signal.SIGABRT)
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_code == os.CLD_DUMPED


SERVING = {
    "serve": ["serve", "--transport", "http", "--port", "0"],
    "directory serve": ["directory", "serve", "--port", "0"],
}


@pytest.mark.parametrize("command", SERVING)
def test_crashed_server_leaves_no_core_file(tmp_path: Path, tried: Tried, command: str) -> None:
    """A core file would contain keys and contacts."""
    directory = {"CONTACTS_MCP_DIRECTORY": str(tmp_path / "contacts.db")}
    make_key(tmp_path, **directory)
    with cores_allowed():
        doomed = [sys.executable, "-c", "print('ready', flush=True); input()"]
        with subprocess.Popen(doomed, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout
            other.stdout.readline()
            cores_are_made = dumps_core(other)
        cores = set(tmp_path.glob("core*"))
        with processes.ListeningServer(
            tmp_path, "contacts_mcp", *SERVING[command], cwd=tmp_path, **directory
        ) as server:
            dumped = dumps_core(server.process)

    assert not dumped
    assert set(tmp_path.glob("core*")) == cores
    tried("crashes that left no core, where others leave one", int(cores_are_made))
    tried("crashes that left no core, on a machine that makes none", int(not cores_are_made))
