"""The pages of a server over a network: a person logs in with their key, and is the caller who uses it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from approval_page.scenes import Browser, Page
from contacts_mcp.app import build_network_app
from contacts_mcp.approval_page import KeyLogin, Views, client_address
from contacts_mcp.approval_page._wrong_keys import MAX_OF_ADDRESS, MAX_OF_ALL, MAX_OF_BEGINNING
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import Ways
from contacts_mcp.settings import load_settings
from network.servers import STATE_KEYS, TenantsApi, api_here, key_of, mark_of, replica_here, server_of_tenants
from support.clock import Clock
from support.hosts import enter_in_one_task
from support.raw_hosts import ModernConnection, key, modern
from transports.http.clients import headers_of

OLAS, KARIS = key_of(mark_of(1)), key_of(mark_of(2))
URLS = {"elicitation": {"url": {}}}
PUBLIC = "https://contacts.example.com"


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits a moment for a person instead of 45 seconds."""
    monkeypatch.setattr("contacts_mcp.app._server.Ways", lambda *args, **more: Ways(*args, **more, hold_seconds=0.05))


class Visit:
    """A person's browser at the server's pages."""

    def __init__(self, origin: str, **options: Any) -> None:
        self.client = httpx.AsyncClient(base_url=origin, follow_redirects=True, **options)
        self.origin = origin

    async def get(self, path: str) -> Page:
        return Page(await self.client.get(path))

    async def log_in(self, path: str, secret: str) -> Page:
        headers = {"Origin": self.origin}
        return Page(await self.client.post(path, data={"key": secret}, headers=headers))


async def ask_to_delete(connection: ModernConnection) -> tuple[dict[str, str], str]:
    """A contact that the model wants to delete, and the address that the host gets for the person."""
    ola = {"contact_id": (await connection.call("create_contact", name="Ola Nordmann")).content["id"]}
    asked = (await connection.call("delete_contact", **ola)).result
    return ola, asked["inputRequests"]["confirm"]["params"]["url"]


async def repeat(connection: ModernConnection, ola: dict[str, str]) -> dict[str, Any]:
    """The same call, after the host has opened the page."""
    opened = {"confirm": {"action": "accept"}}
    answer = await connection.request(
        "tools/call", name="delete_contact", arguments=ola, inputResponses=opened, requestState="page"
    )
    content: dict[str, Any] = answer.content
    return content


@asynccontextmanager
async def asked_of_ola() -> AsyncIterator[tuple[ModernConnection, dict[str, str], str, Visit]]:
    async with server_of_tenants() as (_, port), ModernConnection(port, key(OLAS), URLS) as model:
        ola, url = await ask_to_delete(model)
        visit = Visit(f"http://127.0.0.1:{port}")
        async with visit.client:
            yield model, ola, url, visit


async def test_person_who_logged_in_with_the_callers_key_decides() -> None:
    async with asked_of_ola() as (model, ola, url, visit):
        path = httpx.URL(url).path
        assert "Ola" not in url
        assert (await visit.get(path)).heading == "Log in to decide"
        assert "The question" not in (await visit.get(path)).text

        page = await visit.log_in(path, OLAS)
        assert page.heading == "Delete person “Ola Nordmann”?"
        browser = Browser(visit.client, "/approvals")
        headers = {"Origin": visit.origin}
        decided = Page(
            await browser.client.post(path, data={"token": page.token, "decision": "approve"}, headers=headers)
        )

        assert decided.heading == "Approved"
        assert (await repeat(model, ola))["consent"] == "person"


async def test_person_with_another_key_sees_no_question() -> None:
    async with asked_of_ola() as (_, _, url, visit):
        page = await visit.log_in(httpx.URL(url).path, KARIS)
        assert (page.status, page.heading) == (404, "There is no such question")
        assert (await visit.get("/approvals/")).heading == "Nothing is waiting"


@pytest.mark.parametrize("secret", ["wayscloud_pat_wrong", "two words", "ключ", "${KEY}"])
async def test_wrong_key_gets_a_clear_message_and_no_session(secret: str) -> None:
    async with asked_of_ola() as (_, _, url, visit):
        page = await visit.log_in(httpx.URL(url).path, secret)

        assert page.status == 403
        assert "This key is wrong, expired or revoked." in page.text
        assert secret not in page.html
        assert not visit.client.cookies


async def test_spaces_and_quotes_around_the_key_are_ignored() -> None:
    async with asked_of_ola() as (_, _, url, visit):
        assert (await visit.log_in(httpx.URL(url).path, f' "{OLAS}"\n')).status == 200


async def test_session_that_has_ended_decides_nothing() -> None:
    async with asked_of_ola() as (_, _, url, visit):
        path = httpx.URL(url).path
        page = await visit.log_in(path, OLAS)
        visit.client.cookies.clear()
        fields = {"token": page.token, "decision": "approve"}
        answer = Page(await visit.client.post(path, data=fields, headers={"Origin": visit.origin}))

        assert (answer.status, answer.heading) == (403, "Log in to decide")
        assert "You are no longer logged in. Nothing was decided." in answer.text


async def test_login_from_another_site_is_refused() -> None:
    """Else a site could log a person in as somebody else."""
    async with asked_of_ola() as (_, _, url, visit):
        answer = await visit.client.post(
            httpx.URL(url).path, data={"key": OLAS}, headers={"Origin": "http://x.example"}
        )

        assert answer.status_code == 403
        assert not visit.client.cookies


async def test_key_is_in_no_page_cookie_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with asked_of_ola() as (_, _, url, visit):
        page = await visit.log_in(httpx.URL(url).path, OLAS)
        (cookie,) = visit.client.cookies.jar

        logged = [each.getMessage() for each in caplog.records if each.name.startswith(("contacts_mcp", "mcp"))]
        assert OLAS not in page.html + str(cookie.value)
        assert not [line for line in logged if OLAS in line or httpx.URL(url).path in line]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[TenantsApi]:
    async with enter_in_one_task(api_here(tmp_path)) as running:
        yield running


@asynccontextmanager
async def public_pages(api: TenantsApi, home: Path, **more: Any) -> AsyncIterator[Visit]:
    """The pages of a server behind a proxy that ends TLS, without a port."""
    settings = load_settings(auth="key", api_url=api.address, public_host=["contacts.example.com"], **more)
    network = build_network_app(settings, home)
    app: Any = network.asgi
    async with network.server.lifespan(network.server):
        yield Visit(PUBLIC, transport=httpx.ASGITransport(app))


async def test_cookie_over_https_is_bound_to_the_host(api: TenantsApi, tmp_path: Path) -> None:
    async with public_pages(api, tmp_path) as visit:
        visit.client.follow_redirects = False
        page = await visit.log_in("/approvals/", OLAS)

    assert page.status == 303
    cookie = page.response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-contacts-approvals=")
    assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))


async def test_replicas_with_the_same_keys_share_sessions(api: TenantsApi, tmp_path: Path) -> None:
    async with (
        public_pages(api, tmp_path, state_keys=[STATE_KEYS]) as first,
        public_pages(api, tmp_path, state_keys=[STATE_KEYS]) as second,
        public_pages(api, tmp_path, state_keys=["x" * 32]) as other,
    ):
        await first.log_in("/approvals/", OLAS)
        for each in (second, other):
            each.client.cookies = first.client.cookies

        assert (await second.get("/approvals/")).heading == "Nothing is waiting"
        assert (await other.get("/approvals/")).heading == "Log in to decide"


async def test_host_gets_the_public_address(api: TenantsApi, tmp_path: Path) -> None:
    settings = {"auth": "key", "api_url": api.address, "public_host": ["contacts.example.com"]}
    headers = {"X-API-Key": OLAS, "Host": "contacts.example.com"}
    async with (
        replica_here(tmp_path, **settings) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):

        async def call(tool: str, **arguments: Any) -> Any:
            body = modern(1, "tools/call", URLS, name=tool, arguments=arguments)
            answer = await client.post("/mcp", json=body, headers=headers_of("tools/call", tool, **headers))
            return answer.json()["result"]

        created = await call("create_contact", name="Ola Nordmann")
        asked = await call("delete_contact", contact_id=created["structuredContent"]["id"])

    assert asked["inputRequests"]["confirm"]["params"]["url"].startswith(f"{PUBLIC}/approvals/")


@pytest.mark.parametrize("settings", [{}, {"auth": "key", "read_only": True}, {"auth": "key", "approval": ["form"]}])
async def test_server_without_this_way_has_no_pages(tmp_path: Path, settings: dict[str, Any]) -> None:
    where = {} if settings.get("auth") else {"directory": tmp_path / "contacts.db"}
    app: Any = build_network_app(load_settings(**settings, **where), tmp_path).asgi
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.get("/approvals/")

    assert answer.status_code == 404


class Door:
    """The login of a server on which the key "right" is right; `checked` are the keys that the service was asked."""

    def __init__(self, *known: str, proxies: Sequence[str] = ()) -> None:
        self.clock, self.checked = Clock(), list[str]()
        self.login = KeyLogin(
            Views(""),
            self._identify,
            is_known=lambda secret: secret in known,
            address_of=client_address(proxies),
            clock=self.clock,
        )

    async def _identify(self, secret: str) -> Any:
        self.checked.append(secret)
        if "right" not in secret:
            raise Refusal(401, "unauthorized", "wrong")
        return secret

    async def knock(self, secret: str, address: str = "10.0.0.1", **headers: str) -> int:
        """Try a key; returns the status, 200 for a login."""
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "headers": named, "client": (address, 1234)}
        answer: Any = await self.login.log_in(Request(scope), {"key": secret})
        return 200 if answer == secret else answer.status_code


async def test_eleventh_wrong_key_with_one_beginning_is_not_checked() -> None:
    """A right key with this beginning is not either, until the minute is over; keys with another one are."""
    door = Door()
    for number in range(MAX_OF_BEGINNING):
        assert await door.knock(f"the same beginning and end {number}") == 403

    assert await door.knock("the same beginning and end x") == 429
    assert await door.knock("the same beginning and right") == 429
    assert len(door.checked) == MAX_OF_BEGINNING
    assert await door.knock("another, which is right") == 200
    door.clock.now += 60
    assert await door.knock("the same beginning and right") == 200


async def test_wrong_keys_of_one_address_keep_no_other_address_from_logging_in() -> None:
    door = Door()
    for number in range(MAX_OF_ADDRESS):
        assert await door.knock(f"{number:08} wrong") == 403

    assert await door.knock("a right key") == 429
    assert await door.knock("a right key", "10.0.0.2") == 200


async def test_wrong_keys_keep_no_person_from_logging_in_whose_assistant_uses_the_key() -> None:
    """Also if all come from one address, as behind a proxy that is not trusted."""
    door = Door("a right key")
    for number in range(MAX_OF_ADDRESS + 5):
        await door.knock(f"{number:08} wrong")

    assert await door.knock("another right key") == 429
    assert await door.knock("a right key") == 200


async def test_wrong_keys_of_many_addresses_are_limited_in_all() -> None:
    door = Door()
    tried = [await door.knock("wrong", f"10.{number // 250}.{number % 250}.1") for number in range(MAX_OF_ALL + 10)]

    assert tried == [403] * MAX_OF_ALL + [429] * 10
    assert len(door.checked) == MAX_OF_ALL


async def test_clients_behind_a_trusted_proxy_are_limited_one_by_one() -> None:
    door = Door(proxies=["10.0.0.0/8"])
    for number in range(MAX_OF_ADDRESS):
        await door.knock(f"{number:08} wrong", x_forwarded_for=f"203.0.113.{number}, 192.0.2.7")

    assert await door.knock("a right key", x_forwarded_for="192.0.2.7") == 429
    assert await door.knock("a right key", x_forwarded_for="192.0.2.8") == 200


async def test_right_keys_do_not_count() -> None:
    door = Door()
    assert {await door.knock(f"{number:08} right") for number in range(MAX_OF_ADDRESS + 1)} == {200}
    assert not door.login._wrong._counts, "else keys that are not checked would fill the memory"


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["192.0.2.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["192.0.2.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:51234"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8:1:2:3::4]:51234"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, x"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("2001:db8:1:2:3::4", [], "2001:db8:1:2::/64"),
        (None, ["203.0.113.9"], "203.0.113.9"),
        (None, [], ""),
    ],
)
def test_address_is_that_of_the_last_hop_that_is_no_trusted_proxy(
    client: str | None, forwarded: list[str], expected: str
) -> None:
    """What stands before it in the header, the client may have written itself."""
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "headers": headers, "client": (client, 1) if client else None}

    assert client_address(["10.0.0.0/8"])(Request(scope)) == expected
    assert client_address()(Request({**scope, "client": ("10.0.0.1", 1)})) == "10.0.0.1"


async def test_person_logs_in_whose_assistant_has_used_the_key_while_others_try_wrong_ones(
    api: TenantsApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their keys come from the same proxy; the key of another caller, which was not used yet, has to wait."""
    monkeypatch.setattr("contacts_mcp.approval_page._wrong_keys.MAX_OF_ADDRESS", 1)
    async with replica_here(tmp_path, auth="key", api_url=api.address) as port:
        visit = Visit(f"http://127.0.0.1:{port}")
        async with visit.client, ModernConnection(port, key(OLAS)) as assistant:
            assert not (await assistant.call("list_contacts")).failed
            assert (await visit.log_in("/approvals/", "wayscloud_pat_wrong")).status == 403

            assert (await visit.log_in("/approvals/", KARIS)).status == 429
            assert (await visit.log_in("/approvals/", OLAS)).heading == "Nothing is waiting"


async def test_unreachable_service_does_not_count_as_a_wrong_key() -> None:
    async def identify(_secret: str) -> Any:
        raise Refusal(503, "unreachable", "the WAYSCloud service did not confirm the key; try again in 5 seconds")

    login = KeyLogin(Views(""), identify, clock=Clock())
    for _ in range(MAX_OF_BEGINNING + 1):
        answer: Any = await login.log_in(Request({"type": "http", "headers": []}), {"key": "right"})
        assert answer.status_code == 503
        assert b"did not confirm the key; try again in 5 seconds." in answer.body
