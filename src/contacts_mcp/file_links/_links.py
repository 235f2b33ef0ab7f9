"""The links and their files, in one private folder that several processes may share."""

import hashlib
import json
import logging
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from uuid import UUID

import anyio
import anyio.to_thread

from contacts_mcp.file_links._entries import FILE_NAME, MAX_FILE_BYTES, Entry, find_crowd, group_files
from contacts_mcp.file_links._errors import LinkNotFound, LinkUsed, NoRoom
from contacts_mcp.operating_system import lock, open_file, try_lock
from contacts_mcp.private_folder import PrivateFolder

LINK_LIFETIME_SECONDS = 900.0
"""How long a link is valid, and a file is kept after it was sent, written or used for an import."""
_SWEEP_INTERVAL_SECONDS = 30.0

_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_LOCK_NAME, _USERS_NAME = ".lock", ".users"
_OPEN_LOCK = os.O_RDWR | os.O_CREAT

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Link:
    """A file's id, and the token with which it is sent or fetched."""

    id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An open file that can be fetched."""

    name: str
    mime_type: str
    size: int
    content: IO[bytes]


class FileLinks:
    """The links and their files, in the folder at `path`, which is created when the server starts.

    Links are bound to an owner, and those of another `scope`, a server on another directory, have other owners. An
    owner may have 32 links and 256 MiB of files, all owners 1,024 links and 1 GiB; the oldest make room for new ones.
    Its methods block.
    """

    def __init__(self, path: Path, scope: str = "", clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._scope = scope
        self._clock = clock
        self._folder: PrivateFolder | None = None
        self._users = -1

    @property
    def is_open(self) -> bool:
        """Whether links can be made: the folder can be used, and the server is running."""
        return self._folder is not None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the folder and remove what expires. Files are removed when the last process that uses them ends."""
        try:
            await anyio.to_thread.run_sync(self.open)
        except OSError as exc:
            _log.warning("no upload and download links: cannot use %s (%s)", self._path, exc.strerror or exc)
            yield
            return
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._sweep_regularly)
                yield
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self.close)

    def open(self) -> None:
        """Open the folder; the first of its processes removes what is left of earlier ones. Raises OSError."""
        folder = PrivateFolder(self._path)
        users = open_file(folder.path / _USERS_NAME, _OPEN_LOCK)
        try:
            if try_lock(users):
                _remove_all(folder)
            lock(users, shared=True)
        except BaseException:
            os.close(users)
            raise
        self._folder, self._users = folder, users

    def close(self) -> None:
        """Make no more links. The last of the processes removes all files."""
        folder, self._folder = self._opened, None
        try:
            with suppress(OSError):
                if try_lock(self._users):
                    _remove_all(folder)
        finally:
            os.close(self._users)

    def create_upload(self, owner: str) -> Link:
        """Make a link to which one file can be sent. Raises NoRoom and OSError."""
        link, owner_id = _new_link(), self._id_of_owner(owner)
        with self._locked():
            self._make_room(owner_id, 0, link.id)
            os.close(open_file(self._locate(link.id, owner_id, "open"), _OPEN_LOCK))
        return link

    def begin_upload(self, token: str, size: int | None) -> "FileWriter":
        """Begin to receive a file of `size` bytes; None means up to MAX_FILE_BYTES.

        Raises LinkNotFound, LinkUsed, NoRoom and OSError.
        """
        identifier = _id_of(token)
        with self._locked():
            entry = self._find(identifier)
            if "upload" in entry.files:
                raise LinkUsed("a file was sent to this link already; get a new link for another one")
            if entry.files.get("open", (0, 0.0))[1] <= self._clock() - LINK_LIFETIME_SECONDS:
                raise _not_found()
            reserved = MAX_FILE_BYTES if size is None else size
            return FileWriter(self, identifier, entry.owner, "upload", self._reserve(entry.id, entry.owner, reserved))

    def read_upload(self, identifier: str, owner: str) -> bytes:
        """Return a file that its owner has sent, and keep it for longer. Raises LinkNotFound and OSError."""
        with self._locked():
            entry = self._find(identifier, self._id_of_owner(owner))
            if "upload" not in entry.files:
                raise LinkNotFound("no file was sent to the upload link yet")
            path = self._locate(entry.id, entry.owner, "upload")
            os.utime(path)
            file = os.fdopen(open_file(path, os.O_RDONLY), "rb")
        with file:
            return file.read(MAX_FILE_BYTES)

    def remove_upload(self, identifier: str, owner: str) -> None:
        """Remove a file that its owner has sent. Raises OSError."""
        with self._locked(), suppress(LinkNotFound):
            self._remove(self._find(identifier, self._id_of_owner(owner)))

    def create_download(self, owner: str, name: str, mime_type: str) -> tuple[Link, "FileWriter"]:
        """Make a link from which a file can be fetched once it is written. Raises NoRoom and OSError."""
        link, owner_id = _new_link(), self._id_of_owner(owner)
        with self._locked():
            file = self._reserve(link.id, owner_id, MAX_FILE_BYTES)
            about = json.dumps({"name": name, "mime_type": mime_type}).encode()
            self._opened.create(self._locate(link.id, owner_id, "about").name, about)
        return link, FileWriter(self, link.id, owner_id, "download", file)

    def open_download(self, token: str) -> StoredFile:
        """Open a file that can be fetched. Raises LinkNotFound and OSError."""
        with self._locked():
            return self._open_file(self._find(_id_of(token)))

    def read_download(self, identifier: str, owner: str) -> tuple[str, bytes]:
        """Return type and content of a file that its owner can fetch. Raises LinkNotFound and OSError."""
        with self._locked():
            found = self._open_file(self._find(identifier, self._id_of_owner(owner)))
        with found.content as content:
            return found.mime_type, content.read(MAX_FILE_BYTES)

    def finish(self, writer: "FileWriter", size: int) -> None:
        """Give a written file its place. Raises LinkNotFound if its link was removed meanwhile."""
        part = self._locate(writer.id, writer.owner, "part")
        with self._locked():
            os.ftruncate(writer.file.fileno(), size)
            try:
                part.replace(self._locate(writer.id, writer.owner, writer.state))
            except FileNotFoundError:
                raise _not_found() from None
            self._locate(writer.id, writer.owner, "open").unlink(missing_ok=True)

    def discard(self, writer: "FileWriter") -> None:
        """Remove what was written of a file; an upload's link stays valid."""
        with self._locked():
            for state in ("part", "about"):
                self._locate(writer.id, writer.owner, state).unlink(missing_ok=True)

    def _open_file(self, entry: Entry) -> StoredFile:
        if "download" not in entry.files:
            raise _not_found()
        about = json.loads(self._opened.read(self._locate(entry.id, entry.owner, "about").name))
        content = os.fdopen(open_file(self._locate(entry.id, entry.owner, "download"), os.O_RDONLY), "rb")
        return StoredFile(about["name"], about["mime_type"], entry.files["download"][0], content)

    def _reserve(self, identifier: str, owner: str, size: int) -> IO[bytes]:
        """Open a new file that counts as `size` bytes from now on, and lock it for as long as it is open."""
        path = self._locate(identifier, owner, "part")
        with ExitStack() as undo:
            file = undo.enter_context(os.fdopen(open_file(path, _OPEN_LOCK), "wb"))
            _require_writer_lock(file)
            undo.callback(path.unlink)
            self._make_room(owner, size, identifier)
            os.ftruncate(file.fileno(), 0)  # it may be left of a process that crashed
            os.ftruncate(file.fileno(), size)
            undo.pop_all()
        return file

    def _make_room(self, owner: str, size: int, new: str) -> None:
        """Remove the oldest files until there is room for `size` more bytes. Raises NoRoom."""
        others = sorted((each for each in self._entries() if each.id != new), key=lambda each: each.written_at)
        while crowd := find_crowd(others, owner, size):
            oldest = next((each for each in crowd if "part" not in each.files), None)
            if oldest is None:
                raise NoRoom("too many files are being transferred; wait a minute")
            self._remove(oldest)
            others.remove(oldest)

    def _entries(self) -> list[Entry]:
        """Return the links; those that have expired are removed first."""
        found = group_files(self._opened.files())
        oldest = self._clock() - LINK_LIFETIME_SECONDS
        for each in [each for each in found.values() if each.written_at <= oldest]:
            self._remove(found.pop(each.id))
        return list(found.values())

    def _find(self, identifier: str, owner: str | None = None) -> Entry:
        for entry in self._entries():
            if entry.id == identifier.lower() and owner in (None, entry.owner):
                return entry
        raise _not_found()

    def _remove(self, entry: Entry) -> None:
        for state in entry.files:
            self._locate(entry.id, entry.owner, state).unlink(missing_ok=True)

    def _locate(self, identifier: str, owner: str, state: str) -> Path:
        return self._opened.path / f"{identifier}.{owner}.{state}"

    def _id_of_owner(self, owner: str) -> str:
        return hashlib.sha256(f"{self._scope}\n{owner}".encode()).hexdigest()[:32]

    @property
    def _opened(self) -> PrivateFolder:
        if self._folder is None:
            raise LinkNotFound("this server makes no links")
        return self._folder

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep all other threads and processes out of the folder."""
        descriptor = open_file(self._opened.path / _LOCK_NAME, _OPEN_LOCK)
        try:
            lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    async def _sweep_regularly(self) -> None:
        while True:
            await anyio.sleep(_SWEEP_INTERVAL_SECONDS)
            try:
                await anyio.to_thread.run_sync(self.remove_expired)
            except OSError as exc:
                _log.warning("cannot remove expired files from %s (%s)", self._path, exc.strerror)

    def remove_expired(self) -> None:
        """Remove what has expired. Raises OSError."""
        with self._locked():
            self._entries()


class FileWriter:
    """A file that is being written: complete after `commit`, gone after `discard`, which has to follow. Both block."""

    def __init__(self, links: FileLinks, identifier: str, owner: str, state: str, file: IO[bytes]) -> None:
        self.id = identifier
        self.owner = owner
        self.state = state
        self.file = file
        self._links = links

    def commit(self) -> int:
        """Complete the file at the current position, and return its size. Raises LinkNotFound and OSError."""
        self.file.flush()
        size = self.file.tell()
        self._links.finish(self, size)
        self.file.close()
        return size

    def discard(self) -> None:
        """Remove what was written. Nothing happens after `commit`."""
        if self.file.closed:
            return
        try:
            self._links.discard(self)
        finally:
            with suppress(OSError):  # what was written last may not fit on the disk
                self.file.close()


def _new_link() -> Link:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return Link(_id_of(token), token)


def _id_of(token: str) -> str:
    """Return the id of a token's file. Raises LinkNotFound if it is not a token."""
    if not _TOKEN.fullmatch(token):
        raise _not_found()
    return str(UUID(bytes=hashlib.sha256(token.encode()).digest()[:16], version=4))


def _not_found() -> LinkNotFound:
    return LinkNotFound("there is no such file, or its 15 minutes are over")


def _require_writer_lock(file: IO[bytes]) -> None:
    if not try_lock(file.fileno()):
        raise LinkUsed("a file is being sent to this link; wait for the end, or get a new link")


def _remove_all(folder: PrivateFolder) -> None:
    """Remove all files of links, and no others."""
    for _, _, name in folder.files():
        if FILE_NAME.fullmatch(name):
            folder.remove(name)
