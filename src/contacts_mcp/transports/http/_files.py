"""Files by link: a PUT request sends one, a GET request fetches one. The link's token is the only credential."""

import asyncio
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import IO
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.file_links import MAX_FILE_BYTES, FileLinks, FileWriter, LinkError, LinkNotFound, LinkUsed
from contacts_mcp.middleware import (
    ConcurrencyLimitMiddleware,
    ErrorMiddleware,
    Refusal,
    check_body_headers,
    refuse_body,
    too_large,
)
from contacts_mcp.transports.http._hosts import cors

FILES_PATH = "/files"
IDLE_TIMEOUT_SECONDS = 10.0
"""How long the next bytes of a file may take to arrive."""
_SLOW_START_SECONDS, _MIN_BYTES_PER_SECOND = 30.0, 32 * 1024
"""After the first, a file has to arrive at least at this speed on average."""
_MAX_REQUESTS_PER_LINK = 4
_CHUNK_BYTES = 256 * 1024
_METHODS = ("PUT", "GET", "HEAD")
_QUERY = re.compile(rb"link=([A-Za-z0-9_-]{43})")
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def files_app(links: FileLinks, origins: Collection[str]) -> ASGIApp:
    """Serve `links`; refusals are one line of text."""
    app: ASGIApp = _FilesEndpoint(links)
    app = ConcurrencyLimitMiddleware(app, lambda scope: str(scope["query_string"]), _MAX_REQUESTS_PER_LINK)
    app = ErrorMiddleware(app, _text_error)
    return cors(app, origins, _METHODS) if origins else app


class _FilesEndpoint:
    """Receives and sends the files of links.

    A file is received whole or not at all: what was received is removed after any error, and if the client leaves. Its
    link stays valid then. A file can be fetched as often as needed: previews of links and downloads that break off
    would use up a link that is valid once.
    """

    def __init__(self, links: FileLinks) -> None:
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "PUT":
            try:
                await self._receive(scope, receive, send)
            except Refusal as refusal:
                await refuse_body(refusal, _text_error, MAX_FILE_BYTES, scope, receive, send)
            return
        if scope["method"] not in _METHODS:
            message = "send a file by PUT, or fetch one by GET"
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, {"Allow": ", ".join(_METHODS)})
        with _refusing():
            stored = await anyio.to_thread.run_sync(self._links.open_download, _token_of(scope))
        with stored.content as content:
            headers = {**_PRIVATE, "Content-Disposition": _disposition(stored.name), "Content-Length": str(stored.size)}
            response: Response = Response(headers=headers, media_type=stored.mime_type)
            if scope["method"] == "GET":
                response = StreamingResponse(_iterate(content), headers=headers, media_type=stored.mime_type)
            await response(scope, receive, send)

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = _token_of(scope)
        check_body_headers(scope, MAX_FILE_BYTES)
        with _refusing():
            writer = await anyio.to_thread.run_sync(self._links.begin_upload, token, _announced_size(scope))
            try:
                if not await _write_body(receive, writer.file):
                    return  # the client has left
                size = await anyio.to_thread.run_sync(writer.commit)
            finally:
                await _discard(writer)
        text = f"received {size:,} bytes; now import upload {writer.id}\n"
        await PlainTextResponse(text, HTTPStatus.CREATED, _PRIVATE)(scope, receive, send)


async def _write_body(receive: Receive, file: IO[bytes]) -> bool:
    """Write a body to a file; return whether it is complete. Raises Refusal if it is empty, too large or too slow."""
    received, waiting, began = 0, bytearray(), time.monotonic()
    more_body = True
    while more_body:
        time_left = began + _SLOW_START_SECONDS + received / _MIN_BYTES_PER_SECOND - time.monotonic()
        try:
            async with asyncio.timeout(min(IDLE_TIMEOUT_SECONDS, time_left)):
                message = await receive()
        except TimeoutError:
            text = "the file arrives too slowly; send it again over a faster connection"
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow", text) from None
        if message["type"] == "http.disconnect":
            return False
        waiting += message.get("body", b"")
        received += len(message.get("body", b""))
        more_body = message.get("more_body", False)
        if received > MAX_FILE_BYTES:
            raise too_large(MAX_FILE_BYTES)
        if len(waiting) >= _CHUNK_BYTES or not more_body:
            await anyio.to_thread.run_sync(file.write, bytes(waiting))
            waiting.clear()
    if not received:
        raise Refusal(HTTPStatus.BAD_REQUEST, "empty", "the file is empty; send another one")
    return True


async def _discard(writer: FileWriter) -> None:
    """Remove what was received, unless it is complete; also if the server is stopping."""
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(writer.discard)


def _iterate(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _token_of(scope: Scope) -> str:
    """Return the token of a link. Raises Refusal (404) if the request has none, or more than one."""
    match = _QUERY.fullmatch(scope["query_string"])
    if match is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_found", "this is not a complete link; copy all of it, in quotes")
    return match[1].decode()


def _announced_size(scope: Scope) -> int | None:
    """Return the length of the body, if the headers say it. Raises Refusal (400) for a part of a file."""
    headers = dict(scope["headers"])
    if b"content-range" in headers:
        message = "a file has to be sent as a whole; send it without Content-Range"
        raise Refusal(HTTPStatus.BAD_REQUEST, "invalid", message)
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else None


def _disposition(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


@contextmanager
def _refusing() -> Iterator[None]:
    """Translate errors of links into refusals."""
    try:
        yield
    except LinkNotFound as exc:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_found", f"{exc}; ask for a new link") from None
    except LinkUsed as exc:
        raise Refusal(HTTPStatus.CONFLICT, "used", str(exc)) from None
    except LinkError as exc:
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", str(exc), {"Retry-After": "60"}) from None
    except OSError as exc:
        message = f"the server cannot keep the file ({(exc.strerror or 'system error').lower()}); tell its operator"
        raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, "no_storage", message) from None


def _text_error(refusal: Refusal, _scope: Scope) -> ASGIApp:
    return PlainTextResponse(f"{refusal}\n", refusal.status, {**_PRIVATE, **refusal.headers})
