"""The same server over a network: who may call, by which names, within which limits."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcp.server.lowlevel import Server
from starlette.types import ASGIApp

from contacts_mcp.app._backends import Embedded, OwnKeys, Platform, choose_backend
from contacts_mcp.app._late import OneDirectory, PerCallerClients
from contacts_mcp.app._server import App, build_app
from contacts_mcp.app._telemetry import plan_telemetry
from contacts_mcp.audit import Trail
from contacts_mcp.client import BASE_URL, is_loopback, parse_base_url
from contacts_mcp.contract import Risk
from contacts_mcp.settings import Auth, InvalidSettings, Settings, variable
from contacts_mcp.tools import TOOLS
from contacts_mcp.transports.http import Limits, ReadinessCheck, http_app
from contacts_mcp.transports.http.access import Access, ApiKeyAccess, LoopbackAccess

_RISKS: dict[str, Risk] = {tool.name: tool.min_risk or tool.risk for tool in TOOLS}


@dataclass(frozen=True, slots=True)
class NetworkApp:
    """An ASGI app, and what there is to say about it."""

    asgi: ASGIApp
    server: Server[Any]
    check_ready: ReadinessCheck
    trail: Trail
    summary: str


def build_network_app(settings: Settings, home: Path) -> NetworkApp:
    """Wire the server for a network.

    Raises:
        ValueError: as build_app does, or the settings of the network do not fit together.
    """
    app = build_app(settings, _backend(settings, home), calls_at_once=settings.max_calls, paths=False)
    access = _access(settings, app)
    telemetry = plan_telemetry(settings, os.environ)

    async def check_ready() -> None:
        await app.check_ready()
        await access.check_ready()

    asgi = http_app(
        app.server,
        access,
        check_ready=check_ready,
        calls=app.calls,
        close_subscriptions=app.close_subscriptions,
        hosts=settings.public_host,
        origins=settings.allow_origin,
        limits=Limits(settings.max_calls, settings.rate),
        telemetry=telemetry.running,
    )
    told = (app.summary, *_told(settings), _shared(settings, app), str(telemetry))
    return NetworkApp(asgi, app.server, check_ready, app.trail, "; ".join(filter(None, told)))


def require_reachable(settings: Settings, host: str) -> None:
    """Refuse an address to bind to that others can reach, unless callers are told apart and its name is known.

    Raises:
        InvalidSettings: says what to set.
    """
    if is_loopback(host):
        return
    if settings.auth is Auth.NONE:
        raise InvalidSettings(
            f"without authentication the server binds to loopback alone, and {host} can be reached by others; "
            f"set {variable('auth')} (--auth) to key or oauth, or bind to 127.0.0.1"
        )
    if not settings.public_host:
        raise InvalidSettings(
            f"{host} can be reached by others; set {variable('public_host')} (--public-host) to the name they use"
        )


def _backend(settings: Settings, home: Path) -> Platform | Embedded | OwnKeys:
    if settings.auth is not Auth.KEY:
        return choose_backend(settings, home)
    if settings.directory is not None:
        raise InvalidSettings(
            f"{variable('auth')} is key, but the embedded directory knows no keys; "
            f"leave {variable('directory')} out, or use oauth"
        )
    return OwnKeys(parse_base_url(settings.api_url or BASE_URL))


def _access(settings: Settings, app: App) -> Access:
    if isinstance(app.connection, PerCallerClients):
        return ApiKeyAccess(app.connection.check)
    if settings.auth is Auth.OAUTH:
        return _by_token(settings, app)
    _require_own_names(settings)
    return LoopbackAccess()


def _require_own_names(settings: Settings) -> None:
    """A proxy on this machine would reach a server without authentication, for whoever calls the proxy."""
    for name in settings.public_host:
        if not is_loopback(urlsplit(f"//{name}").hostname or ""):
            raise InvalidSettings(
                f"{variable('public_host')} names a host that others use, but {variable('auth')} is none; "
                "set it to key or oauth"
            )


def _by_token(settings: Settings, app: App) -> Access:
    from contacts_mcp.transports.http.access import Issuer, OAuthAccess

    if settings.oauth_issuer is None:
        raise InvalidSettings(
            f"{variable('auth')} is oauth: set {variable('oauth_issuer')} to the authorization server"
        )
    resource = _resource(settings)
    if resource is None:
        raise InvalidSettings(
            f"{variable('auth')} is oauth: set {variable('public_host')}, or {variable('oauth_audience')} where tokens "
            "are for another name"
        )
    issuer = Issuer(settings.oauth_issuer, settings.oauth_audience or resource)
    return OAuthAccess(issuer, resource=resource, risk_of=_RISKS.get, record_denied=app.recorder.record_rejected)


def _resource(settings: Settings) -> str | None:
    """The address that clients know the server by, and ask the issuer for tokens for."""
    return f"https://{settings.public_host[0]}/mcp" if settings.public_host else settings.oauth_audience


def _told(settings: Settings) -> list[str]:
    """Who may call, and by which names."""
    by = ""
    if settings.auth is Auth.OAUTH:
        by = f" by {settings.oauth_issuer} for {settings.oauth_audience or _resource(settings)}"
    names = [f"answers to {', '.join(settings.public_host)}"] if settings.public_host else []
    return [f"auth: {settings.auth}{by}", *names]


def _shared(settings: Settings, app: App) -> str:
    """What replicas have to know of each other, said where it is less than it could be."""
    if settings.state_keys and settings.redis_url is None and not isinstance(app.connection, OneDirectory):
        return f"a confirmation can be used once on each replica ({variable('redis_url')} makes it once in all)"
    return ""
