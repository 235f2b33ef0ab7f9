"""Paths with a slash at the end, streams that cannot be resumed, and clients that look for OAuth, in memory."""

from contextlib import asynccontextmanager

import httpx
import pytest
from mcp_types import INVALID_PARAMS

from contacts_mcp.app import build_network_app
from contacts_mcp.http_protocol import LimitedProtocol
from contacts_mcp.settings import Settings
from support.hosts import LEGACY, MODERN
from support.raw_hosts import modern
from support.services import serve_app
from transports.http.clients import ask, connected, headers_of, initialize, line_of

OAUTH_PATHS = [
    *("/register", "/authorize", "/token", "/revoke", "/introspect", "/register/", "/mcp/register"),
    *("/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/mcp"),
    *("/.well-known/openid-configuration", "/.well-known/openid-configuration/mcp"),
    *("/mcp/.well-known/openid-configuration", "/.well-known/oauth-protected-resource"),
    *("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server/sse"),
]


@asynccontextmanager
async def serving(home, **settings):
    network = build_network_app(Settings(directory=home / "contacts.db", **settings), home)
    async with (
        serve_app(network.asgi, http=LimitedProtocol, lifespan="on") as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        yield server, http


def keyed(tmp_path):
    return build_network_app(Settings(auth="key"), tmp_path).asgi


@pytest.mark.parametrize("slash", ["", "/", "//"])
async def test_fixed_paths_are_served_with_and_without_a_slash_at_their_end(tmp_path, slash):
    async with serving(tmp_path) as (_, http):
        listing = modern(1, "tools/list")
        tools = await http.post(f"/mcp{slash}", json=listing, headers=headers_of("tools/list"))
        health = await http.get(f"/healthz{slash}")
        ready = await http.get(f"/readyz{slash}")
        message = await http.post(f"/messages{slash}?session_id={'f' * 32}", json=listing)
        async with http.stream("GET", f"/sse{slash}") as events:
            first = await anext(events.aiter_lines())

    assert tools.json()["result"]["tools"]
    assert (health.json(), ready.json()["status"]) == ({"status": "alive"}, "ready")
    assert line_of(message).startswith("unknown_session: ")
    assert first == "event: endpoint"


async def test_path_of_a_mounted_app_may_end_with_a_slash(tmp_path):
    app = keyed(tmp_path)

    async def mounted(scope, receive, send):
        await app({**scope, "root_path": "/contacts", "path": "/contacts" + scope["path"]}, receive, send)

    assert (await ask(mounted, "GET", "/healthz/")).json() == {"status": "alive"}
    assert (await ask(mounted, path="/mcp/")).status_code == 401


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
async def test_stream_that_cannot_be_resumed_is_refused(tmp_path, path):
    async with serving(tmp_path) as (_, http):
        session = await initialize(http)
        answer = await http.get(path, headers={**session, "Last-Event-ID": "7"})
        async with http.stream("GET", path, headers={**session, "Last-Event-ID": ""}) as opened:
            assert opened.status_code == 200

    assert answer.status_code == 400
    assert line_of(answer).startswith("cannot_resume: ")
    assert "without Last-Event-ID" in line_of(answer)


async def test_sse_stream_with_last_event_id_is_a_new_session(tmp_path):
    async with serving(tmp_path) as (_, http), http.stream("GET", "/sse", headers={"Last-Event-ID": "7"}) as events:
        assert await anext(events.aiter_lines()) == "event: endpoint"


@pytest.mark.parametrize("path", OAUTH_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_client_that_looks_for_oauth_reads_which_header_is_wanted(tmp_path, method, path):
    answer = await ask(keyed(tmp_path), method, path, headers={"Origin": "https://host.example.com"})

    assert answer.status_code == (404 if ".well-known" in path else 400)
    assert answer.json()["error"].isascii()
    assert "X-API-Key" in answer.json()["error_description"]
    assert "Authorization: Bearer" in answer.json()["error_description"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/register", "/token"])
async def test_oauth_error_has_the_code_of_its_endpoint(tmp_path, path):
    answer = await ask(keyed(tmp_path), "POST", path, content=b"{}")

    codes = {"/register": "registration_not_supported", "/token": "unsupported_grant_type"}
    assert answer.json()["error"] == codes[path]


async def test_client_that_registers_without_need_is_told_to_connect(tmp_path):
    app = build_network_app(Settings(directory=tmp_path / "contacts.db"), tmp_path).asgi

    assert "without it" in (await ask(app, "POST", "/register")).json()["error_description"]


@pytest.mark.parametrize("path", ["/registered", "/x/register", "/.well-known/security.txt", "/mcp/x"])
async def test_other_unknown_path_has_no_oauth_error(tmp_path, path):
    assert line_of(await ask(keyed(tmp_path), "POST", path)).startswith("not_found: ")


@pytest.mark.parametrize("era", [MODERN, LEGACY])
@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_bogus_cursor_is_invalid_over_http(tmp_path, transport, era):
    async with serving(tmp_path) as (server, _), connected(server.url, transport, era) as host:
        client = host.client
        lists = (client.list_tools, client.list_resources, client.list_resource_templates, client.list_prompts)
        codes = []
        for asking in lists:
            with pytest.raises(Exception, match="cursor: is not from this list") as raised:
                await asking(cursor="bogus")
            codes.append(raised.value.error.code)

    assert codes == [INVALID_PARAMS] * 4
