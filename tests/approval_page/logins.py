"""The pages of a server over a network before a person is logged in, in a browser."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from approval_page.scenes import Scene
from approval_page.windows import Desktop, press
from contacts_mcp.approval_page import CALLBACK_PATH, Deciding, KeyLogin, OidcLogin, Sessions, Views, approval_pages
from contacts_mcp.approval_page._app import page_response
from contacts_mcp.guard import Consent, Seal
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import Caller

_VIEWS = Views("")
_DECIDING = Deciding(Consent.URL, lambda caller: caller.principal)


class DecliningProvider:
    """An authorization server at which the person cancels the login, or which is away."""

    issuer = "https://login.example.com"

    def __init__(self, *, is_away: bool = False) -> None:
        self._is_away = is_away

    async def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        if self._is_away:
            raise Refusal(503, "login_failed", "the authorization server is not available; try again in 5 seconds")
        return f"{redirect_uri}?error=access_denied&state={state}"

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Caller:
        raise NotImplementedError


def _oidc_pages(scene: Scene, provider: DecliningProvider) -> Starlette:
    seal = Seal(600, clock=scene.clock)
    sessions = Sessions(seal, scene.clock)
    login = OidcLogin(_VIEWS, sessions, seal, provider, lambda caller: caller, scene.clock)
    routes = [Route(CALLBACK_PATH, login.finish)]
    pages = approval_pages(scene.desk, sessions, login, _VIEWS, _DECIDING, routes)
    return Starlette(routes=[Mount("/approvals", pages)])


async def show_cancelled_login(here: Desktop) -> Any:
    """The person wanted to see a question, was sent to the authorization server, and came back without a login."""
    return await here.visit(f"{here.serve(_oidc_pages(here.scene, DecliningProvider()))}/approvals/0123abcd")


async def show_unavailable_login(here: Desktop) -> Any:
    pages = _oidc_pages(here.scene, DecliningProvider(is_away=True))
    return await here.visit(f"{here.serve(pages)}/approvals/0123abcd")


async def show_foreign_login(here: Desktop) -> Any:
    """An answer of the authorization server to a login that this browser did not begin."""
    pages = _oidc_pages(here.scene, DecliningProvider())
    return await here.visit(f"{here.serve(pages)}/approvals{CALLBACK_PATH}?code=x&state=y")


async def show_logged_in(here: Desktop) -> Any:
    """Without its header that goes on at once."""

    async def page(_request: Request) -> Response:
        return page_response(_VIEWS.logged_in("/approvals/0123abcd"))

    return await here.visit(here.serve(Starlette(routes=[Route("/", page)])))


async def show_key_login(here: Desktop) -> Any:
    async def identify(_secret: str) -> Caller:
        raise Refusal(401, "unauthorized", "wrong")

    sessions = Sessions(Seal(600, clock=here.scene.clock), here.scene.clock)
    pages = approval_pages(here.scene.desk, sessions, KeyLogin(_VIEWS, identify), _VIEWS, _DECIDING)
    return await here.visit(f"{here.serve(Starlette(routes=[Mount('/approvals', pages)]))}/approvals/")


async def show_wrong_key(here: Desktop) -> Any:
    window = await show_key_login(here)
    await window.get_by_label("WAYSCloud key").fill("wayscloud_pat_wrong")
    assert await press(window, "Log in") == "Log in to decide"
    return window
