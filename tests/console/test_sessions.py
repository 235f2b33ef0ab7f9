"""How long a session of the console lasts, and that the caller's rights are looked up for each request."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Router

from console.pages import Page
from contacts_mcp.approval_page import Sessions, Views
from contacts_mcp.console import ConsoleSite
from contacts_mcp.contract import Risk
from contacts_mcp.guard import Seal
from contacts_mcp.middleware import ErrorMiddleware, Refusal
from contacts_mcp.server import CALLER_SCOPE_KEY, CONSOLE_SCOPE_KEY, Caller
from contacts_mcp.transports.http._errors import json_rpc_error
from support.clock import Clock

HOST = "https://contacts.example.com"
OLA = Caller("ola")


class Login:
    async def log_in(self, request: Request, form: object) -> Caller:
        return OLA


async def protocol(scope: Any, receive: Any, send: Any) -> None:
    """Answer with who the caller is and what reached the protocol."""
    names = [name.decode() for name, _ in scope["headers"]]
    caller = scope[CALLER_SCOPE_KEY]
    seen = {"caller": caller.principal, "risks": sorted(caller.risks), "console": scope[CONSOLE_SCOPE_KEY]}
    await JSONResponse({"jsonrpc": "2.0", "id": 1, "result": {**seen, "headers": names}})(scope, receive, send)


class Served:
    """A console whose sessions last 15 minutes, and an hour at most."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.rights: Caller | None = OLA
        sessions = Sessions(Seal(600), self.clock, cookie="test", seconds=900, max_seconds=3600)
        site = ConsoleSite(sessions=sessions, login=Login(), views=Views(""), refresh=self._refresh)
        app: Any = Router([Mount("/console", site.app(protocol))])
        transport: Any = httpx.ASGITransport(ErrorMiddleware(app, json_rpc_error))  # type: ignore[arg-type]
        self.page = Page(httpx.AsyncClient(transport=transport, base_url=HOST, follow_redirects=True), "/console/")

    async def _refresh(self, caller: Caller) -> Caller:
        if self.rights is None:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", f"the key of {caller.principal} is revoked")
        return self.rights

    async def status(self) -> int:
        return (await self.page.send("tools/list")).status_code


@pytest.fixture
async def served() -> Served:
    made = Served()
    assert (await made.page.client.get("/console/")).status_code == 200
    return made


async def test_session_ends_after_a_quarter_of_an_hour_without_requests(served: Served) -> None:
    served.clock.now += 899
    assert await served.status() == 200
    served.clock.now += 901

    assert await served.status() == 401


async def test_session_in_use_goes_on_until_its_last_hour_is_over(served: Served) -> None:
    for _ in range(5):
        served.clock.now += 600
        assert await served.status() == 200
    served.clock.now += 599
    assert await served.status() == 200
    served.clock.now += 2

    assert await served.status() == 401


async def test_rights_are_those_that_the_caller_has_now(served: Served) -> None:
    served.rights = Caller("ola", frozenset({Risk.READ}))
    seen = (await served.page.send("tools/list")).json()["result"]
    assert (seen["caller"], seen["risks"]) == ("ola", ["read"])

    served.rights = None
    assert await served.status() == 401


async def test_protocol_gets_the_mark_of_the_console_and_no_credential(served: Served) -> None:
    headers: dict[str, str | None] = {"X-API-Key": "x", "Authorization": "Bearer x"}
    seen = (await served.page.send("tools/list", headers)).json()["result"]

    assert seen["console"] is True
    assert {"cookie", "authorization", "x-api-key"}.isdisjoint(seen["headers"])


async def test_logged_out_page_is_refused(served: Served) -> None:
    answer = await served.page.client.post("/console/logout", headers=served.page.own_headers)

    assert answer.status_code == 204
    assert await served.status() == 401
