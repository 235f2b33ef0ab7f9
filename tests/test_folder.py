"""The folder for files: no path leads out, and files are written completely or not at all."""

import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.folder import MAX_FILE_BYTES, Folder


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The folder, with a file in it, and a secret beside it."""
    path = tmp_path / "files"
    (path / "deep").mkdir(parents=True)
    (path / "people.csv").write_bytes(b"name\nOla\n")
    (path / "deep" / "more.csv").write_bytes(b"x")
    (tmp_path / "secret.csv").write_bytes(b"secret")
    return path


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(ValidationFailed) as refused:
        work()
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", ["people.csv", "./people.csv", "deep/more.csv"])
def test_file_below_the_folder_is_read(inside: Path, name: str) -> None:
    assert Folder(inside).read(name).data


@pytest.mark.parametrize(("name", "fault"), [("nowhere", "does not exist"), ("people.csv", "is not a folder")])
def test_unusable_folder_is_reported_with_its_setting_and_its_path(inside: Path, name: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"^CONTACTS_MCP_FILES \(--files\): ") as refused:
        Folder(inside / name)

    assert f"{inside / name} {fault}" in str(refused.value)


@pytest.mark.parametrize("name", ["people.csv", "deep/more.csv"])
def test_folder_that_was_removed_is_reported_with_its_setting_and_its_path(inside: Path, name: str) -> None:
    folder = Folder(inside)
    inside.rename(inside.parent / "moved")

    for work in (lambda: folder.read(name), lambda: folder.write(name, [b"x"]), lambda: folder.is_free(name)):
        line = refusal(work)
        assert f"CONTACTS_MCP_FILES (--files), {inside.resolve()} (no such file or directory)" in line


def test_absolute_path_inside_the_folder_is_read(inside: Path) -> None:
    assert Folder(inside).read(str(inside / "people.csv")).name == "people.csv"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.csv",
        "deep/../../secret.csv",
        "/etc/passwd",
        "..",
        "deep/../people.csv",
        "//etc/passwd",
        "../files/people.csv",
    ],
)
def test_path_out_of_the_folder_is_refused(inside: Path, name: str) -> None:
    """Neither by dots nor from the root."""
    assert "leads out of the folder" in refusal(lambda: Folder(inside).read(name))
    assert "leads out of the folder" in refusal(lambda: Folder(inside).write(name, [b"x"]))


@pytest.mark.parametrize("name", ["", ".", "people.csv/", "a\0b", "x" * 300, "deep/"])
def test_invalid_file_name_is_refused(inside: Path, name: str) -> None:
    refusal(lambda: Folder(inside).read(name))
    refusal(lambda: Folder(inside).write(name, [b"x"]))


def test_links_are_not_followed(inside: Path, tmp_path: Path) -> None:
    """Neither at the end of a path, nor in its middle, nor a hard link."""
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inside / "out").symlink_to(tmp_path)
    os.link(tmp_path / "secret.csv", inside / "hard.csv")
    folder = Folder(inside)

    assert "links are not followed" in refusal(lambda: folder.read("link.csv"))
    assert refusal(lambda: folder.read("out/secret.csv"))
    assert "second hard link" in refusal(lambda: folder.read("hard.csv"))
    assert refusal(lambda: folder.write("out/new.csv", [b"x"]))
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.parametrize("target", ["secret.csv", "missing.csv"])
def test_link_is_neither_replaced_nor_written_through(inside: Path, tmp_path: Path, target: str) -> None:
    (inside / "link.csv").symlink_to(tmp_path / target)

    assert "already exists" in refusal(lambda: Folder(inside).write("link.csv", [b"x"]))

    assert (tmp_path / "secret.csv").read_bytes() == b"secret"
    assert not (tmp_path / "missing.csv").exists()
    assert (inside / "link.csv").is_symlink()


def test_pipe_and_folder_are_not_read(inside: Path) -> None:
    """A read of a pipe without a writer would block."""
    os.mkfifo(inside / "pipe.csv")

    assert "not a regular file" in refusal(lambda: Folder(inside).read("pipe.csv"))
    assert "not a regular file" in refusal(lambda: Folder(inside).read("deep"))


def test_missing_file_error_lists_existing_files(inside: Path) -> None:
    assert "is not in the folder for files; it contains people.csv" in refusal(lambda: Folder(inside).read("peple.csv"))


def test_file_over_the_size_limit_is_refused(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts_mcp.folder.MAX_FILE_BYTES", 4)

    assert "is larger than" in refusal(lambda: Folder(inside).read("people.csv"))


def test_file_is_written_completely_and_only_for_its_owner(inside: Path) -> None:
    written = Folder(inside).write("out.csv", [b"a", b"bc"])

    assert written == 3
    assert (inside / "out.csv").read_bytes() == b"abc"
    assert (inside / "out.csv").stat().st_mode & 0o777 == 0o600


def test_failed_write_leaves_no_file(inside: Path) -> None:
    """Neither a partial nor a temporary file; an existing file is kept."""

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError

    before = sorted(os.listdir(inside))
    with pytest.raises(RuntimeError):
        Folder(inside).write("people.csv", broken())

    assert sorted(os.listdir(inside)) == before
    assert (inside / "people.csv").read_bytes() == b"name\nOla\n"


def test_existing_file_is_not_overwritten(inside: Path) -> None:
    assert "already exists" in refusal(lambda: Folder(inside).write("people.csv", [b"x"]))
    assert sorted(os.listdir(inside)) == ["deep", "people.csv"]


@pytest.mark.parametrize("name", ["\ud800.csv", "ø" * 200, " ", "\n", "deep/ /x.csv"])
def test_name_not_allowed_by_the_system_is_refused(inside: Path, name: str) -> None:
    """A lone surrogate, too many bytes, or only whitespace."""
    assert "is not a file name" in refusal(lambda: Folder(inside).read(name))
    assert "is not a file name" in refusal(lambda: Folder(inside).write(name, [b"x"]))


@pytest.mark.parametrize("name", [".bashrc", ".keys/all.csv", "deep/.x.csv"])
def test_hidden_files_are_neither_read_nor_written(inside: Path, name: str) -> None:
    """In a home folder they are settings and keys."""
    (inside / ".keys").mkdir()
    (inside / ".keys" / "all.csv").write_bytes(b"secret")
    (inside / ".bashrc").write_bytes(b"secret")

    assert "hidden files cannot be used" in refusal(lambda: Folder(inside).read(name))
    assert "hidden files cannot be used" in refusal(lambda: Folder(inside).write(name, [b"x"]))
    assert (inside / ".bashrc").read_bytes() == b"secret"


def test_device_is_not_read_through_a_link(inside: Path) -> None:
    """The read would never end."""
    (inside / "zero.csv").symlink_to("/dev/zero")

    assert "links are not followed" in refusal(lambda: Folder(inside).read("zero.csv"))


def test_folder_is_not_replaced_by_a_file(inside: Path) -> None:
    assert "already exists" in refusal(lambda: Folder(inside).write("deep", [b"x"]))
    assert sorted(os.listdir(inside)) == ["deep", "people.csv"]


def test_listed_file_names_stay_on_one_line(inside: Path) -> None:
    (inside / "a\nb\u202e.csv").touch()
    for number in range(12):
        (inside / f"{number}.csv").touch()

    line = refusal(lambda: Folder(inside).read("peple.csv"))
    assert " and 4 more" in line
    os.utime(inside / "a\nb\u202e.csv", (2**32, 2**32))
    assert "it contains a b.csv, " in refusal(lambda: Folder(inside).read("peple.csv"))


def test_sparse_file_over_the_size_limit_is_refused_unread(inside: Path) -> None:
    with (inside / "large.csv").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)

    assert "is larger than 64 MiB; split it" in refusal(lambda: Folder(inside).read("large.csv"))


def test_write_that_fills_the_disk_leaves_no_file(inside: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        line = refusal(lambda: Folder(inside).write("out.csv", [b"x" * 900] * 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert "cannot be used (file too large)" in line
    assert sorted(os.listdir(inside)) == ["deep", "people.csv"]


def test_write_to_a_read_only_folder_is_refused() -> None:
    """A file in it can still be read."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "people.csv").write_bytes(b"name\n")
        Path(name).chmod(0o555)
        with unprivileged():
            line = refusal(lambda: Folder(Path(name)).write("out.csv", [b"x"]))
            data = Folder(Path(name)).read("people.csv").data

    assert "path: cannot be used (permission denied)" in line
    assert data == b"name\n"


@contextmanager
def unprivileged() -> Iterator[None]:
    """Whoever runs the tests, a permission counts."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_temporary_file_swapped_for_a_link_is_not_written_through(inside: Path, tmp_path: Path) -> None:
    """The write goes to the file that was opened."""

    def swapping() -> Iterator[bytes]:
        yield b"first"
        (draft,) = inside.glob(".*.part")
        draft.unlink()
        draft.symlink_to(tmp_path / "secret.csv")
        yield b"second"

    Folder(inside).write("out.csv", swapping())

    assert (tmp_path / "secret.csv").read_bytes() == b"secret"


@pytest.mark.parametrize("name", ["a\u202eb.csv", "a\nb.csv", "a\x1b[2J.csv", "a\u200b.csv", "a  b.csv", "a.csv "])
def test_name_with_invisible_characters_is_not_written(inside: Path, name: str) -> None:
    """An existing file with such a name can still be read."""
    assert "contains invisible characters" in refusal(lambda: Folder(inside).write(name, [b"x"]))

    (inside / name).write_bytes(b"x")
    assert Folder(inside).read(name).data == b"x"
