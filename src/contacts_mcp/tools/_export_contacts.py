"""export_contacts: write contacts to a file; the model sees only its size and its URI."""

from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import IO, Annotated, Literal

import anyio.to_thread
from pydantic import Field

from contacts_mcp.contract import Neutral, Text, ValidationFailed
from contacts_mcp.file_links import MAX_FILE_BYTES
from contacts_mcp.folder import Folder
from contacts_mcp.formats import FORMATS, check_dialect, open_writer
from contacts_mcp.tools._answers import FileAnswer
from contacts_mcp.tools._downloads import MAX_DOWNLOAD_BYTES
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._select import LIST_FIELDS, Filter, FilterOrGroupArguments, iter_contacts
from contacts_mcp.tools._tool import Backend, read_tool

_ALL_FIELDS = LIST_FIELDS | {"company_name", "notes", "created_at", "updated_at"}
_CHUNK_BYTES = 1024 * 1024
_MAX_READ_SINGLY = 5_000  # contacts that are read one by one from a service that does not support scans


class ExportContacts(FilterOrGroupArguments):
    """Export contacts to a file. Returns its URI, not the contacts; to look at some, use list_contacts."""

    format: Literal["csv", "xlsx", "vcard", "json"] = Field(
        default="csv", description="In spreadsheets, a CSV loses long numbers."
    )
    dialect: Annotated[Literal["semicolon", "google", "outlook", "3.0", "4.0"] | None, Neutral("standard")] = Field(
        default=None, description="3.0, 4.0: of vcard; others: of csv."
    )
    path: Text | None = Field(default=None, description="New file in the server's folder.")


class Exported(FileAnswer):
    """The file, and how many contacts it has."""

    contacts: int = Field(description="Contacts in the file.")
    note: str | None = None


async def _run(backend: Backend, arguments: ExportContacts) -> Exported:
    check_dialect(arguments.format, arguments.dialect)
    folder = backend.require_folder() if arguments.path or isinstance(backend.files, Folder) else None
    kind = FORMATS[arguments.format]
    name = arguments.path or f"contacts-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}{kind.suffix}"
    client = JobClient(backend)
    fields, note = await _choose_fields(client, arguments.filter)
    if folder is None and backend.usable_links:
        async with backend.usable_links.new_download(name, kind.mime_type) as download:
            count = await _write(client, arguments, fields, download.file, MAX_FILE_BYTES)
        return Exported(contacts=count, note=note, **download.fields)
    with folder.spool(MAX_DOWNLOAD_BYTES) if folder else BytesIO() as file:
        count = await _write(client, arguments, fields, file, None if folder else MAX_DOWNLOAD_BYTES)
        file.seek(0)
        chunks = iter(partial(file.read, _CHUNK_BYTES), b"")
        return Exported(contacts=count, note=note, **await backend.keep_file(name, kind.mime_type, chunks, folder))


async def _write(
    client: JobClient, arguments: ExportContacts, fields: frozenset[str], file: IO[bytes], max_bytes: int | None
) -> int:
    """Write the contacts, in worker threads since a page of them takes long, and return how many they are."""
    count = 0
    with open_writer(file, arguments.format, arguments.dialect) as writer:
        async for page in iter_contacts(client, arguments.filter, fields, client.progress("contacts exported")):
            count += len(page)
            await anyio.to_thread.run_sync(writer.write, page)
            _require_size(file, max_bytes)
    _require_size(file, max_bytes)
    return count


def _require_size(file: IO[bytes], max_bytes: int | None) -> None:
    if max_bytes is not None and file.tell() > max_bytes:
        raise ValidationFailed(
            f"the export has more than {max_bytes // 1024**2} MiB, the limit of a download",
            advice="export fewer contacts at a time, by type, search, tags or group_id",
        )


async def _choose_fields(client: JobClient, wanted: Filter) -> tuple[frozenset[str], str | None]:
    """Choose all fields, or if there are too many contacts to read one by one, the fields of list rows and a note."""
    if not await client.backend.supports("scan"):
        count = 0
        async for page in iter_contacts(client, wanted, LIST_FIELDS, client.progress("contacts counted")):
            count += len(page)
            if count > _MAX_READ_SINGLY:
                return LIST_FIELDS, "without company, notes and times, which this service shows one contact at a time"
    return _ALL_FIELDS, None


export_contacts = read_tool("export_contacts", ExportContacts, Exported, _run, ("group_id",), writes_file=True)
