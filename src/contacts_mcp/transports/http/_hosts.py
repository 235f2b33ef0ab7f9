"""The host names of the server, and the origins whose pages may call it.

A web page can let its own name point to this server (DNS rebinding), but it cannot forge the headers Host and Origin,
which reveal that.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv6Address

from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.client import is_loopback
from contacts_mcp.middleware import Refusal, route_path
from contacts_mcp.text import quote
from contacts_mcp.transports.http._errors import json_rpc_error

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9_.-]{0,253})(?::([0-9]{1,5}))?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,31}")
_MAX_SHOWN_CHARACTERS = 80

_CORS_METHODS = ("GET", "POST", "DELETE")
_CORS_REQUEST_HEADERS = (
    *("Authorization", "X-API-Key", "Content-Type", "Last-Event-ID", "MCP-Protocol-Version"),
    *("Mcp-Method", "Mcp-Name", "Mcp-Session-Id", "X-Request-ID"),
)
_CORS_RESPONSE_HEADERS = ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After", "X-Request-ID")

_Host = tuple[str, int | None]
"""A host in lower case, IPv6 in brackets, and the port if there is one."""
_Origin = tuple[str, str, int | None]
"""Scheme and host in lower case, and the port; http and https have a default port."""


class HostOriginMiddleware:
    """Refuse a Host that is not in `hosts` (421), and an Origin that is neither in `origins` nor the host's own (403).

    A host without a port means any port; no hosts mean the names of loopback. The host's own origin may be http or
    https, because TLS ends at a proxy. Paths in `exempt` accept every host: probes address a server by its number.
    Paths for which `is_public` is true accept every origin.

    The SDK's TransportSecurityMiddleware compares strings exactly (no case folding, default ports, IPv6 forms or own
    origin), takes the first of several Host headers, writes the rejected header to the log unescaped, and has no
    exempt paths. An invalid host or origin is a ValueError, in one line that names the option.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        origins: Collection[str],
        exempt: Collection[str] = (),
        is_public: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self._app = app
        self._ports: dict[str, set[int | None]] = {}
        for host, port in map(_configured_host, hosts or _LOOPBACK_HOSTS):
            self._ports.setdefault(host, set()).add(port)
        self._origins = frozenset(map(_configured_origin, origins))
        self._exempt = frozenset(exempt)
        self._is_public = is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and route_path(scope) not in self._exempt:
            refusal = self._check(scope)
            app = json_rpc_error(refusal, scope) if refusal else app
        await app(scope, receive, send)

    def _check(self, scope: Scope) -> Refusal | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        host = parse_host(str(hosts[0], "latin-1")) if len(hosts) == 1 else None
        if host is None or not self._is_own_host(*host):
            return _wrong_host(host)
        if self._is_public(route_path(scope)):
            return None
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if origins and not (len(origins) == 1 and self._is_allowed_origin(str(origins[0], "latin-1"), host)):
            message = "pages of this origin may not use the server; its operator can allow them with --allow-origin"
            return Refusal(HTTPStatus.FORBIDDEN, "wrong_origin", message)
        return None

    def _is_own_host(self, host: str, port: int | None) -> bool:
        ports = self._ports.get(host, set())
        return None in ports or port in ports or (port is None and not ports.isdisjoint(_DEFAULT_PORTS.values()))

    def _is_allowed_origin(self, header: str, request_host: _Host) -> bool:
        origin = _parse_origin(header)
        if origin is None or origin in self._origins:
            return origin is not None
        scheme, host, port = origin
        own_host, own_port = request_host
        return scheme in _DEFAULT_PORTS and (host, port) == (own_host, own_port or _DEFAULT_PORTS[scheme])


def public_address(scope: Scope, hosts: Collection[str]) -> str:
    """Return the address of the server for the caller of a request, without a path; `hosts` are the public names."""
    named = next((str(value, "latin-1") for name, value in scope["headers"] if name == b"host"), "")
    public = next(iter(hosts), named)
    host, _ = parse_host(public) or (public, None)
    address = f"http://{named}" if is_loopback(host.strip("[]")) else f"https://{public}"
    return f"{address}{scope.get('root_path', '')}"


def cors(app: ASGIApp, origins: Collection[str], methods: Collection[str] = _CORS_METHODS) -> ASGIApp:
    """Let pages of `origins` read the responses of `app`, with the headers that MCP uses, but without cookies."""
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,
        allow_origins=[_format_origin(_configured_origin(origin)) for origin in origins],
        allow_methods=list(methods),
        allow_headers=_CORS_REQUEST_HEADERS,
        expose_headers=_CORS_RESPONSE_HEADERS,
    )


@lru_cache(maxsize=256)  # most requests name the same host
def parse_host(text: str) -> _Host | None:
    """Return the host and the port of a Host header; None if it is not one."""
    match = _HOST_PORT.fullmatch(text.lower())
    if match is None:
        return None
    host, port = match[1].removesuffix("."), int(match[2]) if match[2] else None
    if port is not None and not 0 < port < 2**16:
        return None
    if not host.startswith("["):
        return host, port
    try:
        return f"[{IPv6Address(host[1:-1])}]", port
    except ValueError:
        return None


def _parse_origin(text: str) -> _Origin | None:
    scheme, separator, rest = text.lower().partition("://")
    parsed = parse_host(rest)
    if not separator or parsed is None or not _SCHEME.fullmatch(scheme):
        return None
    host, port = parsed
    return scheme, host, port or _DEFAULT_PORTS.get(scheme)


def _format_origin(origin: _Origin) -> str:
    """Return the origin as browsers send it."""
    scheme, host, port = origin
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS.get(scheme) else f"{scheme}://{host}:{port}"


def _configured_host(text: str) -> _Host:
    host = parse_host(text)
    if host is None:
        raise ValueError(
            "--public-host takes a name without https:// and path, such as contacts.example.com; repeat it for more"
        )
    return host


def _configured_origin(text: str) -> _Origin:
    origin = _parse_origin(text)
    if origin is None:
        raise ValueError("--allow-origin takes origins such as https://app.example.com, without a path")
    return origin


def _wrong_host(host: _Host | None) -> Refusal:
    message = "the request does not name one host; send one Host header, with a name set by --public-host"
    if host is not None:
        # The usual reason is a proxy that sends its own name for the server, so the message shows the name.
        message = (
            f"this server does not answer to {quote(host[0], _MAX_SHOWN_CHARACTERS)}; "
            "its operator has to set --public-host to the public name (and --auth to key or oauth), "
            "and the proxy has to pass the Host header on"
        )
    return Refusal(HTTPStatus.MISDIRECTED_REQUEST, "wrong_host", message)
