"""Exported files that their owner can fetch for a while: in memory, or in a folder that processes share."""

import hashlib
import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import anyio.to_thread

from contacts_mcp.contract import NotFound
from contacts_mcp.file_links import FileLinks, LinkNotFound
from contacts_mcp.folder import Folder
from contacts_mcp.private_folder import PrivateFolder

DOWNLOAD_URI_TEMPLATE = "contacts://exports/{id}"
MAX_DOWNLOAD_BYTES = 8 * 1024 * 1024
_LIFETIME_SECONDS = 900.0
_MAX_PER_OWNER, _MAX_BYTES_PER_OWNER = 32, 32 * 1024 * 1024
_MAX_IN_ALL, _MAX_BYTES_IN_ALL = 1_024, 64 * 1024 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Download:
    """A file of `size` bytes, kept in memory or read from where it was written."""

    name: str
    mime_type: str
    size: int
    read: Callable[[], bytes]
    in_memory: bool = True


@dataclass(frozen=True, slots=True)
class _KeptDownload:
    download: Download
    owner: str
    expires: float

    @property
    def bytes_in_memory(self) -> int:
        return self.download.size if self.download.in_memory else 0


class Downloads:
    """Keeps files in memory for 15 minutes.

    An owner's oldest file is dropped if theirs are too many or too large; if all are, that of the owner with the most.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[str, _KeptDownload] = OrderedDict()
        self._clock = clock

    async def keep(self, download: Download, owner: str) -> str:
        """Keep a file of at most MAX_DOWNLOAD_BYTES; return the URI at which its owner can fetch it."""
        identifier = str(uuid4())
        self._kept[identifier] = _KeptDownload(download, owner, self._clock() + _LIFETIME_SECONDS)
        self._drop_expired()
        while self._is_above(_MAX_PER_OWNER, _MAX_BYTES_PER_OWNER, owner):
            self._drop_oldest(owner)
        while self._is_above(_MAX_IN_ALL, _MAX_BYTES_IN_ALL):
            self._drop_oldest(self._find_largest_owner())
        return DOWNLOAD_URI_TEMPLATE.format(id=identifier)

    async def fetch(self, identifier: str, owner: str) -> Download:
        """Return the owner's file. Raises NotFound if it never existed, has expired, or belongs to another caller."""
        self._drop_expired()
        kept = self._kept.get(identifier.lower())
        if kept is None or kept.owner != owner:
            raise NotFound("there is no such download", advice="export again; a download is kept for 15 minutes")
        return kept.download

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._kept and next(iter(self._kept.values())).expires <= now:
            self._kept.popitem(last=False)

    def _is_above(self, max_files: int, max_bytes: int, owner: str | None = None) -> bool:
        kept = [each for each in self._kept.values() if owner in (None, each.owner)]
        return len(kept) > max_files or sum(each.bytes_in_memory for each in kept) > max_bytes

    def _drop_oldest(self, owner: str) -> None:
        del self._kept[next(identifier for identifier, kept in self._kept.items() if kept.owner == owner)]

    def _find_largest_owner(self) -> str:
        sizes = Counter[str]()
        for kept in self._kept.values():
            sizes[kept.owner] += kept.bytes_in_memory + 1  # files elsewhere count as well
        return max(sizes, key=lambda owner: sizes[owner])


class LinkedDownloads(Downloads):
    """Also finds the files of links, which are in their folder; other files are kept in memory."""

    def __init__(self, links: FileLinks) -> None:
        super().__init__()
        self._links = links

    async def fetch(self, identifier: str, owner: str) -> Download:
        """See Downloads."""
        try:
            mime_type, content = await anyio.to_thread.run_sync(self._links.read_download, identifier, owner)
        except (LinkNotFound, OSError):
            return await super().fetch(identifier, owner)
        return Download(identifier, mime_type, len(content), lambda: content)


class SharedDownloads(Downloads):
    """Keeps files in a private folder, so that later processes of the same user find them.

    A file that is in the folder for files is not copied; only its name is kept. `scope` distinguishes the processes:
    a file is found by those with the same scope. If the folder cannot be written, files are kept in memory.
    """

    def __init__(
        self, folder: PrivateFolder, scope: str, files: Folder | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(clock)
        self._folder = folder
        self._scope = scope
        self._files = files

    async def keep(self, download: Download, owner: str) -> str:
        """See Downloads."""
        try:
            return await anyio.to_thread.run_sync(self._write, download, owner)
        except OSError as exc:
            _log.warning("cannot share an export with other processes (%s); it is kept in memory", exc.strerror)
            return await super().keep(download, owner)

    async def fetch(self, identifier: str, owner: str) -> Download:
        """See Downloads."""
        try:
            return await anyio.to_thread.run_sync(self._read, identifier.lower(), owner)
        except (OSError, ValueError):
            return await super().fetch(identifier, owner)

    def _write(self, download: Download, owner: str) -> str:
        identifier, folder = str(uuid4()), self._folder_of(owner)
        header = {"name": download.name, "mime_type": download.mime_type, "in_folder": not download.in_memory}
        content = download.read() if download.in_memory else b""
        folder.create(identifier, json.dumps({**header, "bytes": download.size}).encode() + b"\n" + content)
        self._remove_old(folder, identifier)
        return DOWNLOAD_URI_TEMPLATE.format(id=identifier)

    def _read(self, identifier: str, owner: str) -> Download:
        folder = self._folder_of(owner)
        self._remove_old(folder, identifier)
        line, _, content = folder.read(identifier).partition(b"\n")
        header = json.loads(line)
        name, mime_type, size = header["name"], header["mime_type"], header["bytes"]
        if not header["in_folder"]:
            return Download(name, mime_type, size, lambda: content)
        files = self._files
        if files is None:
            raise FileNotFoundError
        return Download(name, mime_type, size, lambda: files.read(name).data, in_memory=False)

    def _folder_of(self, owner: str) -> PrivateFolder:
        return self._folder.subfolder(hashlib.sha256(f"{self._scope}\n{owner}".encode()).hexdigest()[:32])

    def _remove_old(self, folder: PrivateFolder, kept: str) -> None:
        """Remove expired files of all scopes, and this owner's oldest if they are too many or too large."""
        remove_expired_downloads(self._folder, self._clock())
        found = folder.files()
        size = sum(each for _, each, _ in found)
        while found and (len(found) > _MAX_PER_OWNER or size > _MAX_BYTES_PER_OWNER):
            _, freed, name = found.pop(0)
            size -= freed
            if name != kept:
                folder.remove(name)


def remove_expired_downloads(folder: PrivateFolder, now: float) -> None:
    """Remove the files that were kept for longer than 15 minutes; `now` is in seconds since 1970. Raises OSError."""
    for path in folder.path.iterdir():
        if path.is_dir() and not path.is_symlink():
            PrivateFolder(path).remove_older(now - _LIFETIME_SECONDS)
