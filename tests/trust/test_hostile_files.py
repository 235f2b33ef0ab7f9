"""Names and files that try to leave the folder or to exhaust memory: nothing outside is touched."""

import io
import itertools
import os
import random
import socket
import stat
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from contacts_mcp.folder import MAX_FILE_BYTES
from support.hosts import Host, enter_in_one_task, host, text_of
from support.processes import peak_memory
from support.texts import TEXTS, unseen_in, workbook
from support.trust_summary import Tried

SECRET = "Marvin"
"""Part of every file outside the folder."""
MAX_GROWTH_BYTES = 700 * 1024**2
"""A file of 64 MiB is held as bytes and as rows; a workbook is read in a process of its own."""
LONGEST = 120.0
"""Seconds that a file may take at most, as a workbook's process may."""


@dataclass(frozen=True)
class World:
    """A host with a folder for files, and secrets around it."""

    host: Host
    files: Path
    around: Path

    async def refused(self, tool: str, path: str) -> str:
        result = await self.host.raw(tool, path=path)
        line = text_of(result)
        assert result.is_error, path
        assert line.startswith("invalid: "), path
        assert "\n" not in line
        assert len(line) < 1_100
        assert not unseen_in(line)
        assert SECRET not in line
        return line

    def outside(self) -> dict[str, bytes]:
        places = [place for place in self.around.rglob("*") if not place.is_relative_to(self.files) and place.is_file()]
        return {str(place): place.read_bytes() for place in places if "contacts.db" not in place.name}


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Files outside the folder stay unchanged."""
    files = tmp_path / "around" / "files"
    (files / "deep").mkdir(parents=True)
    (tmp_path / "around" / "files-of-others").mkdir()
    for place in ("secret.csv", "files-of-others/secret.csv", "%2e%2e"):
        (files.parent / place).write_text(f"name,phone\n{SECRET},+4799999999\n")
    (files / "people.csv").write_text("name,phone\nOla Nordmann,+4799999998\n")
    async with enter_in_one_task(host(tmp_path / "contacts.db", files=files)) as connected:
        made = World(connected, files, tmp_path / "around")
        before = made.outside()
        yield made
        assert made.outside() == before


UPS = ".. ../.. deep/.. deep/../.. ./.. //.. /.. ..// .../.. ../files-of-others ../files/..".split()
CODED = [
    *("%2e%2e", "%2e%2e%2f", "..%2f", "%252e%252e", "..%c0%af", "\uff0e\uff0e", "\u2024\u2024"),
    *("..\\", "..\\..", "~", "$HOME"),
]
LASTS = ["secret.csv", "secret.csv\0.csv", "secret.csv ", "secret.csv/", "./secret.csv", "secret%2ecsv", "SECRET.CSV"]
ABSOLUTE = [
    *("/etc/passwd", "//etc/passwd", "///etc/shadow", "/proc/self/environ", "/proc/1/cmdline", "/proc/self/fd/0"),
    *("/proc/self/root/etc/passwd", "/dev/zero", "/dev/random", "/dev/stdin", "/dev/fd/0", "/dev/tcp/127.0.0.1/9"),
    *("file:///etc/passwd", "http://127.0.0.1:9/x.csv", "\\\\127.0.0.1\\share\\x.csv", "//127.0.0.1/share/x.csv"),
    *("C:\\Windows\\win.ini", "C:/Windows/win.ini", "\\\\?\\C:\\x.csv", "CON", "nul:", "`id`", "$(id)", "--help"),
    *("x" * 5_000, "x/" * 2_500, "/" * 5_000, "../" * 2_000 + "etc/passwd", "\0", "\ud800", "a\0b", "\u202e", " ", "."),
]  # fmt: skip
NAMES = [
    *(f"{way}/{last}" for way, last in itertools.product([*UPS, *CODED], LASTS)),
    *ABSOLUTE,
    *(f"../{text}" for text in TEXTS),
]
NEW_NAMES = [name for name in NAMES if name.startswith(("..", "/", "\0", "\ud800")) or "/../" in name]
"""Names that lead out of the folder; the others may be names of new files in it."""


async def test_hostile_path_is_not_read(world: World, tried: Tried) -> None:
    """Paths with dots, encoded characters, roots of other systems and devices stay inside the folder."""
    for name in NAMES:
        await world.refused("import_contacts", name)

    tried("bad inputs tried", len(NAMES))


async def test_hostile_path_is_not_written(world: World, tried: Tried) -> None:
    """An odd but legal name creates its file inside the folder."""
    for name in NEW_NAMES:
        await world.refused("export_contacts", name)
    for name in NAMES:
        result = await world.host.raw("export_contacts", path=name)
        assert not unseen_in(result.model_dump(mode="json")), name

    tried("bad inputs tried", len(NEW_NAMES) + len(NAMES))


PARTS = [*"deep people.csv link out secret.csv files .. . %2e%2e ~".split(), "", "\u202e", "\0", "x" * 300, " "]


@pytest.mark.parametrize("seed", range(2))
async def test_random_path_through_links_stays_inside(world: World, seed: int, tried: Tried) -> None:
    """Three hundred random paths, among links that lead out of the folder."""
    (world.files / "link").symlink_to(world.around / "secret.csv")
    (world.files / "out").symlink_to(world.around)
    chance = random.Random(seed)
    for _ in range(300):
        name = "/".join(chance.choices(PARTS, k=chance.randrange(1, 7)))
        for tool in ("import_contacts", "export_contacts"):
            assert SECRET not in text_of(await world.host.raw(tool, path=name)), name

    tried("bad inputs tried", 600)


def special(files: Path, around: Path) -> Iterator[str]:
    """Names in the folder that are not regular files of it, as far as the system can create them."""
    links = {"secret": around / "secret.csv", "zero": "/dev/zero", "environ": "/proc/self/environ", "loop": "loop.csv"}
    links |= {"folder": around, "fd": "/proc/self/fd/0", "gone": "nowhere", "inside": "people.csv", "root": "/"}
    for name, to in links.items():
        (files / f"{name}.csv").symlink_to(to)
        yield f"{name}.csv"
    yield from ("folder.csv/secret.csv", "root.csv/etc/passwd", "deep")
    os.link(around / "secret.csv", files / "hard.csv")
    yield "hard.csv"
    os.mkfifo(files / "pipe.csv")
    yield "pipe.csv"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(files / "socket.csv"))
    yield "socket.csv"
    with suppress(PermissionError):
        os.mknod(files / "device.csv", stat.S_IFCHR | 0o600, os.makedev(1, 5))
        yield "device.csv"


async def test_only_plain_files_are_read_or_replaced(world: World, tried: Tried) -> None:
    """Symbolic and hard links, pipes, sockets, devices and folders are refused at once."""
    names = list(special(world.files, world.around))
    for name in names:
        began = time.monotonic()
        await world.refused("import_contacts", name)
        await world.refused("export_contacts", name)
        assert time.monotonic() - began < 10, name

    tried("bad inputs tried", 2 * len(names))


@contextmanager
def meanwhile(action: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            action()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("swapped", ["the file", "its folder"])
async def test_file_swapped_for_a_link_during_use_is_not_followed(world: World, swapped: str, tried: Tried) -> None:
    """The file or its folder alternates between itself and a link; no read or write follows the link."""
    place = world.files / ("swapped.csv" if swapped == "the file" else "swapped")
    spare, link = world.files / "spare", world.files / "link"
    if swapped == "the file":
        spare.write_text("name\nOla\n")
        link.symlink_to(world.around / "files-of-others" / "secret.csv")
    else:
        spare.mkdir()
        (spare / "secret.csv").write_text("name\nOla\n")
        link.symlink_to(world.around / "files-of-others")
    name = "swapped.csv" if swapped == "the file" else "swapped/secret.csv"

    def swap() -> None:
        for each in (spare, link):
            each.rename(place)
            place.rename(each)

    outcomes = set()
    with meanwhile(swap):
        for number in range(150):
            read = await world.host.raw("import_contacts", path=name)
            assert SECRET not in text_of(read)
            outcomes.add(read.is_error)
            new = name if swapped == "the file" else f"swapped/new{number}.csv"
            written = await world.host.raw("export_contacts", path=new)
            assert SECRET not in text_of(written)

    assert True in outcomes
    tried("bad inputs tried", 300)


async def test_file_that_grows_during_a_read_does_not_block(world: World, tried: Tried) -> None:
    """The read returns what was there, or refuses the file once it is too large."""
    growing = world.files / "growing.csv"
    growing.write_text("name\n")

    def grow() -> None:
        with growing.open("a") as file:
            file.write("Ola Nordmann" * 10_000 + "\n")
        if growing.stat().st_size > 2 * MAX_FILE_BYTES:
            growing.write_text("name\n")

    with meanwhile(grow):
        results = [await world.host.raw("import_contacts", path="growing.csv") for _ in range(3)]

    assert all(not result.is_error or "\n" not in text_of(result) for result in results)
    tried("bad inputs tried", len(results))


def packed(**members: bytes | Iterator[bytes]) -> bytes:
    """An archive; large members are written in pieces."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                for piece in [content] if isinstance(content, bytes) else content:
                    member.write(piece)
    return target.getvalue()


def altered(name: str, content: bytes | Iterator[bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(workbook(People=[("Name", "Phone"), ("Ola", "+4799999999")]))) as proper:
        parts = {each: proper.read(each) for each in proper.namelist()}
    return packed(**{**parts, name: content})


SHEET = b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
OPEN_CELL = b'<row r="1"><c r="A1" t="inlineStr"><is><t>'
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 12))
    + b'<!ENTITY secret SYSTEM "file:///etc/passwd">]>'
)
CELL = OPEN_CELL + b"&a11;&secret;</t></is></c></row></sheetData></worksheet>"
SHEETS, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def zeros(megabytes: int) -> Iterator[bytes]:
    return itertools.repeat(b" " * 1024**2, megabytes)


ROWS = [b'<row><c t="n"><v>1</v></c></row>' * 1_000] * 1_100
TYPES = {"[Content_Types].xml": b"<x/>"}
BOMBS: dict[str, Callable[[], bytes]] = {
    "300 megabytes of spaces": lambda: altered(SHEETS, itertools.chain([SHEET], zeros(300))),
    "300 megabytes in one cell": lambda: altered(SHEETS, itertools.chain([SHEET, OPEN_CELL], zeros(300))),
    "300 megabytes of strings": lambda: altered(STRINGS, itertools.chain([b"<sst><si><t>"], zeros(300))),
    "entities of entities": lambda: altered(SHEETS, LAUGHS + SHEET.partition(b"?>")[2] + CELL),
    "a million rows of a cell": lambda: altered(SHEETS, itertools.chain([SHEET], ROWS, [b"</sheetData>"])),
    "an archive of an archive": lambda: packed(**{SHEETS: workbook(People=[("Name",)]), **TYPES}),
    "names that lead out": lambda: packed(**{"../../evil.csv": b"x", "/etc/evil": b"x", **TYPES}),
    "an archive and no more": lambda: b"PK\x03\x04" + bytes(5_000),
    "a directory of nothing": lambda: b"PK\x05\x06" + b"\xff" * 18,
}


@pytest.mark.parametrize("what", BOMBS)
async def test_workbook_bomb_ends_only_its_own_process(world: World, what: str, tried: Tried) -> None:
    """The error is one line, within bounded time and memory of the server."""
    (world.files / "bomb.xlsx").write_bytes(BOMBS[what]())
    before = peak_memory(os.getpid())

    await endures(world, "bomb.xlsx", before)

    assert sorted(os.listdir(world.files)) == ["bomb.xlsx", "deep", "people.csv"]
    tried("bad inputs tried", 1)


async def endures(world: World, name: str, before: int) -> None:
    """Assert a result or a one-line error, in time, with little additional memory."""
    began = time.monotonic()
    result = await world.host.raw("import_contacts", path=name)
    text = text_of(result)

    assert not text.startswith("internal_error")
    assert len(text) < 20_000
    assert "\n" not in text
    assert "root:" not in text
    assert time.monotonic() - began < LONGEST
    assert peak_memory(os.getpid()) - before < MAX_GROWTH_BYTES
    assert not (await world.host.raw("list_contacts")).is_error


MILLION = 1_000_000
CARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Ola\n{}\nEND:VCARD\n"
LARGE: dict[str, Callable[[], Any]] = {
    "a million columns": lambda: "name," + ",".join(f"c{number}" for number in range(MILLION)) + "\nOla\n",
    "a million columns of one name": lambda: "name," * MILLION + "\n" + "Ola," * MILLION,
    "a million cells in a row": lambda: "name\n" + "x," * MILLION,
    "a cell of sixty megabytes": lambda: "name\n" + "x" * 60 * MILLION,
    "a name of sixty megabytes": lambda: "x" * 60 * MILLION + "\nOla",
    "quotes and no end": lambda: "name\n" + '"' * (10 * MILLION + 1),
    "only delimiters": lambda: ",;\t|" * MILLION,
    "a name and line ends": lambda: "name" + "\r" * 5 * MILLION + "\n\n" * MILLION,
    "a million lines of a card": lambda: CARD.format("\n".join(["TEL:+4799999999"] * 300_000)),
    "a card within a card": lambda: "BEGIN:VCARD\n" * 100_000 + "FN:Ola\n" + "END:VCARD\n" * 100_000,
    "a line of a card that goes on": lambda: CARD.format("NOTE:" + "x\n " * MILLION),
    "a million parameters": lambda: CARD.format("TEL" + ";TYPE=a" * MILLION + ":1"),
    "an encoding of nothing": lambda: CARD.format("NOTE;ENCODING=QUOTED-PRINTABLE:" + "=" * MILLION),
    "deep JSON": lambda: '[{"name":' + "[" * MILLION,
    "deep JSON that ends": lambda: '[{"name":"Ola","x":' + "[" * 100_000 + "]" * 100_000 + "}]",
    "a number of a million digits": lambda: '[{"name":"Ola","phone":' + "9" * MILLION + "}]",
    "a million keys": lambda: '[{"name":"Ola",' + ",".join(f'"k{number}":1' for number in range(MILLION)) + "}]",
    "half of a character": lambda: '[{"name":"\\ud800","phone":"\\udfff"}]',
    "UTF-16 cut off": lambda: "name\nOla".encode("utf-16") + b"\xd8",
    "bytes by chance": lambda: random.Random(1).randbytes(2 * MILLION).replace(b"\0", b"x"),
    "hidden lines": lambda: "name,notes\n" + "\n".join(f'"{text.replace(chr(34), "")}",x' for text in TEXTS),
}


@pytest.mark.parametrize("what", LARGE)
async def test_file_that_exploits_slow_parsing_is_bounded(world: World, what: str, tried: Tried) -> None:
    """The answer is a plan or a one-line error, within bounded time and memory."""
    content = LARGE[what]()
    (world.files / "large").write_bytes(content if isinstance(content, bytes) else content.encode())
    del content

    await endures(world, "large", peak_memory(os.getpid()))

    tried("bad inputs tried", 1)
