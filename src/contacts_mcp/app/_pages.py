"""The pages on which a person decides: in the browser of this computer, or on the server after a login."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING

from starlette.routing import Route
from starlette.types import ASGIApp

from contacts_mcp.app._hangup import Reload
from contacts_mcp.approval_page import LoopbackPage, has_browser
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, Approval, Consent, Rung, Seal
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import ApprovalDesk, Caller, RequestContext, approvals_url_of
from contacts_mcp.settings import Auth, InvalidSettings, Settings, env_name

if TYPE_CHECKING:
    from contacts_mcp.transports.http.access import ApiKeyAccess, OAuthAccess, OidcClient


def choose_loopback_page(settings: Settings, rungs: Sequence[Rung], desk: ApprovalDesk) -> LoopbackPage | None:
    """Return the page of this computer; None if the settings do not allow it, or a person could not see it."""
    is_allowed = Rung.PAGE in rungs and settings.auth is Auth.NONE and not settings.read_only
    return LoopbackPage(desk) if is_allowed and has_browser() else None


def has_network_pages(settings: Settings, rungs: Sequence[Rung]) -> bool:
    """Whether a server over a network has pages on which callers, or approvers, log in and decide."""
    is_allowed = not settings.read_only and bool({Rung.URL, Rung.APPROVER} & set(rungs))
    return is_allowed and has_login(settings)


def has_login(settings: Settings) -> bool:
    """Whether people can log in to pages of a server over a network."""
    return settings.auth is Auth.KEY or (settings.auth is Auth.OAUTH and settings.oidc_client_id is not None)


def page_url(ctx: RequestContext, approval: Approval) -> str | None:
    """Return the address of an approval's page on the server; None without a network. It names no one."""
    address = approvals_url_of(ctx)
    return address and f"{address}{approval.id}"


@dataclass(frozen=True, slots=True)
class NetworkPages:
    """The pages of a server over a network as an ASGI app, and what SIGHUP reads again for them."""

    asgi: ASGIApp
    reloads: tuple[Reload, ...] = ()


def build_network_pages(
    settings: Settings, rungs: Sequence[Rung], desk: ApprovalDesk, access: "ApiKeyAccess | OAuthAccess"
) -> NetworkPages | None:
    """Build the pages of a server over a network; None if the settings allow none. Raises InvalidSettings."""
    if not has_network_pages(settings, rungs):
        return None
    from contacts_mcp.approval_page import (
        CALLBACK_PATH,
        Deciding,
        KeyLogin,
        OidcLogin,
        Sessions,
        Views,
        approval_pages,
        client_address,
    )
    from contacts_mcp.transports.http.access import OAuthAccess

    views = Views("")
    seal = Seal(ANSWER_LIFETIME_SECONDS, [key.get_secret_value() for key in settings.state_keys])
    sessions = Sessions(seal)
    deciding = Deciding(Consent.URL, lambda caller: caller.principal, decides_own=Rung.URL in rungs)

    def admit(caller: Caller) -> Caller:
        caller = replace(caller, may_approve=caller.may_approve and Rung.APPROVER in rungs)
        if not caller.may_approve and Rung.URL not in rungs:
            raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", "you may not decide on the calls of others")
        return caller

    if isinstance(access, OAuthAccess):
        provider = open_provider(settings, rungs, access)
        login = OidcLogin(views, sessions, seal, provider, admit)
        routes = [Route(CALLBACK_PATH, login.finish, methods=["GET", "POST"])]
        return NetworkPages(approval_pages(desk, sessions, login, views, deciding, routes), (provider.reload,))
    log_in = access.log_in

    async def identify(key: str) -> Caller:
        return admit(await log_in(key))

    address_of = client_address(settings.trusted_proxies)
    key_login = KeyLogin(views, identify, is_known=access.has_accepted, address_of=address_of)
    return NetworkPages(approval_pages(desk, sessions, key_login, views, deciding))


def open_provider(
    settings: Settings, rungs: Sequence[Rung], access: "OAuthAccess", *, asks_to_change: bool = False
) -> "OidcClient":
    """Return the authorization server as people log in there. Raises InvalidSettings without the extra `oidc`."""
    if find_spec("authlib") is None:
        needed = "needs the extra `oidc`: pip install 'wayscloud-contacts-mcp[oidc]'"
        raise InvalidSettings(f"{env_name('oidc_client_id')} {needed}")
    from contacts_mcp.transports.http.access import OidcClient

    secret = settings.oidc_client_secret
    return OidcClient(
        access.issuer,
        settings.oidc_client_id or "",
        secret.get_secret_value() if secret else None,
        resource=access.resource,
        asks_to_approve=Rung.APPROVER in rungs,
        asks_to_change=asks_to_change,
    )
