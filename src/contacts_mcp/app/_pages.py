"""The pages on which a person decides: in the browser of this computer, or on the server after a login."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from contacts_mcp.approval_page import LoopbackPage, has_browser
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, Approval, Consent, Rung, Seal
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import ApprovalDesk, Caller, RequestContext, approvals_url_of
from contacts_mcp.settings import Auth, Settings

if TYPE_CHECKING:
    from contacts_mcp.transports.http.access import ApiKeyAccess


def choose_loopback_page(settings: Settings, rungs: Sequence[Rung], desk: ApprovalDesk) -> LoopbackPage | None:
    """Return the page of this computer; None if the settings do not allow it, or a person could not see it."""
    is_allowed = Rung.PAGE in rungs and settings.auth is Auth.NONE and not settings.read_only
    return LoopbackPage(desk) if is_allowed and has_browser() else None


def has_network_pages(settings: Settings, rungs: Sequence[Rung]) -> bool:
    """Whether a server over a network has pages on which callers, or approvers, log in and decide."""
    is_allowed = not settings.read_only and bool({Rung.URL, Rung.APPROVER} & set(rungs))
    return is_allowed and settings.auth is Auth.KEY


def page_url(ctx: RequestContext, approval: Approval) -> str | None:
    """Return the address of an approval's page on the server; None without a network. It names no one."""
    address = approvals_url_of(ctx)
    return address and f"{address}{approval.id}"


def build_network_pages(
    settings: Settings, rungs: Sequence[Rung], desk: ApprovalDesk, access: "ApiKeyAccess"
) -> ASGIApp | None:
    """Build the pages of a server over a network; None if the settings allow none."""
    if not has_network_pages(settings, rungs):
        return None
    from contacts_mcp.approval_page import Deciding, KeyLogin, Sessions, Views, approval_pages

    async def identify(key: str) -> Caller:
        caller = await access.log_in(key)
        caller = replace(caller, may_approve=caller.may_approve and Rung.APPROVER in rungs)
        if not caller.may_approve and Rung.URL not in rungs:
            raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", "this key may not decide on the calls of others")
        return caller

    views = Views("")
    keys = [key.get_secret_value() for key in settings.state_keys]
    sessions = Sessions(Seal(ANSWER_LIFETIME_SECONDS, keys))
    deciding = Deciding(Consent.URL, lambda caller: caller.principal)
    return approval_pages(desk, sessions, KeyLogin(views, identify), views, deciding)
