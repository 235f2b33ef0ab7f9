"""Under which names the server answers, and to pages of which origins.

A page in somebody's browser can let its own name point to this server (DNS rebinding), but cannot forge the headers
Host and Origin, which tell of it.
"""

import re
from collections.abc import Collection
from http import HTTPStatus
from ipaddress import IPv6Address

from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.text import quote
from contacts_mcp.transports.http._paths import path_of
from contacts_mcp.transports.http._refusals import Refusal

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_USUAL = {"http": 80, "https": 443}
_PLACE = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9_.-]{0,253})(?::([0-9]{1,5}))?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,31}")
_MOST_SHOWN = 80

_METHODS = ("GET", "POST", "DELETE")
_SENT = (
    "Authorization",
    "X-API-Key",
    "Content-Type",
    "Last-Event-ID",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Session-Id",
    "X-Request-ID",
)
_SHOWN = ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After", "X-Request-ID")

_Place = tuple[str, int | None]
"""A host in lower case, IPv6 in brackets, and the port where there is one."""
_Origin = tuple[str, str, int | None]
"""Scheme and host in lower case, and the port, of which the schemes of the web have a usual one."""


class Names:
    """Answer 421 to a Host that is not one of `hosts`, and 403 to an Origin that is neither allowed nor the host's own.

    A host without a port stands for any port; no hosts at all stand for the names of loopback. Own origins count under
    http and https alike, because TLS ends at the proxy. The paths in `exempt` are open to every name: probes know a
    server by its number. Those in `public` are open to every page: they say what anybody may know.

    Raises:
        ValueError: a host or an origin cannot be read, in one line that names the option.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        origins: Collection[str],
        exempt: Collection[str] = (),
        public: Collection[str] = (),
    ) -> None:
        self._app = app
        self._ports: dict[str, set[int | None]] = {}
        for host, port in map(_configured_host, hosts or _LOOPBACK):
            self._ports.setdefault(host, set()).add(port)
        self._origins = frozenset(map(_configured_origin, origins))
        self._exempt = frozenset(exempt)
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and path_of(scope) not in self._exempt:
            app = self._refusal(scope) or app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        place = _read_place(str(hosts[0], "latin-1")) if len(hosts) == 1 else None
        if place is None or not self._answers_to(*place):
            return _wrong_host(place)
        if path_of(scope) in self._public:
            return None
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if origins and not (len(origins) == 1 and self._welcomes(str(origins[0], "latin-1"), place)):
            return _wrong_origin()
        return None

    def _answers_to(self, host: str, port: int | None) -> bool:
        ports = self._ports.get(host, set())
        return None in ports or port in ports or (port is None and not ports.isdisjoint(_USUAL.values()))

    def _welcomes(self, header: str, place: _Place) -> bool:
        origin = _read_origin(header)
        if origin is None or origin in self._origins:
            return origin is not None
        scheme, host, port = origin
        return scheme in _USUAL and (host, port) == (place[0], place[1] or _USUAL[scheme])


def cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Let pages of `origins` read the answers of `app`: all that MCP sends and shows, but no cookies.

    Raises:
        ValueError: an origin cannot be read.
    """
    from starlette.middleware.cors import CORSMiddleware

    written = [_write_origin(_configured_origin(origin)) for origin in origins]
    return CORSMiddleware(
        app, allow_origins=written, allow_methods=_METHODS, allow_headers=_SENT, expose_headers=_SHOWN
    )


def _read_place(text: str) -> _Place | None:
    match = _PLACE.fullmatch(text.lower())
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


def _read_origin(text: str) -> _Origin | None:
    scheme, separator, rest = text.lower().partition("://")
    place = _read_place(rest)
    if not separator or place is None or not _SCHEME.fullmatch(scheme):
        return None
    host, port = place
    return scheme, host, port or _USUAL.get(scheme)


def _write_origin(origin: _Origin) -> str:
    """The one form in which browsers send an origin."""
    scheme, host, port = origin
    return f"{scheme}://{host}" if port == _USUAL.get(scheme) else f"{scheme}://{host}:{port}"


def _configured_host(text: str) -> _Place:
    place = _read_place(text)
    if place is None:
        raise ValueError(
            "--public-host takes a name without https:// and path, such as contacts.example.com; repeat it for more"
        )
    return place


def _configured_origin(text: str) -> _Origin:
    origin = _read_origin(text)
    if origin is None:
        raise ValueError("--allow-origin takes origins such as https://app.example.com, without a path")
    return origin


def _wrong_host(place: _Place | None) -> Refusal:
    line = "wrong_host: the request does not name one host; send one Host header, with a name set by --public-host"
    if place is not None:
        # A proxy that puts its own name for the server there is the usual reason, so the name is told.
        line = (
            f"wrong_host: this server does not answer to {quote(place[0], _MOST_SHOWN)}; "
            "its operator has to set --public-host to the public name, and the proxy has to pass the Host header on"
        )
    return Refusal(HTTPStatus.MISDIRECTED_REQUEST, line)


def _wrong_origin() -> Refusal:
    line = "wrong_origin: pages of this origin may not use the server; its operator can let them, by --allow-origin"
    return Refusal(HTTPStatus.FORBIDDEN, line)
