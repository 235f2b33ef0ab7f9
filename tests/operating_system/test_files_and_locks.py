"""Open files, their locks and their owners; the tests run on POSIX and on Windows."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contacts_mcp.operating_system import (
    lock,
    make_folders,
    make_private,
    may_others_read,
    open_file,
    publish,
    read_at,
    try_lock,
    try_lock_number,
)

_HOLDER = """\
import os, sys
from contacts_mcp.operating_system import lock, open_file
lock(open_file(sys.argv[1], os.O_RDWR))
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(b"content\n")
    return path


@contextmanager
def opened(path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    descriptor = open_file(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_lock_excludes_others_until_its_descriptor_is_closed(path: Path) -> None:
    with opened(path) as other:
        with opened(path) as descriptor:
            lock(descriptor)
            assert not try_lock(other)
        assert try_lock(other)


def test_waiting_for_a_lock_does_not_stop_other_threads(path: Path) -> None:
    with opened(path) as other:
        with opened(path) as descriptor:
            lock(descriptor)
            waiting = threading.Thread(target=lock, args=(other,), daemon=True)
            waiting.start()
            waiting.join(0.2)
            assert waiting.is_alive()
        waiting.join(10)
        assert not waiting.is_alive()


def test_shared_locks_exclude_only_exclusive_ones(path: Path) -> None:
    with opened(path) as first, opened(path) as second:
        lock(first)
        lock(first, shared=True)  # in place of the exclusive one
        lock(second, shared=True)
        assert not try_lock(second)


def test_locked_file_can_be_read_written_and_renamed(path: Path) -> None:
    """By any process: a lock only keeps out those that ask for one."""
    with opened(path) as descriptor:
        lock(descriptor)
        assert path.read_bytes() == b"content\n"
        path.rename(path.with_name("b.txt"))
        with opened(path.with_name("b.txt"), os.O_RDWR | os.O_APPEND) as other:
            assert os.write(other, b"more\n") == 5
        assert read_at(descriptor, 100, 8) == b"more\n"


def test_lock_of_a_killed_process_ends(path: Path) -> None:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], **pipes)
    with holder, opened(path) as descriptor:
        assert holder.stdout.readline().strip() == b"locked"
        assert not try_lock(descriptor)
        holder.kill()
        holder.wait()
        lock(descriptor)
        assert try_lock(descriptor)


def test_numbers_of_a_file_are_locked_one_by_one(path: Path) -> None:
    with opened(path) as descriptor:
        assert try_lock_number(descriptor, 7)
        assert try_lock_number(descriptor, 8)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR | os.O_CREAT])
def test_folder_is_not_opened_as_a_file(tmp_path: Path, flags: int) -> None:
    """A service reads the errors by their classes."""
    if flags != os.O_RDONLY or sys.platform == "win32":
        with pytest.raises(IsADirectoryError):
            open_file(tmp_path, flags)


def test_existing_file_is_not_created_again(path: Path) -> None:
    with pytest.raises(FileExistsError):
        open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    assert path.read_bytes() == b"content\n"


def test_missing_file_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "missing", os.O_RDWR)


def test_publishing_replaces_nothing(path: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    draft.write_bytes(b"new")
    with pytest.raises(FileExistsError):
        publish(draft, path)
    publish(draft, tmp_path / "b.txt")

    assert path.read_bytes() == b"content\n"
    assert (tmp_path / "b.txt").read_bytes() == b"new"


def test_new_files_and_folders_are_private(tmp_path: Path) -> None:
    make_folders(tmp_path / "deep" / "er")
    with opened(tmp_path / "deep" / "a", os.O_RDWR | os.O_CREAT):
        pass
    with opened(tmp_path / "deep" / "a") as descriptor:
        assert not may_others_read(descriptor)

    assert not may_others_read(tmp_path / "deep")
    assert not may_others_read(tmp_path / "deep" / "er")
    assert not may_others_read(tmp_path / "deep" / "a")


def test_folder_of_others_rights_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    assert may_others_read(folder)

    make_private(folder)

    assert not may_others_read(folder)


def test_file_is_not_made_a_private_folder(path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        make_private(path)
