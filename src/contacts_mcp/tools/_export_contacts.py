"""export_contacts: write contacts to a file; the model sees only its size and its link."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from contacts_mcp.contract import Text, ValidationFailed
from contacts_mcp.folder import Folder
from contacts_mcp.formats import FORMATS, Writer
from contacts_mcp.tools._answers import FileAnswer
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._select import LIST_FIELDS, Filter, FilterOrGroupArguments, iter_contacts
from contacts_mcp.tools._tool import MAX_DOWNLOAD_BYTES, Backend, read_tool

_ALL_FIELDS = LIST_FIELDS | {"company_name", "notes", "created_at", "updated_at"}
_MAX_READ_SINGLY = 5_000  # contacts that are read one by one from a service that does not support scans


class ExportContacts(FilterOrGroupArguments):
    """Export contacts to a file: CSV, vCard or JSON. Returns a link, not the contacts; to look at some, use
    list_contacts.
    """

    format: Literal["csv", "vcard", "json"] = "csv"
    path: Text | None = Field(default=None, description="New file in the server's folder; default: a generated name.")


class Exported(FileAnswer):
    """The file, and how many contacts it has."""

    contacts: int = Field(description="Contacts in the file.")
    note: str | None = None


async def _run(backend: Backend, arguments: ExportContacts) -> Exported:
    folder = backend.require_folder() if arguments.path or isinstance(backend.files, Folder) else None
    kind = FORMATS[arguments.format]
    name = arguments.path or f"contacts-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}{kind.suffix}"
    client = JobClient(backend)
    fields, note = await _choose_fields(client, arguments.filter)
    writer, chunks, count = Writer(arguments.format), [], 0
    async for page in iter_contacts(client, arguments.filter, fields, client.progress("contacts exported")):
        count += len(page)
        chunks.append(writer.write(page))
    chunks.append(writer.end())
    size = sum(map(len, chunks))
    if folder is None and size > MAX_DOWNLOAD_BYTES:
        raise ValidationFailed(
            f"the export has {size // 1024**2:,} MiB, and a download at most {MAX_DOWNLOAD_BYTES // 1024**2}",
            advice="export fewer contacts at a time, by type, search, tags or group_id",
        )
    return Exported(contacts=count, note=note, **await backend.keep_file(name, kind.mime_type, chunks, folder))


async def _choose_fields(client: JobClient, wanted: Filter) -> tuple[frozenset[str], str | None]:
    """Choose all fields, or if there are too many contacts to read one by one, the fields of list rows and a note."""
    if not await client.backend.supports("scan"):
        count = 0
        async for page in iter_contacts(client, wanted, LIST_FIELDS, client.progress("contacts counted")):
            count += len(page)
            if count > _MAX_READ_SINGLY:
                return LIST_FIELDS, "without company, notes and times, which this service shows one contact at a time"
    return _ALL_FIELDS, None


export_contacts = read_tool("export_contacts", ExportContacts, Exported, _run, ("group_id",))
