"""One request, one answer: the I/O of an attempt, and the one place where httpx's errors are translated."""

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

import httpx
from pydantic_core import to_json

from contacts_mcp import __version__
from contacts_mcp.client._address import origin
from contacts_mcp.client._credential import Credential
from contacts_mcp.client._faults import unreadable
from contacts_mcp.client._quoting import Quoter
from contacts_mcp.client._retry import Setback
from contacts_mcp.contract import Request, Unreachable, ValidationFailed

MAX_REDIRECTS = 3
LARGEST_BODY = 32 * 1024 * 1024
"""Bytes of an answer; a list of 100 contacts has some 50,000."""

_HEADERS = [
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),  # a compressed answer hides its size, and these are small
    ("User-Agent", f"contacts-mcp/{__version__}"),
]
_KEEPS_METHOD = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
_REDIRECTS = (*_KEEPS_METHOD, HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, in full."""

    status: int
    body: bytes
    location: str | None = None
    retry_after: str | None = None


class Wire:
    """Exchanges requests for answers over a transport.

    The transport is used without httpx's AsyncClient, which logs every URL, and so what was searched for, at INFO.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, base: str, quoted: Quoter) -> None:
        self._transport = transport
        self._base = base
        self._quoted = quoted

    async def exchange(self, request: Request, credential: Credential | None, limits: dict[str, float]) -> Answer:
        """Send a request and read its answer, by way of redirects within the origin alone.

        `limits` are seconds to connect, read, write and wait for a connection. Raises Setback where there is no
        answer, UnreadableAnswer where it is too large or leads elsewhere.
        """
        url = self._address(request)
        headers = _HEADERS if credential is None else [*_HEADERS, credential.header]
        content = None
        if request.body is not None:
            content = to_json(request.body)
            headers = [*headers, ("Content-Type", "application/json")]
        for _ in range(1 + MAX_REDIRECTS):
            sent = httpx.Request(request.method, url, headers=headers, content=content, extensions={"timeout": limits})
            answer = await self._round_trip(sent)
            if answer.status not in _REDIRECTS:
                return answer
            url = self._next_stop(sent, answer)
        raise unreadable(request.method, f"it redirects more than {MAX_REDIRECTS} times")

    def _address(self, request: Request) -> httpx.URL:
        try:
            return httpx.URL(self._base + request.path + (f"?{urlencode(request.query)}" if request.query else ""))
        except httpx.InvalidURL:  # longer than any address may be
            raise ValidationFailed("what is searched for is too long", advice="search for less") from None

    async def _round_trip(self, request: httpx.Request) -> Answer:
        try:
            response = await self._transport.handle_async_request(request)
            try:
                body = await _read(response, request.method)
            finally:
                await response.aclose()
        except _NEVER_SENT as exc:
            error = Unreachable(f"no connection to {request.url.host}: {self._quoted(_words(exc))}")
            raise Setback(error, may_have_worked=False) from exc
        except httpx.TransportError as exc:
            error = Unreachable(f"no answer from {request.url.host}: {self._quoted(_words(exc))}")
            raise Setback(error, may_have_worked=request.method != "GET") from exc
        except httpx.DecodingError as exc:
            raise unreadable(request.method, "it is compressed and damaged") from exc
        headers = response.headers
        return Answer(response.status_code, body, headers.get("Location"), headers.get("Retry-After"))

    def _next_stop(self, sent: httpx.Request, answer: Answer) -> httpx.URL:
        """Where a redirect leads, if the key may go there and the request would stay what it is."""
        try:
            url = sent.url.join(answer.location or "")
        except httpx.InvalidURL:
            raise unreadable(sent.method, "it redirects to an address that is none") from None
        if origin(url) != origin(sent.url):
            where = self._quoted(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}")
            raise unreadable(sent.method, f"it redirects elsewhere, to {where}, where the key must not go")
        if answer.location is None or (sent.method != "GET" and answer.status not in _KEEPS_METHOD):
            raise unreadable(sent.method, f"it redirects with {answer.status} in a way that cannot be followed")
        return url


async def _read(response: httpx.Response, method: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > LARGEST_BODY:
            chunks.clear()  # the error's traceback would keep them until the collector comes by
            raise unreadable(method, f"it is larger than {LARGEST_BODY // 1024**2} MiB")
        chunks.append(chunk)
    return b"".join(chunks)


def _words(exc: httpx.TransportError) -> str:
    words = str(exc) or type(exc).__name__
    # What is no HTTP is quoted after a colon, and may be anything.
    return words.partition(":")[0] if isinstance(exc, httpx.RemoteProtocolError) else words
