"""The snapshot of a start on disk: a private file in the user's cache folder, read only if nothing about it is off.

It holds results that are the same for every call, and digests of the questions; no contact, no setting and no secret.
"""

import json
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256

FileStates = dict[str, list[int] | None]
"""By path of a configuration file: what changes with its content, None if there is no such file."""

_APP, _FOLDER, _SUFFIX = "wayscloud-contacts-mcp", "starts", ".json"
_MAX_BYTES = 2_000_000
_MAX_ANSWERS = 64
_MAX_FILES = 16
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Snapshot:
    """The results of earlier starts with the same `key`, by the key of their question."""

    def __init__(self, key: str, results: dict[str, str] | None = None) -> None:
        self.key = key
        self.results = results or {}

    def put(self, question: str, result: str | None) -> bool:
        """Keep a result, or remove it; return whether that changes something. If there are many, the oldest ones go."""
        if self.results.get(question) == result:
            return False
        self.results.pop(question, None)
        if result is not None:
            while len(self.results) >= _MAX_ANSWERS:
                del self.results[next(iter(self.results))]
            self.results[question] = result
        return True

    def save(self, files: FileStates) -> None:
        """Write the snapshot, whole or not at all. `files` is what the settings were read from. Raises OSError."""
        from contacts_mcp.operating_system import make_folders, make_private, open_file

        folder = snapshot_folder()
        if folder is None:
            raise FileNotFoundError("this user has no folder for caches")
        from pathlib import Path

        make_folders(Path(folder))
        make_private(Path(folder))
        path = os.path.join(folder, _file_name(self.key))  # noqa: PTH118
        draft = f"{path}.{os.urandom(8).hex()}"  # containers may share the folder, and have equal process ids
        try:
            with os.fdopen(open_file(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(self._to_bytes(files))
            os.replace(draft, path)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)  # noqa: PTH108
            raise
        _remove_oldest(folder)

    def _to_bytes(self, files: FileStates) -> bytes:
        results = dict(self.results)  # others may change them meanwhile
        texts = list(dict.fromkeys(results.values()))  # several hosts get the same tools
        numbers = {text: number for number, text in enumerate(texts)}
        answers = {question: numbers[text] for question, text in results.items()}
        body = json.dumps({"key": self.key, "files": files, "answers": answers, "results": texts}).encode()
        return sha256(body).hexdigest().encode() + b"\n" + body


def read_snapshot(key: str) -> Snapshot | None:
    """Return the snapshot of a start; None if there is none, it is damaged, or a configuration file has changed."""
    folder = snapshot_folder()
    if folder is None:
        return None
    try:
        content = _read_private(folder, _file_name(key))
        digest, _, body = content.partition(b"\n")
        if digest != sha256(body).hexdigest().encode():
            return None
        found = json.loads(body)
        if found["key"] != key or found["files"] != file_states(found["files"]):
            return None
        return Snapshot(key, {question: found["results"][number] for question, number in found["answers"].items()})
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None


def snapshot_folder() -> str | None:
    """Return the folder of this user's snapshots; None if they have no home. Nothing is created."""
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib is heavy
    caches = os.path.join(home, "Library", "Caches") if sys.platform == "darwin" else os.path.join(home, ".cache")  # noqa: PTH118
    if sys.platform != "darwin" and os.environ.get("XDG_CACHE_HOME", "").startswith("/"):
        caches = os.environ["XDG_CACHE_HOME"]
    return os.path.join(caches, _APP, _FOLDER) if os.path.isabs(caches) else None  # noqa: PTH117, PTH118


def count_snapshots() -> int:
    """Return how many snapshots this user has."""
    try:
        return sum(name.endswith(_SUFFIX) for name in os.listdir(snapshot_folder() or ""))  # noqa: PTH208
    except OSError:
        return 0


def file_states(paths: Iterable[str]) -> FileStates:
    """Return what changes with the content of each file."""
    return {path: _state_of(path) for path in paths}


def _state_of(path: str) -> list[int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino]


def _file_name(key: str) -> str:
    return key[:32] + _SUFFIX


def _read_private(folder: str, name: str) -> bytes:
    """Return the content of a file that only this user can have written. Raises OSError."""
    if sys.platform == "win32":
        raise NotImplementedError
    found = os.stat(folder, follow_symlinks=False)  # noqa: PTH116
    _require_own(found, is_right_kind=stat.S_ISDIR(found.st_mode))
    path = os.path.join(folder, name)  # noqa: PTH118
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        _require_own(found, is_right_kind=stat.S_ISREG(found.st_mode))
        content = b""
        while found.st_size <= _MAX_BYTES and (chunk := os.read(descriptor, _MAX_BYTES)):
            content += chunk
        return content
    finally:
        os.close(descriptor)


def _require_own(found: os.stat_result, *, is_right_kind: bool) -> None:
    if sys.platform == "win32":
        raise NotImplementedError
    if not is_right_kind or found.st_uid != os.getuid() or found.st_mode & _OTHERS_MAY_WRITE:
        raise PermissionError("not a private file of this user")


def _remove_oldest(folder: str) -> None:
    """Keep the newest snapshots: each other setting, version or argument has one of its own."""
    with suppress(OSError):
        with os.scandir(folder) as entries:
            paths = [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in entries]
        for _, path in sorted(paths)[:-_MAX_FILES]:
            os.unlink(path)  # noqa: PTH108
