"""Exchanges a request for a response over HTTP, with redirects inside of one origin; translates the errors of httpx."""

import ssl
from contextlib import aclosing
from functools import cache
from http import HTTPStatus
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import httpx
from pydantic_core import to_json

from contacts_mcp import __version__
from contacts_mcp.client._body import UnreadableBody, read_body
from contacts_mcp.client._credentials import Credential
from contacts_mcp.client._responses import Quote, ServiceResponse, unreadable_answer
from contacts_mcp.client._transport import AttemptFailed, OutgoingRequest
from contacts_mcp.contract import Unreachable, ValidationFailed

MAX_REDIRECTS = 3
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Size limit of a response; a list of 100 contacts has about 50,000 bytes."""

_HEADERS = [
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),  # a compressed response hides its size, and responses are small
    ("User-Agent", f"contacts-mcp/{__version__}"),
]
_METHOD_PRESERVING = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
_REDIRECTS = (*_METHOD_PRESERVING, HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
NOTHING_CHANGED_HEADER = "X-Nothing-Changed"
"""Of a directory that cannot use its database."""
_KEEPALIVE_SECONDS = 4.0  # many servers close idle connections after 5 s; a write sent just then is lost


class HttpExchange:
    """Sends requests to the service over an httpx transport.

    It does not use httpx's AsyncClient, which logs every URL, and so every search text, at INFO.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str, quote: Quote) -> None:
        self._transport = transport
        self._base_url = base_url
        self._quote = quote

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def __str__(self) -> str:
        return self._base_url

    async def exchange(self, outgoing: OutgoingRequest, credential: Credential | None) -> ServiceResponse:
        """Send a request, and follow redirects.

        Raises AttemptFailed if there is no response, UnreadableAnswer if it is too large or redirects elsewhere.
        """
        request = outgoing.request
        headers = _HEADERS if credential is None else [*_HEADERS, credential.header]
        content = None
        if request.body is not None:
            content = to_json(request.body)
            headers = [*headers, ("Content-Type", "application/json")]
        query = f"?{urlencode(request.query)}" if request.query else ""
        try:
            url = httpx.URL(self._base_url + request.path + query)
        except httpx.InvalidURL:  # longer than any URL may be
            raise ValidationFailed("the search is too long for a request", advice="shorten the search") from None
        for _ in range(1 + MAX_REDIRECTS):
            sent = httpx.Request(
                request.method, url, headers=headers, content=content, extensions={"timeout": outgoing.timeouts}
            )
            response = await self._round_trip(sent)
            if response.status not in _REDIRECTS:
                return response
            url = self._redirect_target(sent, response)
        raise unreadable_answer(request.method, f"it redirects more than {MAX_REDIRECTS} times")

    async def _round_trip(self, request: httpx.Request) -> ServiceResponse:
        host = request.url.host
        try:
            async with aclosing(await self._transport.handle_async_request(request)) as response:
                encoding = response.headers.get("Content-Encoding", "")
                body = await read_body(_stream_of(response), encoding, MAX_BODY_BYTES)
        except _NEVER_SENT as exc:
            error = Unreachable(f"no connection to {host}: {self._quote(_message_of(exc))}")
            raise AttemptFailed(error, may_have_worked=False) from exc
        except httpx.TransportError as exc:
            error = Unreachable(f"no answer from {host}: {self._quote(_message_of(exc))}")
            raise AttemptFailed(error, may_have_worked=request.method != "GET") from exc
        except UnreadableBody as exc:
            raise unreadable_answer(request.method, f"it is {exc}") from None
        headers = response.headers
        return ServiceResponse(
            response.status_code,
            body,
            headers.get("Location"),
            headers.get("Retry-After"),
            nothing_changed=NOTHING_CHANGED_HEADER in headers,
        )

    def _redirect_target(self, sent: httpx.Request, response: ServiceResponse) -> httpx.URL:
        """Return the URL of a redirect, if the key may be sent there and the request would stay the same."""
        try:
            url = sent.url.join(response.location or "")
        except httpx.InvalidURL:
            raise unreadable_answer(sent.method, "it redirects to an invalid URL") from None
        if (url.scheme, url.host, url.port) != (sent.url.scheme, sent.url.host, sent.url.port):
            target = self._quote(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}")
            raise unreadable_answer(sent.method, f"it redirects to another origin, {target}; the key is not sent there")
        if response.location is None or (sent.method != "GET" and response.status not in _METHOD_PRESERVING):
            raise unreadable_answer(sent.method, f"its redirect ({response.status}) cannot be followed")
        return url


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    """Return the body as it was sent. `Response.aiter_raw` fails for the responses of a transport in memory."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream


def _message_of(exc: httpx.TransportError) -> str:
    message = str(exc) or type(exc).__name__
    # A response that is not HTTP is quoted after a colon, and may contain anything.
    return message.partition(":")[0] if isinstance(exc, httpx.RemoteProtocolError) else message


def network_transport(base_url: str, connections: int) -> httpx.AsyncHTTPTransport:
    """Make the transport that connects to the service, with at most `connections` connections."""
    url = httpx.URL(base_url)
    return httpx.AsyncHTTPTransport(
        verify=_certificates() if url.scheme == "https" else False,  # loopback http has no certificates
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEPALIVE_SECONDS
        ),
        proxy=proxy_for(url),
    )


def proxy_for(url: httpx.URL) -> str | None:
    """The environment's proxy for a URL; none for http, where the proxy could read the key."""
    proxies = {} if url.scheme == "http" or proxy_bypass(url.host) else getproxies()
    return proxies.get("https") or proxies.get("all")


@cache
def _certificates() -> ssl.SSLContext:
    """Load the certificate authorities once for all clients: that takes 40 ms."""
    return httpx.create_ssl_context()
