"""The embedded directory as the service of a client, and where the environment says that it is.

The only module of the client that knows the directory. It passes requests and responses on as they are: the client's
calls and the directory's routes are written independently, so that a mistake in one shows up as a failing test.
"""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import httpx

from contacts_mcp.client._credentials import Credential
from contacts_mcp.client._http import NOTHING_CHANGED_HEADER, HttpExchange
from contacts_mcp.client._responses import SUCCESS, Quote, ServiceResponse
from contacts_mcp.client._transport import OutgoingRequest
from contacts_mcp.setting_values import UNEXPANDED, has_reference, is_not_set, strip_noise

if TYPE_CHECKING:
    from contacts_mcp.directory import Directory

EMBEDDED_URL = "http://embedded"
"""The base URL of a directory in this process, which telemetry shows."""

_DIRECTORY = "CONTACTS_MCP_DIRECTORY"


def find_directory(environ: Mapping[str, str]) -> str | None:
    """Return the file or URL of the directory that the environment names, if any.

    Raises ValueError if the value was not expanded, such as `${NAME}`.
    """
    value = environ.get(_DIRECTORY, "")
    if is_not_set(value):
        return None
    if has_reference(value):
        raise ValueError(f"{_DIRECTORY}: {UNEXPANDED}")
    return strip_noise(value)


class EmbeddedExchange:
    """Has a directory in this process answer requests, without HTTP; closing it closes the directory.

    What the directory's routes do not accept goes through its app, which says why.
    """

    def __init__(self, directory: "Directory", quote: Quote) -> None:
        self._directory = directory
        self._quote = quote

    async def exchange(self, outgoing: OutgoingRequest, credential: Credential | None) -> ServiceResponse:
        """See Exchange."""
        request = outgoing.request
        answer = await self._directory.answer(request.method, request.path, request.query, request.body)
        if answer is None:
            return await self._over_http.exchange(outgoing, credential)
        retry_after, nothing_changed = None, False
        if answer.status_code not in SUCCESS:
            retry_after, nothing_changed = answer.headers.get("Retry-After"), NOTHING_CHANGED_HEADER in answer.headers
        return ServiceResponse(
            answer.status_code, bytes(answer.body), retry_after=retry_after, nothing_changed=nothing_changed
        )

    async def aclose(self) -> None:
        """Close the directory."""
        await self._directory.aclose()

    @cached_property
    def _over_http(self) -> HttpExchange:
        return HttpExchange(
            httpx.ASGITransport(self._directory.app, raise_app_exceptions=False), EMBEDDED_URL, self._quote
        )

    def __str__(self) -> str:
        return f"the embedded directory in {self._directory.location}"


def open_directory(location: str | os.PathLike[str]) -> "Directory":
    """Open a directory at the first request. Raises TypeError or ValueError if `location` is no path and no URL."""
    from contacts_mcp.directory import Directory

    return Directory(location)
