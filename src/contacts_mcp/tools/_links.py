"""One caller's links: to send a file for an import, and to fetch an export."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import IO, Any

import anyio
import anyio.to_thread
from pydantic import Field

from contacts_mcp.contract import Conflict, ContactsError, NotFound, RateLimited, Record, ValidationFailed
from contacts_mcp.file_links import MAX_FILE_BYTES, FileLinks, FileWriter, LinkError, LinkNotFound, NoRoom
from contacts_mcp.tools._downloads import DOWNLOAD_URI_TEMPLATE, MAX_DOWNLOAD_BYTES

_RETRY_SECONDS = 60
_NEXT_STEP = (
    f"send the file to url by HTTP PUT (at most {MAX_FILE_BYTES // 1024**2} MiB, once, within 15 minutes), "
    "or give the person this command: curl -T FILE 'URL'; then call again with upload"
)


class UploadLink(Record):
    """Where a file can be sent, if a call names none."""

    upload: str = Field(description="Id of the file that is sent to url.")
    url: str = Field(description="Link to send the file to, or to download the result within 15 minutes.")
    next: str


@dataclass(slots=True)
class DownloadFile:
    """A file that is being written to `file`; `fields`, those of FileAnswer, are there once it is complete."""

    file: IO[bytes]
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallerLinks:
    """The links of `owner`. A token is appended to `url`; without a `url` no links can be made."""

    links: FileLinks
    owner: str
    url: str | None = None

    @property
    def is_available(self) -> bool:
        return self.url is not None and self.links.is_open

    async def offer_upload(self) -> UploadLink:
        """Make a link to which the caller or a person can send a file. Raises RateLimited."""
        with _translated():
            link = await anyio.to_thread.run_sync(self.links.create_upload, self.owner)
        return UploadLink(upload=link.id, url=f"{self.url}{link.token}", next=_NEXT_STEP)

    async def read_upload(self, identifier: str) -> bytes:
        """Return a file that was sent. Raises NotFound."""
        with _translated():
            return await anyio.to_thread.run_sync(self.links.read_upload, identifier, self.owner)

    async def remove_upload(self, identifier: str) -> None:
        """Remove a file that was sent. Raises ContactsError."""
        with _translated():
            await anyio.to_thread.run_sync(self.links.remove_upload, identifier, self.owner)

    @asynccontextmanager
    async def new_download(self, name: str, mime_type: str) -> AsyncIterator[DownloadFile]:
        """Write a file of at most MAX_FILE_BYTES that can be fetched; it is removed after an error.

        Raises RateLimited and ValidationFailed.
        """
        with _translated():
            link, writer = await anyio.to_thread.run_sync(self.links.create_download, self.owner, name, mime_type)
            try:
                download = DownloadFile(writer.file, {})
                yield download
                size = await anyio.to_thread.run_sync(writer.commit)
            finally:
                await discard(writer)
        uri = DOWNLOAD_URI_TEMPLATE.format(id=link.id) if size <= MAX_DOWNLOAD_BYTES else None
        url = f"{self.url}{link.token}"
        download.fields |= {"file": name, "uri": uri, "url": url, "mime_type": mime_type, "bytes": size}

    async def keep(self, name: str, mime_type: str, chunks: Iterable[bytes]) -> dict[str, Any]:
        """Keep a file of at most MAX_FILE_BYTES that can be fetched; return the fields of FileAnswer."""
        async with self.new_download(name, mime_type) as download:
            await anyio.to_thread.run_sync(download.file.writelines, chunks)
        return download.fields


async def discard(writer: FileWriter) -> None:
    """Remove what was written, unless it was committed; also if the task is being cancelled."""
    if not writer.file.closed:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(writer.discard)


@contextmanager
def _translated() -> Iterator[None]:
    """Translate errors of links into those of tools."""
    try:
        yield
    except LinkError as exc:
        raise _translate(exc) from None
    except OSError as exc:
        reason = (exc.strerror or "system error").lower()
        raise ValidationFailed(f"the server cannot keep the file ({reason})", advice="tell its operator") from None


def _translate(error: LinkError) -> ContactsError:
    if isinstance(error, NoRoom):
        return RateLimited(str(error), retry_after=_RETRY_SECONDS)
    advice = "call without upload for a new link, and send the file to it"
    return NotFound(str(error), advice=advice) if isinstance(error, LinkNotFound) else Conflict(str(error))
