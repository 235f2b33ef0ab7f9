"""FileLinks: who can send and fetch files, for how long, how many, and what stays in the folder."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_mcp.file_links import MAX_FILE_BYTES, FileLinks, LinkNotFound, LinkUsed, NoRoom

FOREIGN_TOKENS = [
    *("", "x", "../../../etc/passwd", "..", ".users", "a" * 43, "a" * 44, "é" * 43, "a" * 42 + "\n", "a" * 42 + "/"),
    "00000000-0000-4000-8000-000000000000",
]


@pytest.fixture
def now() -> list[float]:
    """How many seconds the clock of `links` is ahead."""
    return [0.0]


@pytest.fixture
def links(tmp_path: Path, now: list[float]) -> Iterator[FileLinks]:
    links = FileLinks(tmp_path / "links", "directory", lambda: time.time() + now[0])
    links.open()
    yield links
    links.close()


def names(tmp_path: Path) -> set[str]:
    """The states of the files in the folder."""
    return {path.suffix[1:] for path in (tmp_path / "links").iterdir() if not path.name.startswith(".")}


def send(links: FileLinks, token: str, content: bytes = b"name\nOla\n") -> str:
    writer = links.begin_upload(token, len(content))
    writer.file.write(content)
    writer.commit()
    return writer.id


def write(links: FileLinks, owner: str, content: bytes = b"name\nOla\n", name: str = "a.csv") -> str:
    """Write a file that can be fetched; its token."""
    link, writer = links.create_download(owner, name, "text/csv")
    writer.file.write(content)
    writer.commit()
    return link.token


def test_sent_file_is_read_only_by_its_owner_on_the_same_directory(links, tmp_path):
    link = links.create_upload("ada")

    assert send(links, link.token, b"content") == link.id
    assert links.read_upload(link.id, "ada") == links.read_upload(link.id.upper(), "ada") == b"content"
    with pytest.raises(LinkNotFound):
        links.read_upload(link.id, "bob")
    other = FileLinks(tmp_path / "links", "another directory")
    other.open()
    with pytest.raises(LinkNotFound):
        other.read_upload(link.id, "ada")
    other.close()
    assert links.read_upload(link.id, "ada") == b"content"


def test_written_file_is_fetched_by_its_link_or_by_its_owner(links):
    link, writer = links.create_download("ada", "a.csv", "text/csv")
    with pytest.raises(LinkNotFound):
        links.open_download(link.token)
    writer.file.write(b"content")

    assert writer.commit() == 7
    for _ in range(2):
        stored = links.open_download(link.token)
        with stored.content as content:
            assert (stored.name, stored.mime_type, stored.size, content.read()) == ("a.csv", "text/csv", 7, b"content")
    assert links.read_download(link.id, "ada") == ("text/csv", b"content")
    with pytest.raises(LinkNotFound):
        links.read_download(link.id, "bob")


@pytest.mark.parametrize("token", FOREIGN_TOKENS)
def test_text_that_is_no_token_finds_nothing(links, tmp_path, token):
    links.create_upload("ada")
    write(links, "ada")

    for use in (lambda: links.begin_upload(token, 1), lambda: links.open_download(token)):
        with pytest.raises(LinkNotFound):
            use()
    assert names(tmp_path) == {"open", "about", "download"}


def test_link_of_one_kind_is_no_link_of_the_other(links):
    upload = links.create_upload("ada")
    download = write(links, "ada")

    with pytest.raises(LinkNotFound):
        links.open_download(upload.token)
    with pytest.raises(LinkNotFound):
        links.begin_upload(download, 1)
    send(links, upload.token)
    with pytest.raises(LinkNotFound):
        links.open_download(upload.token)


def test_folder_and_representations_hold_no_token_and_are_private(links, tmp_path):
    link = links.create_upload("hanne")
    send(links, link.token)
    token = write(links, "hanne")

    paths = list((tmp_path / "links").iterdir())
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert (tmp_path / "links").stat().st_mode & 0o777 == 0o700
    text = "".join(path.name + path.read_text() for path in paths) + repr(link)
    assert link.token not in text
    assert token not in text
    assert "hanne" not in text


def test_link_is_valid_for_15_minutes(links, tmp_path, now):
    token = links.create_upload("ada").token
    now[0] = 899
    writer = links.begin_upload(token, 1)
    writer.discard()
    now[0] = 901

    with pytest.raises(LinkNotFound):
        links.begin_upload(token, 1)
    links.remove_expired()
    assert names(tmp_path) == set()


def test_file_is_kept_for_15_minutes_after_its_last_use(links, tmp_path, now):
    link, token = links.create_upload("ada"), write(links, "ada")
    send(links, link.token)
    upload = next((tmp_path / "links").glob("*.upload"))
    os.utime(upload, (time.time() - 600, time.time() - 600))

    links.read_upload(link.id, "ada")
    now[0] = 890
    links.read_upload(link.id, "ada")
    now[0] = 901
    with pytest.raises(LinkNotFound):
        links.open_download(token)
    with pytest.raises(LinkNotFound):
        links.read_upload(link.id, "ada")
    assert names(tmp_path) == set()


def test_file_is_sent_once(links):
    link = links.create_upload("ada")
    with pytest.raises(LinkNotFound, match="no file was sent"):
        links.read_upload(link.id, "ada")
    writer = links.begin_upload(link.token, 3)
    writer.file.write(b"one")
    with pytest.raises(LinkUsed):
        links.begin_upload(link.token, 3)
    writer.commit()

    with pytest.raises(LinkUsed):
        links.begin_upload(link.token, 3)
    assert links.read_upload(link.id, "ada") == b"one"
    links.remove_upload(link.id, "bob")
    links.remove_upload(link.id, "ada")
    links.remove_upload(link.id, "ada")
    with pytest.raises(LinkNotFound):
        links.begin_upload(link.token, 3)


def test_discarded_file_leaves_nothing_and_its_link_stays_valid(links, tmp_path):
    link = links.create_upload("ada")
    writer = links.begin_upload(link.token, 100)
    writer.file.write(b"half")
    writer.discard()
    writer.discard()

    assert names(tmp_path) == {"open"}
    send(links, link.token, b"whole")
    assert links.read_upload(link.id, "ada") == b"whole"
    _, writer = links.create_download("ada", "a", "text/csv")
    writer.discard()
    assert names(tmp_path) == {"upload"}


def test_file_left_unfinished_by_a_crash_is_sent_again(links, tmp_path):
    """Its lock ended with the process."""
    link = links.create_upload("ada")
    place = next((tmp_path / "links").glob("*.open"))
    place.with_suffix(".part").write_bytes(b"longer than the whole file")

    send(links, link.token, b"whole")

    assert links.read_upload(link.id, "ada") == b"whole"


def test_file_whose_link_was_removed_meanwhile_is_not_kept(links, tmp_path):
    link = links.create_upload("ada")
    writer = links.begin_upload(link.token, 1)
    links.remove_upload(link.id, "ada")

    with pytest.raises(LinkNotFound):
        writer.commit()
    writer.discard()
    assert names(tmp_path) == set()


def test_unfinished_files_of_unknown_size_take_the_room_of_whole_ones(links):
    """Four of an owner, or sixteen in all, may be written at a time; no finished file makes room for them in vain."""
    writers = [links.create_download("ada", "a", "text/csv")[1] for _ in range(4)]
    with pytest.raises(NoRoom):
        links.create_download("ada", "a", "text/csv")
    with pytest.raises(NoRoom):
        links.begin_upload(links.create_upload("ada").token, None)
    for owner in ("bob", "cyd", "dan"):
        writers += [links.create_download(owner, "a", "text/csv")[1] for _ in range(4)]

    with pytest.raises(NoRoom):
        links.create_download("eve", "a", "text/csv")
    writers.pop().discard()
    writers.append(links.create_download("eve", "a", "text/csv")[1])
    for writer in writers:
        writer.discard()


def test_oldest_files_of_an_owner_make_room_and_no_others(links, monkeypatch):
    monkeypatch.setattr("contacts_mcp.file_links._entries._MAX_BYTES_PER_OWNER", MAX_FILE_BYTES + 250)
    other = write(links, "bob", b"x" * 100)
    tokens = [write(links, "ada", b"x" * 100) for _ in range(4)]

    def is_there(token: str) -> bool:
        try:
            links.open_download(token).content.close()
        except LinkNotFound:
            return False
        return True

    assert [is_there(token) for token in tokens] == [False, True, True, True]
    assert is_there(other)


def test_owner_with_the_most_makes_room_if_the_folder_is_full(links, monkeypatch):
    monkeypatch.setattr("contacts_mcp.file_links._entries._MAX_IN_ALL", 10)
    few = write(links, "bob")
    many = [links.create_upload("ada") for _ in range(30)]

    links.open_download(few).content.close()
    with pytest.raises(LinkNotFound):
        links.begin_upload(many[0].token, 1)
    links.begin_upload(many[-1].token, 1).discard()


async def test_last_process_to_end_removes_all_files_and_no_others(tmp_path):
    folder = tmp_path / "links"
    one, other = FileLinks(folder), FileLinks(folder)
    async with one.running():
        (folder / "mine.txt").write_text("of somebody else")
        async with other.running():
            link = other.create_upload("ada")
        send(one, link.token)
        assert one.read_upload(link.id, "ada")

    assert {path.name for path in folder.iterdir()} == {".lock", ".users", "mine.txt"}
    assert not one.is_open


async def test_files_left_by_a_crash_are_removed_at_the_start(tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    left = folder / f"00000000-0000-4000-8000-000000000000.{'0' * 32}"
    for state in ("open", "part", "upload", "about", "download"):
        Path(f"{left}.{state}").write_text("Ola Nordmann")

    async with FileLinks(folder).running():
        assert names(tmp_path) == set()


async def test_folder_that_cannot_be_used_makes_no_links_and_is_reported(tmp_path, caplog):
    (tmp_path / "links").write_text("a file")
    links = FileLinks(tmp_path / "links")

    async with links.running():
        assert not links.is_open
        with pytest.raises(LinkNotFound):
            links.create_upload("ada")
    assert "no upload and download links: cannot use" in caplog.text
