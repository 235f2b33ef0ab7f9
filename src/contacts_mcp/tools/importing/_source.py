"""The file or text that is imported, read and made ready."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio.to_thread

from contacts_mcp.formats import ParsedFile, read_contacts
from contacts_mcp.tools._backend import Backend, refuse
from contacts_mcp.tools.importing._draft import Draft, draft_of
from contacts_mcp.tools.steps import Progress, in_turns


@dataclass(slots=True)
class Source:
    """What was read: how it was understood, and its rows."""

    path: str | None
    reading: ParsedFile
    drafts: list[Draft]


async def read_source(
    backend: Backend,
    path: str | None,
    content: str | None,
    *,
    format: str | None,  # noqa: A002 - the argument's name
    mapping: Mapping[str, str],
    region: str | None,
    tags: Sequence[str],
) -> Source:
    """Read a file of the folder, or text that came with the call.

    Raises:
        ValidationFailed: it cannot be read; says why, and what can.
    """
    if (path is None) == (content is None):
        raise refuse("path", "is needed, or else content", "give a file's path or its text, one of the two")
    if path is not None:
        folder = backend.folder()
        data = (await anyio.to_thread.run_sync(folder.read, path)).data
    else:
        data = (content or "").encode()
    reading = await anyio.to_thread.run_sync(lambda: read_contacts(data, name=path, format=format, mapping=mapping))
    progress = Progress(backend.report, "rows read")
    drafts = [draft_of(row, region, tags) async for row in in_turns(reading.rows, progress)]
    return Source(path, reading, drafts)
