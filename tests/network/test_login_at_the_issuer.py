"""A server with `oauth`: the person follows an address from their host, logs in at the issuer, and decides."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from approval_page.scenes import Page
from contacts_mcp.app import build_network_app
from contacts_mcp.server import Ways
from contacts_mcp.settings import InvalidSettings, load_settings
from network.servers import STATE_KEYS, replica_here
from support.chromium import chromium, needs_chromium
from support.hosts import MODERN, Host, deleted, each_era
from transports.http.issuer import AUDIENCE
from transports.http.login_issuer import CLIENT_ID, CLIENT_SECRET, LoginIssuer

pytestmark = pytest.mark.slow
EVERYTHING = "contacts:read contacts:write contacts:delete"
APPROVER = {"openid", "contacts:read", "contacts:approve"}
NO_QUESTION = "There is no such question"
WAITING = "waiting for approval by a person who may give it; call again with the same arguments later"


@pytest.fixture
def issuer() -> Iterator[LoginIssuer]:
    with LoginIssuer() as running:
        yield running


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits a moment for a person instead of 45 seconds."""
    monkeypatch.setattr("contacts_mcp.app._server.Ways", partial(Ways, hold_seconds=0.05))


def settings_of(issuer: LoginIssuer, home: Path, **more: Any) -> dict[str, Any]:
    return {
        "directory": home / "contacts.db",
        "auth": "oauth",
        "oauth_issuer": issuer.url,
        "oauth_audience": AUDIENCE,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "approval": ["url"],
        **more,
    }


@asynccontextmanager
async def assistant(
    issuer: LoginIssuer, port: int, era: str, person: Any = None, subject: str = "ola"
) -> AsyncIterator[Host]:
    """The assistant of a person, with a token that its own client got for them."""
    token = issuer.token(sub=subject, scope=EVERYTHING, azp="assistant")
    async with create_mcp_http_client(headers={"Authorization": f"Bearer {token}"}) as http:
        target = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
        async with Client(target, mode=era, elicitation_callback=person, raise_exceptions=False) as client:
            yield Host(client)


class PersonWithBrowser:
    """Whoever `subject` is at the issuer: opens addresses, logs in there, and presses a button."""

    def __init__(self, issuer: LoginIssuer, subject: str, button: str = "approve") -> None:
        self.issuer, self.subject, self.button = issuer, subject, button
        self.meanwhile: Callable[[str], Any] | None = None
        self.shown: list[str] = []

    async def __call__(self, _context: object, params: Any) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        if self.meanwhile:
            await self.meanwhile(params.url)
        await self.decide(params.url)
        return types.ElicitResult(action="accept")

    async def decide(self, address: str) -> str:
        """Open an address, and decide if it shows a question; the heading that comes of it."""
        async with httpx.AsyncClient(follow_redirects=True) as browser:
            self.issuer.person = self.subject
            arrived = Page(await browser.get(address))
            if arrived.heading != "You are logged in":
                return self._note(arrived)
            assert str(arrived.response.url).startswith(f"{address.rpartition('/')[0]}/login/callback?")
            page = Page(await browser.get(address))
            if 'name="token"' not in page.html:
                return self._note(page)
            origin = {"Origin": str(httpx.URL(address).copy_with(path="/")).rstrip("/")}
            form = {"token": page.token, "decision": self.button}
            return self._note(Page(await browser.post(address, data=form, headers=origin)))

    def _note(self, page: Page) -> str:
        self.shown.append(page.heading)
        return page.heading


@each_era
async def test_person_logs_in_and_approves_and_another_person_cannot(
    issuer: LoginIssuer, tmp_path: Path, era: str
) -> None:
    """The other one has an account and the address, and sees nothing of the question."""
    ola, kari = PersonWithBrowser(issuer, "ola"), PersonWithBrowser(issuer, "kari")
    ola.meanwhile = kari.decide
    async with (
        replica_here(tmp_path, **settings_of(issuer, tmp_path)) as port,
        assistant(issuer, port, era, ola) as host,
    ):
        contact = await host.create()
        answer = await host.call("delete_contact", **contact)

        assert answer == deleted(contact["contact_id"], "Ola Nordmann")
        assert not await host.has(contact)
    assert (ola.shown, kari.shown) == (["Approved"], [NO_QUESTION])


@each_era
async def test_person_who_keeps_the_contact_is_reported_as_declining(
    issuer: LoginIssuer, tmp_path: Path, era: str
) -> None:
    person = PersonWithBrowser(issuer, "ola", "keep")
    async with (
        replica_here(tmp_path, **settings_of(issuer, tmp_path)) as port,
        assistant(issuer, port, era, person) as host,
    ):
        contact = await host.create()

        assert "the person declined" in await host.declined("delete_contact", **contact)
        assert await host.has(contact)


async def test_login_that_the_person_cancels_decides_nothing(
    issuer: LoginIssuer, tmp_path: Path, short_wait: None
) -> None:
    issuer.denial = {"error": "access_denied"}
    person = PersonWithBrowser(issuer, "ola")
    async with (
        replica_here(tmp_path, **settings_of(issuer, tmp_path)) as port,
        assistant(issuer, port, MODERN, person) as host,
    ):
        contact = await host.create()
        reason = await host.declined("delete_contact", **contact)
        assert reason.startswith("the person was given a page to decide on; call again")

        issuer.denial = {}
        assert await host.call("delete_contact", **contact) == deleted(contact["contact_id"], "Ola Nordmann")
    assert person.shown == ["You are not logged in", "Approved"]


async def test_approver_decides_on_the_call_of_another_and_nobody_without_the_scope_does(
    issuer: LoginIssuer, tmp_path: Path, short_wait: None
) -> None:
    """Four eyes: the caller themselves cannot either, also with the scope."""
    settings = settings_of(issuer, tmp_path, approval=["approver"], four_eyes=True)
    ola, kari = PersonWithBrowser(issuer, "ola"), PersonWithBrowser(issuer, "kari")
    async with replica_here(tmp_path, **settings) as port, assistant(issuer, port, MODERN) as host:
        contact = await host.create()
        assert await host.declined("delete_contact", **contact) == WAITING
        address = f"http://127.0.0.1:{port}/approvals/"

        assert await kari.decide(address) == "You are not logged in"
        issuer.allowed = APPROVER
        question = await question_of(issuer, address, "kari")
        assert await ola.decide(question) == "You cannot decide on this"
        assert await host.declined("delete_contact", **contact) == WAITING
        assert await kari.decide(question) == "Approved"
        assert await host.call("delete_contact", **contact) == deleted(contact["contact_id"], "Ola Nordmann")


async def question_of(issuer: LoginIssuer, address: str, subject: str) -> str:
    """The address of the only question that waits for an approver."""
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        issuer.person = subject
        await browser.get(address)
        return str((await browser.get(address)).url)


async def test_login_may_begin_on_one_replica_and_end_on_another(issuer: LoginIssuer, tmp_path: Path) -> None:
    """They share the keys that seal the cookie."""
    settings = settings_of(issuer, tmp_path, state_keys=[STATE_KEYS])
    async with (
        replica_here(tmp_path, **settings) as one,
        replica_here(tmp_path, **settings) as other,
        httpx.AsyncClient() as browser,
    ):
        login = (await browser.get(f"http://127.0.0.1:{one}/approvals/0123abcd")).headers["Location"]
        callback = (await browser.get(login)).headers["Location"]
        # Behind a proxy, both have the same address: the Host header is that of the first one.
        headers = {"Host": f"127.0.0.1:{one}"}
        page = Page(await browser.get(callback.replace(f":{one}/", f":{other}/"), headers=headers))

    assert page.heading == "You are logged in"


async def test_server_without_a_client_id_has_no_page(issuer: LoginIssuer, tmp_path: Path) -> None:
    """So the host is given no address."""
    person = PersonWithBrowser(issuer, "ola")
    async with replica_here(tmp_path, **settings_of(issuer, tmp_path, oidc_client_id=None)) as port:
        async with assistant(issuer, port, MODERN, person) as host:
            contact = await host.create()
            assert "refused" in await host.error("delete_contact", **contact)
        async with httpx.AsyncClient() as browser:
            page = await browser.get(f"http://127.0.0.1:{port}/approvals/")

    assert page.status_code == 404
    assert not person.shown


@pytest.mark.parametrize("has_page", [True, False])
async def test_approver_needs_a_page_or_what_a_terminal_shares(
    issuer: LoginIssuer, tmp_path: Path, has_page: bool
) -> None:
    settings = settings_of(issuer, tmp_path, approval=["approver"], **({} if has_page else {"oidc_client_id": None}))
    if has_page:
        build_network_app(load_settings(**settings), tmp_path)
        return
    with pytest.raises(InvalidSettings, match="set CONTACTS_MCP_STATE_KEYS, or CONTACTS_MCP_OIDC_CLIENT_ID for a page"):
        build_network_app(load_settings(**settings), tmp_path)


async def test_missing_extra_is_named_at_the_start(
    issuer: LoginIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {"authlib": None}
    monkeypatch.setattr("contacts_mcp.app._pages.find_spec", lambda name: without.get(name, find_spec(name)))

    with pytest.raises(InvalidSettings, match=r"CONTACTS_MCP_OIDC_CLIENT_ID needs the extra `oidc`: pip install"):
        build_network_app(load_settings(**settings_of(issuer, tmp_path)), tmp_path)


@pytest.mark.system
@needs_chromium
async def test_browser_comes_back_from_the_issuers_site_with_a_session(issuer: LoginIssuer, tmp_path: Path) -> None:
    """A browser sends no strict cookie with a request that another site began: the page goes on by itself.

    The person comes from the issuer's site, and localhost is another site than 127.0.0.1.
    """
    cookies: dict[str, Any] = {}

    async def decide(_context: object, params: Any) -> types.ElicitResult:
        issuer.person = "ola"
        async with chromium() as browser:
            window = await browser.new_page()
            await window.goto(f"{issuer.origin}/keys")
            await window.evaluate(f"location.assign('{params.url.replace('127.0.0.1', 'localhost')}')")
            await window.get_by_role("button", name="Delete").click()
            await window.get_by_role("heading", name="Approved").wait_for()
            cookies.update({each["name"]: each for each in await browser.cookies()})
        return types.ElicitResult(action="accept")

    async with (
        replica_here(tmp_path, **settings_of(issuer, tmp_path)) as port,
        assistant(issuer, port, MODERN, decide) as host,
    ):
        assert (await host.call("delete_contact", **await host.create()))["consent"] == "person"
    ((name, cookie),) = cookies.items()
    assert name.startswith("contacts-approvals-")
    assert (cookie["sameSite"], cookie["httpOnly"]) == ("Strict", True)
