"""Login at the authorization server: whose browser becomes which caller, and what does not count."""

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route

from approval_page.scenes import Page, Scene
from contacts_mcp.approval_page import CALLBACK_PATH, Deciding, OidcLogin, Sessions, Views, approval_pages
from contacts_mcp.contract import Risk
from contacts_mcp.guard import Consent, Seal
from contacts_mcp.server import Caller
from contacts_mcp.transports.http.access import Issuer, OAuthAccess, OidcClient
from support.services import HttpAnswer
from transports.http.issuer import AUDIENCE, RSA_TOO
from transports.http.login_issuer import CLIENT_ID, CLIENT_SECRET, EMAIL, LoginIssuer

HOST = "https://contacts.example.com"
PAGE = f"{HOST}/approvals/0123abcd"
CALLBACK = f"{HOST}/approvals{CALLBACK_PATH}"
COOKIE, SESSION = "__Host-contacts-login", "__Host-contacts-approvals"
FAILED = "You are not logged in"
APPROVER = {"openid", "contacts:read", "contacts:approve"}


@pytest.fixture
def issuer() -> Iterator[LoginIssuer]:
    with LoginIssuer() as running:
        running.redirect_uri = CALLBACK
        yield running


class Pages:
    """The pages of a server at HOST, as browsers and people meet them; `callers` are those who have logged in."""

    def __init__(self, scene: Scene, issuer: LoginIssuer) -> None:
        self.scene, self.issuer, self.clock = scene, issuer, scene.clock
        self.callers: list[Caller] = []
        self.admit: Callable[[Caller], Caller] = lambda caller: caller
        self.client = OidcClient(
            Issuer(issuer.url, AUDIENCE),
            CLIENT_ID,
            issuer.secret,
            resource=AUDIENCE,
            asks_to_approve=True,
            clock=self.clock,
        )
        views, seal = Views(""), Seal(600, clock=self.clock)
        sessions = Sessions(seal, self.clock)
        login = OidcLogin(views, sessions, seal, self.client, self._admit, self.clock)
        routes = [Route(CALLBACK_PATH, login.finish, methods=["GET", "POST"])]
        deciding = Deciding(Consent.URL, lambda caller: caller.principal)
        pages = approval_pages(scene.desk, sessions, login, views, deciding, routes)
        self.app = Starlette(routes=[Mount("/approvals", pages)])

    def _admit(self, caller: Caller) -> Caller:
        self.callers.append(self.admit(caller))
        return self.callers[-1]

    def browser(self) -> "Browser":
        transports = {HOST: httpx.ASGITransport(self.app), self.issuer.origin: httpx.AsyncHTTPTransport()}
        return Browser(httpx.AsyncClient(mounts=transports))


class Browser:
    """A browser that keeps cookies, and shows where it is sent."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def open(self, address: str = PAGE) -> str:
        """Open a page without a session; the address of the authorization server to which that leads."""
        response = await self.client.get(address)
        assert response.status_code == 303, response.text
        return response.headers["Location"]

    async def log_in(self, address: str = PAGE) -> str:
        """Log in at the authorization server; the address with which the browser comes back."""
        return (await self.client.get(await self.open(address))).headers["Location"]

    async def finish(self, callback: str) -> Page:
        return Page(await self.client.get(callback))

    @property
    def has_session(self) -> bool:
        return SESSION in self.client.cookies


@pytest.fixture
def pages(scene: Scene, issuer: LoginIssuer) -> Pages:
    return Pages(scene, issuer)


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[Browser]:
    made = pages.browser()
    async with made.client:
        yield made


def params(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def with_params(address: str, **changes: str | None) -> str:
    changed = {name: value for name, value in {**params(address), **changes}.items() if value is not None}
    return f"{address.partition('?')[0]}?{urlencode(changed)}"


async def why_not(browser: Browser, callback: str, status: int = 403) -> str:
    """What a person reads whose login did not count."""
    page = await browser.finish(callback)
    assert (page.status, page.heading) == (status, FAILED)
    assert "Nothing was decided." in page.text
    assert not browser.has_session
    return page.text


class TestLogin:
    async def test_person_comes_back_to_the_page_that_they_opened(self, pages: Pages, browser: Browser) -> None:
        """The page goes on by itself; the session's cookie is sent with the request that it begins."""
        page = await browser.finish(await browser.log_in())

        assert (page.status, page.heading) == (200, "You are logged in")
        assert page.response.headers["Refresh"] == "0;url=/approvals/0123abcd"
        assert 'href="/approvals/0123abcd"' in page.html
        assert (await browser.finish(PAGE)).heading == "There is no such question"

    async def test_request_for_a_login_has_a_challenge_a_state_and_a_nonce_of_its_own(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        asked = [params(await browser.open()) for _ in range(2)]

        assert asked[0]["redirect_uri"] == CALLBACK
        assert asked[0]["scope"] == "openid contacts:read contacts:approve"
        assert (asked[0]["response_type"], asked[0]["code_challenge_method"]) == ("code", "S256")
        assert (asked[0]["client_id"], asked[0]["resource"]) == (CLIENT_ID, AUDIENCE)
        for name in ("state", "nonce", "code_challenge"):
            assert asked[0][name] != asked[1][name]
            assert len(asked[0][name]) == 43
        assert not issuer.redeemed

    async def test_cookie_of_a_login_is_sealed_short_lived_and_of_this_host(self, browser: Browser) -> None:
        response = await browser.client.get(PAGE)
        value, *flags = response.headers["Set-Cookie"].split("; ")

        assert value.startswith(f"{COOKIE}=")
        assert {flag.lower() for flag in flags} == {"httponly", "max-age=600", "path=/", "samesite=lax", "secure"}
        assert response.headers["Cache-Control"] == "no-store"
        assert params(response.headers["Location"])["state"] not in value

    async def test_person_is_the_caller_whom_their_assistants_token_names(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        await browser.finish(await browser.log_in())
        token = issuer.token(sub=EMAIL, scope="contacts:read contacts:delete", azp="the assistant")
        access = OAuthAccess(Issuer(issuer.url, AUDIENCE), resource=AUDIENCE, risk_of=lambda _: None)
        headers = [(b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "http", "headers": headers, "query_string": b"", "path": "/mcp"}
        assistant = await access.authenticate(Request(scope))

        assert pages.callers == [Caller(assistant.principal, frozenset({Risk.READ}))]

    async def test_access_token_says_who_the_person_is_to_this_server(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        """Issuers with pairwise subjects name a person differently to every client, but not to this server."""
        issuer.id_claims = {"sub": "pairwise"}
        await browser.finish(await browser.log_in())
        issuer.id_claims = {}
        other = pages.browser()
        await other.finish(await other.log_in())

        assert pages.callers[0] == pages.callers[1]

    @pytest.mark.parametrize(
        ("secret", "methods"),
        [
            (None, ["none"]),
            (CLIENT_SECRET, ["client_secret_basic", "private_key_jwt"]),
            (CLIENT_SECRET, ["client_secret_post"]),
        ],
        ids=["public", "basic", "post"],
    )
    async def test_server_authenticates_as_the_issuer_supports_it(
        self, scene: Scene, secret: str | None, methods: list[str]
    ) -> None:
        with LoginIssuer(secret) as issuer:
            issuer.auth_methods = methods
            pages = Pages(scene, issuer)
            browser = pages.browser()
            assert (await browser.finish(await browser.log_in())).status == 200

    async def test_metadata_is_fetched_once_an_hour(self, issuer: LoginIssuer, pages: Pages, browser: Browser) -> None:
        for _ in range(3):
            await browser.open()
        assert issuer.requests.count(issuer.discovery) == 1
        pages.clock.now += 3_601
        await browser.open()

        assert issuer.requests.count(issuer.discovery) == 2

    async def test_metadata_is_fetched_again_after_a_reload(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        """As after SIGHUP: people are sent to the new address at once, and to the old one if there is none."""
        before = await browser.open()
        status, body, headers = issuer.metadata()
        moved = {**json.loads(body), "authorization_endpoint": f"{issuer.origin}/moved"}
        issuer.answers[issuer.discovery] = (status, json.dumps(moved).encode(), headers)
        assert (await browser.open()).partition("?")[0] == before.partition("?")[0]

        assert pages.client.reload() == "the login's addresses are fetched again"
        assert (await browser.open()).startswith(f"{issuer.origin}/moved?")
        assert (await browser.open()).startswith(f"{issuer.origin}/moved?")
        assert issuer.requests.count(issuer.discovery) == 2

        issuer.answers[issuer.discovery] = (500, b"", {})
        pages.client.reload()
        assert (await browser.open()).startswith(f"{issuer.origin}/moved?")

    async def test_metadata_is_found_where_openid_connect_puts_it(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        issuer.answers[issuer.discovery] = (404, b"", {})
        issuer.answers["/.well-known/openid-configuration"] = issuer.metadata

        assert (await browser.finish(await browser.log_in())).status == 200

    async def test_form_of_a_session_that_has_ended_decides_nothing(self, browser: Browser) -> None:
        posted = await browser.client.post(PAGE, data={"decision": "approve"}, headers={"Origin": HOST})

        assert posted.status_code == 403
        assert Page(posted).heading == "You are no longer logged in"


class TestWhatDoesNotCount:
    @pytest.mark.parametrize("state", [None, "", "x", "ø\udcff", "x" * 43])
    async def test_wrong_state(self, issuer: LoginIssuer, browser: Browser, state: str | None) -> None:
        callback = await browser.log_in()
        changed = with_params(callback, state=None) + (
            "" if state is None else f"&state={urlencode({'': state}, errors='replace')[1:]}"
        )

        assert "The login has expired, or was begun in another browser or window." in await why_not(browser, changed)
        assert not issuer.redeemed

    async def test_code_that_another_browser_asked_for(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        """Nobody can log a person in as somebody else, nor use a code that they have seen."""
        callback, victim = await browser.log_in(), pages.browser()
        await victim.open()

        await why_not(victim, callback)
        await why_not(pages.browser(), callback)
        assert not issuer.redeemed

    async def test_login_in_a_second_window_leaves_the_first_one_without_effect(self, browser: Browser) -> None:
        first = await browser.log_in()
        second = await browser.log_in()

        await why_not(browser, first)
        assert (await browser.finish(second)).status == 200

    async def test_replayed_answer(self, issuer: LoginIssuer, pages: Pages, browser: Browser) -> None:
        """Also with the cookie of that login, because the issuer takes a code once."""
        callback = await browser.log_in()
        cookie = browser.client.cookies[COOKIE]
        await browser.finish(callback)
        assert COOKIE not in browser.client.cookies
        other = pages.browser()
        await why_not(other, callback)
        other.client.cookies.set(COOKIE, cookie, "contacts.example.com")

        assert "no longer accepts this login, or it was used before" in await why_not(other, callback)
        assert len(pages.callers) == 1

    async def test_code_without_the_verifier_of_its_challenge(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        """A code of one login in the answer to another one: the same browser, but another verifier."""
        stolen = params(await pages.browser().log_in())["code"]
        callback = await browser.log_in()

        await why_not(browser, with_params(callback, code=stolen))

    async def test_login_that_took_too_long(self, issuer: LoginIssuer, pages: Pages, browser: Browser) -> None:
        callback = await browser.log_in()
        pages.clock.now += 600

        assert "The login has expired" in await why_not(browser, callback)
        assert not issuer.redeemed

    @pytest.mark.parametrize(
        "claims",
        [
            {"nonce": "another"},
            {"nonce": None},
            {"aud": "another-client"},
            {"aud": AUDIENCE},
            {"aud": [CLIENT_ID, "another"]},
            {"azp": "another"},
            {"iss": "https://other.example.com"},
            {"exp": 1},
            {"sub": ""},
            {"sub": None},
            {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
            {"at_hash": ["x"]},
            {"iat": None},
            {"iat": 99_999_999_999},
        ],
        ids=json.dumps,
    )
    async def test_id_token_with_wrong_claims(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser, claims: dict[str, Any]
    ) -> None:
        issuer.id_claims = claims

        assert "does not belong to this login" in await why_not(browser, await browser.log_in())
        assert not pages.callers

    async def test_id_token_that_the_issuer_did_not_sign(self, issuer: LoginIssuer, browser: Browser) -> None:
        issuer.id_key = RSA_TOO

        await why_not(browser, await browser.log_in())

    @pytest.mark.parametrize(
        "answer", [{"id_token": None}, {"id_token": 1}, {"id_token": "x.y"}, {"access_token": None}], ids=json.dumps
    )
    async def test_answer_without_tokens(self, issuer: LoginIssuer, browser: Browser, answer: dict[str, Any]) -> None:
        issuer.answer = answer

        await why_not(browser, await browser.log_in())

    async def test_answer_with_two_codes_or_of_another_issuer(self, issuer: LoginIssuer, browser: Browser) -> None:
        for change in ("&code=x", "&iss=https://other.example.com"):
            callback = await browser.log_in()
            changed = (with_params(callback, iss=None) if "iss" in change else callback) + change
            assert "This is not an answer of the authorization server." in await why_not(browser, changed)
        assert not issuer.redeemed

    async def test_callback_takes_no_post_request(self, issuer: LoginIssuer, browser: Browser) -> None:
        callback = await browser.log_in()
        posted = await browser.client.post(callback, data={"x": "y"}, headers={"Origin": issuer.origin})

        assert posted.status_code == 403
        assert not issuer.redeemed

    @pytest.mark.parametrize(
        ("address", "path"),
        [
            (f"{HOST}/approvals/?next=https://other.example.com", "/approvals/"),
            (f"{HOST}/approvals/x;url=http:other,%20y", "/approvals/x%3Burl%3Dhttp%3Aother%2C%20y"),
            (f"{HOST}/approvals/%22%3E%3Cb%3E", "/approvals/%22%3E%3Cb%3E"),
        ],
    )
    async def test_no_address_leads_elsewhere_after_the_login(self, browser: Browser, address: str, path: str) -> None:
        callback = await browser.log_in(address)
        page = await browser.finish(with_params(callback, next="https://other.example.com"))

        assert page.response.headers["Refresh"] == f"0;url={path}"
        assert re.findall(r'href="([^"]*)"', page.html) == [path]


class TestRights:
    async def test_scopes_of_the_access_token_count(self, issuer: LoginIssuer, pages: Pages, browser: Browser) -> None:
        """Not those that the answer claims beside it."""
        issuer.answer = {"scope": "openid contacts:read contacts:approve"}
        await browser.finish(await browser.log_in())
        issuer.allowed = APPROVER
        other = pages.browser()
        await other.finish(await other.log_in())

        assert [caller.may_approve for caller in pages.callers] == [False, True]

    @pytest.mark.parametrize(
        ("scope", "may_approve"),
        [("openid contacts:read contacts:approve", True), ("openid contacts:read", False), (None, False)],
    )
    async def test_opaque_token_has_the_scopes_of_the_answer(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser, scope: str | None, may_approve: bool
    ) -> None:
        """An answer without scopes makes no approver: an issuer that ignores the scope would make everyone one."""
        issuer.answer = {"access_token": "opaque", "scope": scope}
        await browser.finish(await browser.log_in())

        (caller,) = pages.callers
        assert (caller.risks, caller.may_approve) == (frozenset({Risk.READ}), may_approve)

    @pytest.mark.parametrize("answer", [{}, {"access_token": "opaque"}], ids=["token", "opaque token"])
    @pytest.mark.parametrize("scopes", [{"openid"}, {"openid", "contacts:approve"}])
    async def test_person_without_the_scope_to_read_sees_nothing(
        self, issuer: LoginIssuer, browser: Browser, answer: dict[str, Any], scopes: set[str]
    ) -> None:
        issuer.answer, issuer.allowed = answer, scopes

        text = await why_not(browser, await browser.log_in())
        assert "You may not see contacts: your login lacks the scope contacts:read." in text


class TestIssuer:
    @pytest.mark.parametrize(
        ("error", "words"),
        [
            ("access_denied", "The login was cancelled or not allowed at the authorization server."),
            ("server_error", "The authorization server refused the login."),
            ("<b>x", "The authorization server refused the login."),
        ],
    )
    async def test_person_reads_that_the_issuer_did_not_log_them_in(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser, error: str, words: str
    ) -> None:
        """The issuer's own text is not shown: everybody can write it."""
        issuer.denial = {"error": error, "error_description": f"call 555 {EMAIL}"}
        text = await why_not(browser, await browser.log_in())

        assert words in text
        assert "555" not in text
        assert not issuer.redeemed
        assert await pages.scene.pending() == []

    async def test_page_without_an_issuer_says_so_and_asks_it_again_after_a_moment(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser
    ) -> None:
        issuer.answers[issuer.discovery] = (500, b"", {})
        for _ in range(3):
            assert "The authorization server is not available" in await why_not(browser, PAGE, 503)
        assert issuer.requests.count(issuer.discovery) == 1
        del issuer.answers[issuer.discovery]
        pages.clock.now += 5

        assert (await browser.finish(await browser.log_in())).status == 200

    async def test_stopped_issuer(self, scene: Scene) -> None:
        with LoginIssuer() as issuer:
            pages = Pages(scene, issuer)
        await why_not(pages.browser(), PAGE, 503)

    @pytest.mark.parametrize(
        "change",
        [
            {"issuer": "https://other.example.com"},
            {"authorization_endpoint": "http://login.example.com/authorize"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"token_endpoint": None},
            {"token_endpoint": "http://10.0.0.1/token"},
        ],
        ids=json.dumps,
    )
    async def test_untrustworthy_metadata_is_not_used(
        self, issuer: LoginIssuer, browser: Browser, change: dict[str, Any]
    ) -> None:
        status, body, headers = issuer.metadata()
        issuer.answers[issuer.discovery] = (status, json.dumps({**json.loads(body), **change}).encode(), headers)

        await why_not(browser, PAGE, 503)

    @pytest.mark.parametrize(
        "answer",
        [
            (500, b"", {}),
            (200, b"no JSON", {}),
            (200, b"[]", {}),
            (200, b"[" * 200_000, {}),
            (200, b'{"id_token": "' + b"x" * 300_000 + b'"}', {}),
            (200, b"{}", {"Content-Encoding": "gzip"}),
            (302, b"", {"Location": "/keys"}),
            (401, b'{"error": "invalid_client"}', {}),
            (400, b'{"error": 1}', {}),
        ],
        ids=["error", "text", "list", "deep", "long", "compressed", "redirect", "client", "number"],
    )
    async def test_unusable_answer_to_a_code(self, issuer: LoginIssuer, browser: Browser, answer: HttpAnswer) -> None:
        callback = await browser.log_in()
        issuer.answers["/token"] = answer

        await why_not(browser, callback, 503)

    async def test_crowd_at_the_door_waits(
        self, issuer: LoginIssuer, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("contacts_mcp.transports.http.access._oidc._MAX_LOGINS", 0)

        assert "Too many people are logging in" in await why_not(browser, await browser.log_in(), 503)
        assert not issuer.redeemed

    async def test_log_names_the_reason_and_nothing_of_the_person(
        self, issuer: LoginIssuer, pages: Pages, browser: Browser, caplog: pytest.LogCaptureFixture
    ) -> None:
        for name in ("contacts_mcp", "httpx2", "httpcore2", "authlib"):
            caplog.set_level(logging.DEBUG, name)
        callbacks = [await browser.log_in()]
        await browser.finish(callbacks[0])
        issuer.secret = "changed"
        for claims in ({}, {"nonce": EMAIL}):
            other = pages.browser()
            callbacks.append(await other.log_in())
            issuer.id_claims = claims
            await other.finish(callbacks[-1])
            issuer.secret = CLIENT_SECRET
            pages.clock.now += 5
        records = [each for each in caplog.records if each.name.startswith(("contacts_mcp", "http", "authlib"))]
        lines = [each.getMessage() for each in records if not each.name.startswith(("httpx.", "httpcore.", "httpx"))]
        lines += [each.getMessage() for each in records if each.name.startswith("httpx2")]

        reasons = [each.getMessage() for each in records if each.levelno >= logging.WARNING]
        assert [reason.partition(": ")[2] for reason in reasons] == [
            "it refuses this server (invalid_client)",
            "its answer is not accepted, because the ID token has the wrong nonce",
        ]
        secret = {CLIENT_SECRET, EMAIL, *(params(each)[name] for each in callbacks for name in ("code", "state"))}
        secret |= {each["code_verifier"] for each in issuer.redeemed}
        assert len(lines) > len(reasons)
        assert not [line for line in lines if any(each in line for each in secret)]
