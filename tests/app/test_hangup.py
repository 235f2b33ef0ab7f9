"""SIGHUP: a server opens its log again and reads keys again, and goes on serving."""

import json
import os
import signal
from pathlib import Path

import httpx
import pytest
from starlette.requests import HTTPConnection

from contacts_mcp.app import build_network_app, choose_backend, connect, credential_reload
from contacts_mcp.client import Credential
from contacts_mcp.contract import AuthenticationFailed, ServerFault
from contacts_mcp.middleware import Refusal
from contacts_mcp.settings import Settings
from contacts_mcp.transports.http.access import ApiKeyAccess
from support.clock import Clock
from support.processes import API_KEY, ChildProcess, ContactsService, HttpServer, StdioServer, block_until, make_keys
from support.raw_hosts import modern
from support.services import ScriptedServer, reply

OTHER_KEY = "wayscloud_pat_test2_ANOTHERSECRETTHATMUSTNEVERSHOW"
PAGE = {"contacts": [], "total": 0, "page": 1, "per_page": 1}


def rename_log(server: ChildProcess) -> str:
    """Do what logrotate does: rename the log and send SIGHUP. Returns what the new log says about it."""
    server.log.rename(server.log.with_name("old log"))
    server.process.send_signal(signal.SIGHUP)
    block_until(lambda: server.log.exists() and "SIGHUP" in server.written)
    return server.written


@pytest.mark.system
def test_http_server_reopens_its_log_and_serves_on(tmp_path):
    with HttpServer(tmp_path) as server:
        url = server.url
        said = rename_log(server)

        block_until(lambda: httpx.get(f"{url}/readyz", timeout=30).status_code == 200)  # the first time it imports
        server.process.send_signal(signal.SIGHUP)
        block_until(lambda: "nothing to reload" in server.written)
        assert server.process.poll() is None

    assert "SIGHUP; the log was reopened" in json.loads(said.splitlines()[0])["message"]


@pytest.mark.system
def test_stdio_server_survives_the_signal_and_ends_with_its_input(tmp_path):
    with StdioServer(tmp_path) as server:
        server.write_line(json.dumps(modern(1, "tools/list")).encode())
        server.read_line()
        rename_log(server)
        server.write_line(json.dumps(modern(2, "tools/list")).encode())

        assert json.loads(server.read_line())["id"] == 2
        server.close_input()

    assert server.process.returncode == 0


@pytest.mark.system
def test_directory_service_refuses_a_revoked_key_at_once(tmp_path):
    place = tmp_path / "contacts.db"
    (key,) = make_keys(place, "owner")
    with ContactsService(tmp_path, place) as service:
        url = f"{service.url}/v1/contacts"
        statuses = [httpx.get(url, headers={"X-API-Key": key}).status_code]
        service.process.send_signal(signal.SIGHUP)
        block_until(lambda: "API keys are read again" in service.written)
        statuses.append(httpx.get(url, headers={"X-API-Key": key}).status_code)

    assert statuses == [200, 200]


def settings_for(url: str, home: Path, secret: str) -> Settings:
    """Store a key as the WAYSCloud CLI does, and return the settings of a server that uses it."""
    file = home / ".wayscloud" / "credentials"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"version": 1, "token": secret}))
    return Settings(api_url=url)


async def test_key_in_the_credentials_file_is_read_again(tmp_path):
    async with ScriptedServer() as service:
        service.answers(*[reply(200, PAGE)] * 3)
        settings = settings_for(service.url, tmp_path, API_KEY)
        connection = connect(choose_backend(settings, tmp_path))
        reload = credential_reload(connection, settings, tmp_path)
        async with connection.lifespan():
            await connection.check_ready()
            unchanged = reload()
            settings_for(service.url, tmp_path, OTHER_KEY)
            changed = reload()
            await connection.check_ready()

        assert (unchanged, changed) == (None, "the WAYSCloud key was read again")
        assert [API_KEY in each for each in map(str, service.seen)] == [True, False]
        assert OTHER_KEY in str(service.seen[-1])


@pytest.mark.parametrize("content", [None, "{", '{"token": "${KEY}"}'], ids=["gone", "damaged", "placeholder"])
def test_key_stays_in_use_if_the_file_has_no_valid_one_any_more(tmp_path, content):
    settings = settings_for("http://127.0.0.1:9", tmp_path, API_KEY)
    reload = credential_reload(connect(choose_backend(settings, tmp_path)), settings, tmp_path)
    file = tmp_path / ".wayscloud" / "credentials"
    file.unlink() if content is None else file.write_text(content)

    with pytest.raises(ValueError, match="the WAYSCloud key that was read before stays in use"):
        reload()


def bringing(secret: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [(b"x-api-key", secret.encode())]})


async def test_callers_key_that_was_revoked_is_refused_after_a_reload():
    answers: list[Exception | None] = [None, AuthenticationFailed("no")]

    async def check(_credential: Credential) -> None:
        if answer := answers.pop(0):
            raise answer

    access = ApiKeyAccess(check)
    await access.authenticate(bringing(API_KEY))
    await access.authenticate(bringing(API_KEY))
    access.reload()

    with pytest.raises(Refusal) as refusal:
        await access.authenticate(bringing(API_KEY))
    assert refusal.value.status == 401


async def test_callers_key_that_was_refused_is_not_accepted_while_the_service_is_away():
    """It was accepted before, and such a key stays accepted during an outage, unless it was refused since."""
    clock = Clock()
    answers: list[Exception | None] = [None, AuthenticationFailed("no"), ServerFault("no", status=500)]

    async def check(_credential: Credential) -> None:
        if answer := answers.pop(0):
            raise answer

    access = ApiKeyAccess(check, clock)
    await access.authenticate(bringing(API_KEY))
    assert access.has_accepted(API_KEY)
    access.reload()
    statuses = []
    for _ in range(2):
        with pytest.raises(Refusal) as refusal:
            await access.authenticate(bringing(API_KEY))
        statuses.append(refusal.value.status)
        clock.now += 11

    assert statuses == [401, 503]
    assert not access.has_accepted(API_KEY)


async def test_callers_key_stays_accepted_after_a_reload_while_the_service_is_away():
    answers: list[Exception | None] = [None, ServerFault("no", status=500)]

    async def check(_credential: Credential) -> None:
        if answer := answers.pop(0):
            raise answer

    access = ApiKeyAccess(check)
    await access.authenticate(bringing(API_KEY))
    access.reload()

    assert (await access.authenticate(bringing(API_KEY))).principal.startswith("key:")


def test_network_server_with_a_login_reloads_keys_and_addresses_of_the_issuer(tmp_path):
    oauth = {"auth": "oauth", "oauth_issuer": "https://login.example.com", "public_host": ["contacts.example.com"]}
    network = build_network_app(Settings(**oauth, oidc_client_id="contacts", api_key="wayscloud_pat_x"), tmp_path)

    assert [each() for each in network.reloads] == [
        None,
        "the token issuer's keys are fetched again",
        "the login's addresses are fetched again",
    ]


def test_network_server_reloads_keys_of_callers(tmp_path):
    network = build_network_app(Settings(auth="key"), tmp_path)

    assert [each() for each in network.reloads] == [None, "callers' keys are checked again"]


@pytest.mark.system
def test_log_that_cannot_be_reopened_is_written_on(tmp_path):
    with HttpServer(tmp_path) as server:
        old = server.log.rename(tmp_path / "old log")
        server.log.mkdir()
        server.process.send_signal(signal.SIGHUP)
        block_until(lambda: "cannot reopen the log" in old.read_text())

        assert server.process.poll() is None
        os.kill(server.process.pid, signal.SIGTERM)
        server.process.wait(30)
