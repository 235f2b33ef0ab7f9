"""The console of a server over a network: after a login, with the rights of the caller who logged in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.pages import CONSOLE_TOOLS, Page, result_of, running
from contacts_mcp.app import build_network_app
from contacts_mcp.server import Ways
from contacts_mcp.settings import load_settings
from network.servers import TenantsApi, api_here, key_of, mark_of
from support.hosts import enter_in_one_task
from support.raw_hosts import CONTENT, modern, routing
from transports.http.issuer import AUDIENCE
from transports.http.login_issuer import CLIENT_ID, CLIENT_SECRET, LoginIssuer

OLAS, KARIS = key_of(mark_of(1)), key_of(mark_of(2))
HOST = "contacts.example.com"
PUBLIC = f"https://{HOST}"
URLS = {"elicitation": {"url": {}}}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[TenantsApi]:
    async with enter_in_one_task(api_here(tmp_path)) as made:
        yield made


class Server:
    """A server behind a proxy that ends TLS, without a port."""

    def __init__(self, home: Path, transports: dict[str, Any] | None = None, **settings: Any) -> None:
        network = build_network_app(load_settings(public_host=[HOST], rate=0, **settings), home)
        self.app: Any = network.asgi
        self.transports = transports or {}

    def browser(self) -> httpx.AsyncClient:
        mounts: dict[str, Any] = {PUBLIC: httpx.ASGITransport(self.app), **self.transports}
        return httpx.AsyncClient(mounts=mounts, base_url=PUBLIC, follow_redirects=True)

    async def log_in(self, key: str, path: str = "/console/") -> Page:
        client = self.browser()
        shown = await client.post(path, data={"key": key}, headers={"Origin": PUBLIC})
        assert shown.status_code == 200, shown.text
        return Page(client, shown.url.path)

    async def call_as_a_program(self, method: str, headers: dict[str, str], **params: Any) -> httpx.Response:
        """What a host sends to /mcp, which opens addresses for its person."""
        sent = dict(CONTENT) | dict(routing(method, params.get("name"))) | headers
        return await self.browser().post("/mcp", json=modern(1, method, URLS, **params), headers=sent)


@asynccontextmanager
async def server_with_keys(api: TenantsApi, home: Path, **settings: Any) -> AsyncIterator[Server]:
    server = Server(home, auth="key", api_url=api.address, **settings)
    async with running(server.app):
        yield server


async def test_person_works_with_the_contacts_of_their_key(api: TenantsApi, tmp_path: Path) -> None:
    async with server_with_keys(api, tmp_path) as server:
        asked = await server.browser().get("/console")
        assert "Log in to the console" in asked.text
        assert "data-place" not in asked.text

        ola, kari = await server.log_in(OLAS), await server.log_in(KARIS)
        await ola.call("create_contact", name="Ola Nordmann")

        assert (await ola.call("list_contacts"))["total"] == 1
        assert (await kari.call("list_contacts"))["total"] == 0
        shown = await ola.client.get("/console/")
        assert 'data-place="network" data-backend="The WAYSCloud platform at ' in shown.text


async def test_wrong_key_opens_nothing(api: TenantsApi, tmp_path: Path) -> None:
    async with server_with_keys(api, tmp_path) as server:
        client = server.browser()
        answer = await client.post("/console/", data={"key": "wayscloud_pat_wrong"}, headers={"Origin": PUBLIC})

        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers
        assert (await Page(client, "/console/").send("tools/list")).status_code == 401


async def test_cookie_is_bound_to_the_host_and_to_no_other_pages(api: TenantsApi, tmp_path: Path) -> None:
    """The login on the page of approvals opens no console, and the other way round."""
    async with server_with_keys(api, tmp_path) as server:
        client = server.browser()
        client.follow_redirects = False
        answer = await client.post("/console/", data={"key": OLAS}, headers={"Origin": PUBLIC})
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-contacts-console=")
        assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Log in to decide" in (await client.get("/approvals/")).text

        other = await server.log_in(OLAS, "/approvals/")
        assert (await Page(other.client, "/console/").send("tools/list")).status_code == 401
        value = other.client.cookies["__Host-contacts-approvals"]
        other.client.cookies = httpx.Cookies({"__Host-contacts-console": value})
        assert (await Page(other.client, "/console/").send("tools/list")).status_code == 401


async def test_program_can_neither_list_nor_call_the_tools_of_the_console(api: TenantsApi, tmp_path: Path) -> None:
    """Whatever headers it sends, with the same key as the person."""
    async with server_with_keys(api, tmp_path) as server:
        page = await server.log_in(OLAS)
        assert await page.tools() >= CONSOLE_TOOLS
        forged = page.own_headers | {"contacts_mcp.console": "True", "X-API-Key": OLAS}
        for headers in ({"X-API-Key": OLAS}, forged):
            listed = result_of(await server.call_as_a_program("tools/list", headers))
            assert CONSOLE_TOOLS.isdisjoint(tool["name"] for tool in listed["tools"])
            for tool in sorted(CONSOLE_TOOLS):
                answer = await server.call_as_a_program("tools/call", headers, name=tool, arguments={})
                assert result_of(answer)["content"][0]["text"].startswith(f"unknown_tool: {tool} ")
        sealed = "; ".join(f"{name}={value}" for name, value in page.client.cookies.items())
        assert (await server.call_as_a_program("tools/list", {"Cookie": sealed})).status_code == 401


async def test_person_decides_on_the_calls_of_their_own_assistant_only(
    api: TenantsApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contacts_mcp.app._server.Ways", lambda *args, **more: Ways(*args, **more, hold_seconds=0.05))
    async with server_with_keys(api, tmp_path) as server:
        ola, kari = await server.log_in(OLAS), await server.log_in(KARIS)
        contact = {"contact_id": (await ola.call("create_contact", name="Ola Nordmann"))["id"]}
        deletion = {"name": "delete_contact", "arguments": contact}
        await server.call_as_a_program("tools/call", {"X-API-Key": OLAS}, **deletion)

        assert (await kari.call("list_approvals"))["approvals"] == []
        (waiting,) = (await ola.call("list_approvals"))["approvals"]
        assert (await kari.error("decide_approval", id=waiting["id"], agree=True)).startswith("not_found")
        await ola.call("decide_approval", id=waiting["id"], agree=True)

        opened = {"inputResponses": {"confirm": {"action": "accept"}}, "requestState": "page"}
        done = await server.call_as_a_program("tools/call", {"X-API-Key": OLAS}, **deletion, **opened)
        assert result_of(done)["structuredContent"]["consent"] == "person"


@pytest.mark.parametrize("headers", [{"Origin": "https://app.example.com"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_page_of_another_origin_is_refused_even_if_it_may_call_the_server(
    api: TenantsApi, tmp_path: Path, headers: dict[str, str | None]
) -> None:
    async with server_with_keys(api, tmp_path, allow_origin=["https://app.example.com"]) as server:
        page = await server.log_in(OLAS)
        answer = await page.send("tools/list", headers)

        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_caller_sees_only_their_own_records(api: TenantsApi, tmp_path: Path) -> None:
    async with server_with_keys(api, tmp_path, audit=str(tmp_path / "audit.jsonl")) as server:
        ola, kari = await server.log_in(OLAS), await server.log_in(KARIS)
        await ola.call("create_contact", name="Ola Nordmann")
        await kari.call("create_contact", name="Kari Nordmann")

        trail = await ola.call("read_audit_trail")
        assert [each["seq"] for each in trail["records"]] == [1]
        assert not trail["sees_all"]
        (karis,) = (await kari.call("read_audit_trail"))["records"]
        assert (await ola.call("read_audit_trail", caller=karis["caller"]))["records"] == []
        assert "permission_denied" in await ola.error("verify_audit_trail")
        assert "permission_denied" in await ola.error("list_backups")


@pytest.mark.parametrize("settings", [{"console": False}, {"auth": "none"}])
async def test_server_without_a_console(api: TenantsApi, tmp_path: Path, settings: dict[str, Any]) -> None:
    given = {"auth": "key", "api_url": api.address, **settings}
    if given["auth"] == "none":
        given |= {"directory": tmp_path / "contacts.db", "public_host": []}
    app: Any = build_network_app(load_settings(**given), tmp_path).asgi
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        for path in ("/console", "/console/", "/console/mcp"):
            assert (await client.get(path)).status_code == 404


@asynccontextmanager
async def server_with_logins(home: Path, issuer: LoginIssuer, **settings: Any) -> AsyncIterator[Server]:
    given = {
        "auth": "oauth",
        "oauth_issuer": issuer.url,
        "oauth_audience": AUDIENCE,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "directory": home / "contacts.db",
        "audit": str(home / "audit.jsonl"),
        **settings,
    }
    server = Server(home, {issuer.origin: httpx.AsyncHTTPTransport()}, **given)
    async with running(server.app):
        yield server


async def log_in(server: Server) -> Page:
    client = server.browser()
    shown = await client.get("/console/")
    assert "You are logged in" in shown.text, shown.text
    return Page(client, "/console/")


async def test_scopes_of_the_login_are_the_rights_of_the_person(tmp_path: Path) -> None:
    with LoginIssuer() as issuer:
        async with server_with_logins(tmp_path, issuer) as server:
            reader = await log_in(server)
            asked = issuer.asked[-1]
            assert asked["redirect_uri"] == f"{PUBLIC}/console/login/callback"
            assert set(asked["scope"].split()) == {"openid", "contacts:read", "contacts:write", "contacts:delete"}
            tools = await reader.tools()
            assert {"list_contacts", "read_audit_trail"} <= tools
            assert tools.isdisjoint({"create_contact", "delete_contact"})
            refused = await reader.send("tools/call", name="create_contact", arguments={"name": "Ola"})
            assert refused.status_code == 403
            assert "insufficient_scope" in refused.text

            issuer.allowed |= {"contacts:write"}
            writer = await log_in(server)
            await writer.call("create_contact", name="Ola Nordmann")
            assert "delete_contact" not in await writer.tools()


async def test_read_only_server_requests_no_scope_to_change_contacts(tmp_path: Path) -> None:
    with LoginIssuer() as issuer:
        issuer.allowed |= {"contacts:write", "contacts:delete"}
        async with server_with_logins(tmp_path, issuer, read_only=True) as server:
            page = await log_in(server)
            assert set(issuer.asked[-1]["scope"].split()) == {"openid", "contacts:read"}
            assert (await page.tools()).isdisjoint({"create_contact", "decide_approval"})


async def test_approver_sees_all_records_and_the_backups(tmp_path: Path) -> None:
    with LoginIssuer() as issuer:
        issuer.allowed |= {"contacts:write", "contacts:approve"}
        settings = {"approval": ["form", "url", "approver"], "backups": tmp_path}
        async with server_with_logins(tmp_path, issuer, **settings) as server:
            approver = await log_in(server)
            issuer.person, issuer.allowed = "kari@example.com", {"openid", "contacts:read", "contacts:write"}
            kari = await log_in(server)
            await kari.call("create_contact", name="Ola Nordmann")
            await approver.call("create_contact", name="Kari Nordmann")

            assert len((await approver.call("read_audit_trail"))["records"]) == 2
            assert (await approver.call("verify_audit_trail"))["is_unbroken"]
            assert (await approver.call("list_backups"))["backups"]
            assert len((await kari.call("read_audit_trail"))["records"]) == 1
            assert "permission_denied" in await kari.error("verify_audit_trail")
            assert "permission_denied" in await kari.error("list_backups")
