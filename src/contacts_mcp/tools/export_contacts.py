"""export_contacts: contacts into a file, of which the model sees a few lines."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Literal

import anyio.to_thread
from pydantic import Field

from contacts_mcp.contract import Contact, Risk, Text, ValidationFailed
from contacts_mcp.folder import Folder
from contacts_mcp.formats import FORMATS, Writer
from contacts_mcp.tools._answers import FileAnswer
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._downloads import LARGEST, Download
from contacts_mcp.tools._tool import run_directly
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.steps import SHOWN_IN_LISTS, FilteredOrGrouped, JobClient, Progress, chosen

_FIELDS = (
    "id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at",
)  # fmt: skip
_MOST_IN_FULL = 5_000
"""Contacts of which a service that cannot be scanned is asked one by one."""


class ExportContacts(FilteredOrGrouped):
    """Export contacts to a file: CSV, vCard or JSON. Answers a link, not the contacts; to look at some use
    list_contacts.
    """

    format: Literal["csv", "vcard", "json"] = "csv"
    path: Text | None = Field(default=None, description="New file in the server's folder; else a name is made up.")


class Exported(FileAnswer):
    """How many contacts the file holds, and where it is."""

    contacts: int
    note: str | None = None


async def _run(backend: Backend, arguments: ExportContacts) -> Exported:
    folder = backend.folder() if arguments.path else backend.files
    kind = FORMATS[arguments.format]
    name = arguments.path or f"contacts-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}{kind.suffix}"
    export = _Export(backend, arguments)
    chunks = [chunk async for chunk in export.chunks()]
    size = sum(map(len, chunks))
    if isinstance(folder, Folder):
        await anyio.to_thread.run_sync(lambda: folder.write(name, chunks, replace=False))
        download = Download(name, kind.mime_type, size, lambda: folder.read(name).data, in_memory=False)
        uri = backend.downloads.keep(download, backend.owner) if size <= LARGEST else None
    else:
        uri = _kept(backend, name, kind.mime_type, chunks, size)
    return Exported(contacts=export.count, file=name, uri=uri, mime_type=kind.mime_type, bytes=size, note=export.note)


def _kept(backend: Backend, name: str, mime_type: str, chunks: list[bytes], size: int) -> str:
    if size > LARGEST:
        raise ValidationFailed(
            f"the export has {size // 1024**2:,} MiB, and a download at most {LARGEST // 1024**2}",
            advice="export fewer at a time, by type, search, tags or group_id",
        )
    content = b"".join(chunks)
    return backend.downloads.keep(Download(name, mime_type, size, lambda: content), backend.owner)


class _Export:
    """The contacts as chunks of a file; `count` and `note` are known once all were taken."""

    def __init__(self, backend: Backend, arguments: ExportContacts) -> None:
        self.count = 0
        self.note: str | None = None
        self._backend = backend
        self._arguments = arguments
        self._progress = Progress(backend.report, "contacts exported")

    async def chunks(self) -> AsyncIterator[bytes]:
        writer = Writer(self._arguments.format)
        async for page in self._pages():
            self.count += len(page)
            yield writer.write(page)
        yield writer.end()

    async def _pages(self) -> AsyncIterator[list[Contact]]:
        """The contacts in full; as lists show them where there are too many to ask for each."""
        pace, wanted = JobClient(self._backend), self._arguments.filter
        if await self._backend.supports("scan"):
            fields = frozenset(_FIELDS)
        else:
            fields = await self._affordable(pace)
        async for page in chosen(self._backend, pace, wanted, fields, self._progress):
            yield page

    async def _affordable(self, pace: JobClient) -> frozenset[str]:
        count = 0
        async for page in chosen(self._backend, pace, self._arguments.filter, SHOWN_IN_LISTS, self._progress):
            count += len(page)
            if count > _MOST_IN_FULL:
                self.note = "without company, notes and times, which this service shows one contact at a time"
                return SHOWN_IN_LISTS
        return frozenset(_FIELDS)


export_contacts = workflow_tool(
    "export_contacts",
    ExportContacts,
    Exported,
    run_directly(Risk.READ, _run),
    risk=Risk.READ,
    target_args=("group_id",),
)
