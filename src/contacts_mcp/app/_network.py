"""The server over a network: authentication, host names, limits and telemetry."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcp.server.lowlevel import Server
from starlette.types import ASGIApp

from contacts_mcp.app._backends import choose_network_backend
from contacts_mcp.app._connections import DirectoryConnection, PerCallerConnection, credential_reload
from contacts_mcp.app._consent import choose_rungs, require_shared_approvals
from contacts_mcp.app._console import build_network_console, has_console
from contacts_mcp.app._hangup import Reload
from contacts_mcp.app._links import choose_links, links_warning
from contacts_mcp.app._pages import build_network_pages
from contacts_mcp.app._server import App, build_app
from contacts_mcp.app._telemetry import plan_telemetry
from contacts_mcp.audit import Trail
from contacts_mcp.client import is_loopback
from contacts_mcp.contract import Risk
from contacts_mcp.settings import Auth, InvalidSettings, Settings, env_name
from contacts_mcp.tools import TOOLS
from contacts_mcp.transports.http import Limits, ReadinessCheck, http_app
from contacts_mcp.transports.http.access import ApiKeyAccess, LoopbackAccess

if TYPE_CHECKING:
    from contacts_mcp.transports.http.access import OAuthAccess

_RISKS: dict[str, Risk] = {tool.name: tool.min_risk or tool.risk for tool in TOOLS}


@dataclass(frozen=True, slots=True)
class NetworkApp:
    """An ASGI app and its parts; `summary` says in one line what it works on and who may call."""

    asgi: ASGIApp
    server: Server[Any]
    checks: Mapping[str, ReadinessCheck]
    trail: Trail
    summary: str
    reloads: tuple[Reload, ...]
    """What SIGHUP reads again."""


def build_network_app(settings: Settings, home: Path, *, create: bool = True) -> NetworkApp:
    """Build the server for a network. Raises ValueError as build_app, or if network settings contradict each other."""
    backend = choose_network_backend(settings, home)
    links = choose_links(settings, backend)
    require_shared_approvals(settings, backend, None)
    has_page = has_console(settings)
    app = build_app(
        settings, backend, max_calls=settings.max_calls, paths=False, create=create, links=links, console=has_page
    )
    access = _access(settings, app)
    telemetry = plan_telemetry(settings, os.environ)
    pages = console = None
    if not isinstance(access, LoopbackAccess):
        pages = build_network_pages(settings, choose_rungs(settings), app.desk, access)
        if has_page:
            console = build_network_console(settings, choose_rungs(settings), access, backend.kind)

    checks = app.checks() | ({"issuer": access.check_ready} if settings.auth is Auth.OAUTH else {})
    asgi = http_app(
        app.server,
        access,
        checks=checks,
        calls=app.active_calls,
        close_subscriptions=app.subscriptions.close,
        hosts=settings.public_host,
        origins=settings.allow_origin,
        limits=Limits(settings.max_calls, settings.rate),
        links=links,
        approvals=pages.asgi if pages else None,
        console=console.app if console else None,
        telemetry=telemetry.running,
    )
    warnings = (_nonce_warning(settings, app), links_warning(settings))
    summary = (app.summary, *_summarize_access(settings), *warnings, str(telemetry))
    reloads = (credential_reload(app.connection, settings, home), access.reload, *(pages.reloads if pages else ()))
    return NetworkApp(asgi, app.server, checks, app.trail, "; ".join(filter(None, summary)), reloads)


def require_reachable(settings: Settings, host: str) -> None:
    """Raise InvalidSettings for an address that other machines reach without authentication or a public host."""
    if is_loopback(host):
        return
    if settings.auth is Auth.NONE:
        raise InvalidSettings(
            f"without authentication the server binds only to loopback, and other machines can reach {host}; "
            f"set {env_name('auth')} (--auth) to key or oauth, or bind to 127.0.0.1"
        )
    if not settings.public_host:
        raise InvalidSettings(
            f"other machines can reach {host}; set {env_name('public_host')} (--public-host) to the host clients use"
        )


def _access(settings: Settings, app: App) -> "ApiKeyAccess | OAuthAccess | LoopbackAccess":
    if isinstance(app.connection, PerCallerConnection):
        return ApiKeyAccess(app.connection.check)
    if settings.auth is Auth.OAUTH:
        return _oauth(settings, app)
    # A proxy on this machine would let everyone in.
    if not all(is_loopback(urlsplit(f"//{name}").hostname or "") for name in settings.public_host):
        raise InvalidSettings(
            f"{env_name('public_host')} is a public host name, but {env_name('auth')} is none; set it to key or oauth"
        )
    return LoopbackAccess()


def _oauth(settings: Settings, app: App) -> "OAuthAccess":
    from contacts_mcp.transports.http.access import Issuer, OAuthAccess

    if settings.oauth_issuer is None:
        raise InvalidSettings(
            f"{env_name('auth')} is oauth: set {env_name('oauth_issuer')} to the authorization server"
        )
    resource = _resource(settings)
    if resource is None:
        raise InvalidSettings(
            f"{env_name('auth')} is oauth: set {env_name('public_host')}, or {env_name('oauth_audience')} if tokens "
            "are issued for another name"
        )
    issuer = Issuer(settings.oauth_issuer, settings.oauth_audience or resource)
    return OAuthAccess(issuer, resource=resource, risk_of=_RISKS.get, record_denied=app.recorder.record_rejected)


def _resource(settings: Settings) -> str | None:
    """Return the server's public address, for which clients request tokens."""
    return f"https://{settings.public_host[0]}/mcp" if settings.public_host else settings.oauth_audience


def _summarize_access(settings: Settings) -> list[str]:
    issuer = ""
    if settings.auth is Auth.OAUTH:
        issuer = f" by {settings.oauth_issuer} for {settings.oauth_audience or _resource(settings)}"
    names = [f"answers to {', '.join(settings.public_host)}"] if settings.public_host else []
    return [f"auth: {settings.auth}{issuer}", *names]


def _nonce_warning(settings: Settings, app: App) -> str:
    """Return a warning if replicas share confirmations but not which of them were used."""
    if settings.state_keys and settings.redis_url is None and not isinstance(app.connection, DirectoryConnection):
        return f"a confirmation can be used once per replica (once in total with {env_name('redis_url')})"
    return ""
