"""The web console: over a network after a login, or on a port of this computer that `contacts-mcp open` starts."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, Consent, Rung, Seal
from contacts_mcp.server import ActiveCalls, ApprovalDesk, Caller, ExtraTools
from contacts_mcp.settings import Auth, Settings, env_name

if TYPE_CHECKING:
    from contacts_mcp.app._connections import Connection
    from contacts_mcp.approval_page import Deciding
    from contacts_mcp.audit import Trail
    from contacts_mcp.console import ConsoleSite
    from contacts_mcp.transports.http.access import ApiKeyAccess, OAuthAccess

_COOKIE = "contacts-console"
_SESSION_SECONDS = 15 * 60.0
_MAX_KEY_SESSION_SECONDS = 8 * 3600.0
"""A key is checked again for each request, so a session ends soon after it was revoked."""
_MAX_OAUTH_SESSION_SECONDS = 3600.0
"""The authorization server is not asked again meanwhile, so this is how long a removed person may go on."""
_DECIDED_BY = "this computer"
_NOT_HERE = f"No decisions are taken on pages of this server ({env_name('approval')}, {env_name('read_only')})."


def has_console(settings: Settings) -> bool:
    """Whether a server over a network has a console."""
    from contacts_mcp.app._pages import has_login

    return settings.console and has_login(settings)


def build_console_tools(
    settings: Settings,
    rungs: Sequence[Rung],
    desk: ApprovalDesk,
    connection: "Connection",
    trail: "Trail",
    active_calls: ActiveCalls,
) -> ExtraTools:
    """Build the tools that only the console's page can call, by the same rules as the pages and the commands."""
    from contacts_mcp.app._connections import DirectoryConnection
    from contacts_mcp.console import ApprovalTools, DirectoryTools, TrailTools

    is_local = settings.auth is Auth.NONE

    def sees_all(caller: Caller) -> bool:
        # With a key each caller may have a directory of their own, and records do not name it.
        return is_local or (caller.may_approve and settings.auth is Auth.OAUTH)

    is_embedded = isinstance(connection, DirectoryConnection)
    tools = [
        *ApprovalTools(desk, _deciding(settings, rungs), _NOT_HERE).tools(),
        *TrailTools(lambda: trail.path, sees_all).tools(),
        *DirectoryTools(
            connection.latest_receipts if isinstance(connection, DirectoryConnection) else None,
            settings.backups.expanduser() if settings.backups and is_embedded else None,
            sees_all,
        ).tools(),
    ]
    return ExtraTools(tools, active_calls)


def _deciding(settings: Settings, rungs: Sequence[Rung]) -> "Deciding | None":
    """Return how decisions in the console count; None if the settings let no person decide on a page."""
    from contacts_mcp.approval_page import Deciding

    if settings.read_only:
        return None
    if settings.auth is Auth.NONE:
        return Deciding(Consent.PAGE, lambda _: _DECIDED_BY) if Rung.PAGE in rungs else None
    if not {Rung.URL, Rung.APPROVER} & set(rungs):
        return None
    return Deciding(Consent.URL, lambda caller: caller.principal, decides_own=Rung.URL in rungs)


def sentence_case(text: str) -> str:
    """Return a text with a capital letter at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"


def shorten_home(text: str, home: Path) -> str:
    """Return a text with `~` for the path of the home folder, as a shell abbreviates it."""
    return text.replace(f"{home}{os.sep}", f"~{os.sep}")


def build_network_console(
    settings: Settings, rungs: Sequence[Rung], access: "ApiKeyAccess | OAuthAccess", backend: str
) -> "ConsoleSite":
    """Build the console of a server over a network that works on `backend`. Raises InvalidSettings."""
    from starlette.routing import Route

    from contacts_mcp.app._pages import open_provider
    from contacts_mcp.approval_page import CALLBACK_PATH, KeyLogin, OidcLogin, Sessions, Views
    from contacts_mcp.console import ConsoleSite
    from contacts_mcp.transports.http.access import OAuthAccess

    where = sentence_case(backend)
    reason = "The console shows and changes the contacts that your key opens."
    views = Views("Console", login_title="Log in to the console", login_reason=reason)
    seal = Seal(ANSWER_LIFETIME_SECONDS, [key.get_secret_value() for key in settings.state_keys])

    def admit(caller: Caller) -> Caller:
        return replace(caller, may_approve=caller.may_approve and Rung.APPROVER in rungs)

    def sessions_of(max_seconds: float) -> Sessions:
        return Sessions(seal, cookie=_COOKIE, seconds=_SESSION_SECONDS, max_seconds=max_seconds)

    if isinstance(access, OAuthAccess):
        sessions = sessions_of(_MAX_OAUTH_SESSION_SECONDS)
        provider = open_provider(settings, rungs, access, asks_to_change=not settings.read_only)
        login = OidcLogin(views, sessions, seal, provider, admit)
        routes = [Route(CALLBACK_PATH, login.finish, methods=["GET", "POST"])]
        return ConsoleSite(sessions=sessions, login=login, views=views, routes=routes, backend=where)
    log_in = access.log_in

    async def identify(key: str) -> Caller:
        return admit(await log_in(key))

    async def refresh(caller: Caller) -> Caller:
        return await identify(caller.credential.secret) if caller.credential else caller

    sessions = sessions_of(_MAX_KEY_SESSION_SECONDS)
    login_by_key = KeyLogin(views, identify)
    return ConsoleSite(sessions=sessions, login=login_by_key, views=views, refresh=refresh, backend=where)
