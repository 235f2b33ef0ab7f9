"""The embedded directory as the service of a client, and where the environment says that it is.

The only module of the client that imports the directory, and only to open it: the client's calls and the directory's
routes are written independently, so that a mistake in one shows up as a failing test.
"""

import os
from collections.abc import Mapping

import httpx

from contacts_mcp.setting_values import UNEXPANDED, has_reference, is_not_set, strip_noise

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


class EmbeddedTransport(httpx.ASGITransport):
    """Sends requests to an embedded directory in this process, without a network. Closing it closes the directory."""

    def __init__(self, location: str | os.PathLike[str]) -> None:
        from contacts_mcp.directory import Directory

        self._directory = Directory(location)
        super().__init__(self._directory.app, raise_app_exceptions=False)

    async def aclose(self) -> None:
        await self._directory.aclose()

    def __str__(self) -> str:
        return f"the embedded directory in {self._directory.location}"
