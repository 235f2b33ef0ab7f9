"""The chain in a file: whole whoever writes and whatever happens meanwhile, and what was done to it is found."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_lines import SAYS, rewrite
from contacts_mcp.audit import TrailFile, verify
from contacts_mcp.audit._record import End, seal
from contacts_mcp.audit._trail import Unwritable

Fill = Callable[..., Any]
FULL = 2_000
"""Bytes in a file of a test that is to have many."""
WRITER = Path(__file__).with_name("writer.py")


def part(path: Path) -> Path:
    """The first file that was put away."""
    return min(path.parent.glob("audit.*-*.jsonl"), key=lambda each: int(each.name.split(".")[1].split("-")[0]))


async def test_records_follow_each_other_in_a_file_of_ones_own(path: Path, filled: Fill) -> None:
    """Numbered, each with the hash of the one before, in a file that others cannot read."""
    await filled(3)

    first, second, third = map(json.loads, path.read_text().splitlines())
    assert [first["seq"], second["seq"], third["seq"]] == [1, 2, 3]
    assert (first["previous"], second["previous"], third["previous"]) == ("", first["hash"], second["hash"])
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    verdict = verify(path)
    assert (verdict.records, verdict.faults, verdict.last, verdict.hash) == (3, [], 3, third["hash"])


def changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"done"', b'"failed"'), *lines[3:]]


def resealed(lines: list[bytes]) -> list[bytes]:
    """Changed with a hash that fits: it is the next one that does not follow."""
    record = json.loads(lines[2])
    says = {name: value for name, value in record.items() if name not in ("seq", "previous", "hash")}
    forged = seal({**says, "outcome": "failed"}, End(2, record["previous"]))
    return [*lines[:2], json.dumps(forged, separators=(",", ":")).encode() + b"\n", *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "faults"),
    [
        (changed, ["record 3 was changed"]),
        (resealed, ["record 4 does not follow the one before it"]),
        (lambda lines: [*lines[:1], *lines[2:]], ["record 2 is missing"]),
        (lambda lines: [*lines[:1], *lines[4:]], ["records 2 to 4 are missing"]),
        (lambda lines: lines[1:], ["record 1 is missing"]),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], ["record 2 is missing", "record 2 stands where"]),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], ["record 3 stands where record 4 should"]),
        (lambda lines: [*lines[:3], b"\x00\xff\n", *lines[3:]], ["line 4 of audit.jsonl is no record"]),
        (lambda lines: [*lines[:3], b"[1]\n", *lines[3:]], ["line 4 of audit.jsonl is no record"]),
        (
            lambda lines: [lines[0].replace(b'"outcome":', b'"outcome":"begun","outcome":'), *lines[1:]],
            ["record 1 was changed"],
        ),
        (lambda lines: [lines[0].replace(b":", b" :", 1), *lines[1:]], ["record 1 was changed"]),
    ],
    ids=[
        "changed", "resealed", "one out", "many out", "first out", "swapped", "twice", "garbage", "a list", "two keys",
        "spaces",
    ],
)  # fmt: skip
async def test_what_was_done_to_it_is_found(
    path: Path, filled: Fill, tamper: Callable[[list[bytes]], list[bytes]], faults: list[str]
) -> None:
    """Each kind of tampering is a fault that names the record."""
    await filled(6)
    rewrite(path, tamper)

    found = verify(path).faults
    assert len(found) == len(faults)
    assert all(fault.startswith(expected) for fault, expected in zip(found, faults, strict=True)), found


async def test_a_full_file_is_put_away_and_the_chain_goes_on(path: Path, filled: Fill) -> None:
    """By the numbers of its records, and nothing is lost; what is verified is the whole."""
    await filled(40, full=FULL)
    await filled(1, full=FULL)

    assert len(list(path.parent.iterdir())) > 4
    assert part(path).name.startswith("audit.1-")
    assert all(each.stat().st_size < FULL + 400 for each in path.parent.iterdir())
    assert (verify(path).records, verify(path).faults) == (41, [])


@pytest.mark.parametrize(
    ("do", "fault"),
    [
        (lambda path: part(path).unlink(), "records 1 to "),
        (lambda path: part(path).rename(path.with_name("audit.1-4.jsonl")), "audit.1-4.jsonl does not hold"),
        (lambda path: part(path).write_bytes(part(path).read_bytes()[:-5]), "line "),
        (lambda path: path.unlink(), None),
    ],
    ids=["gone", "renamed", "cut", "the last gone"],
)
async def test_what_was_done_to_files_that_were_put_away_is_found(
    path: Path, filled: Fill, do: Callable[[Path], Any], fault: str | None
) -> None:
    """Whole files may not go, but for the last, which nothing on this machine can tell."""
    await filled(40, full=FULL)
    do(path)

    assert [found for found in verify(path).faults if found.startswith(fault or "?")] or fault is None


async def test_older_files_may_be_kept_elsewhere_where_that_is_said(path: Path, filled: Fill) -> None:
    """What has to be there begins with the record that is named."""
    await filled(40, full=FULL)
    last = int(part(path).stem.rpartition("-")[2])
    part(path).unlink()

    assert verify(path, last + 1).faults == []
    assert verify(path, last).faults == [f"record {last} is missing"]


def writing(path: Path, number: int, full: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, WRITER, str(path), str(number), str(full)], stdout=subprocess.PIPE)


@pytest.mark.system
@pytest.mark.parametrize("full", [10_000_000, FULL], ids=["one file", "many files"])
async def test_processes_that_write_at_once_make_one_chain(path: Path, full: int) -> None:
    """Three write a hundred records each while files fill up: none is lost, doubled or out of order."""
    path.parent.mkdir()
    writers = [writing(path, 100, full) for _ in range(3)]
    told = [json.loads(line) for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()]

    verdict = verify(path)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert (verdict.records, verdict.faults) == (300, [])
    assert sorted(told) == list(range(1, 301))


@pytest.mark.parametrize(
    "left", [b'{"seq":', b'{"seq":4,"tool":"delete_contact","hash":"abc"}'], ids=["some", "no end"]
)
async def test_a_line_that_a_crash_cut_short_is_dropped_and_no_other(path: Path, filled: Fill, left: bytes) -> None:
    """The next record takes its number; meanwhile it is no fault, since it may be just being written."""
    await filled(3)
    with path.open("ab") as file:
        file.write(left)
    assert verify(path).faults == []

    await filled(1)

    assert (verify(path).records, verify(path).faults) == (4, [])


async def test_a_crash_before_the_first_whole_line_leaves_a_file_to_begin(path: Path, filled: Fill) -> None:
    """Nothing but half a line is nothing."""
    path.parent.mkdir()
    path.write_bytes(b'{"seq":1')

    await filled(1)

    assert (verify(path).records, verify(path).faults) == (1, [])


async def refused(file: TrailFile) -> str:
    with pytest.raises(Unwritable) as told:
        await file.append(SAYS, durable=True)
    return str(told.value)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder", "device"])
async def test_nothing_is_written_to_what_is_no_regular_file(path: Path, kind: str) -> None:
    """A link could lead anywhere, and nobody reads a pipe."""
    path.parent.mkdir()
    elsewhere = path.with_name("elsewhere")
    elsewhere.touch()
    {
        "symlink": lambda: path.symlink_to(elsewhere),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device": lambda: None,
    }[kind]()

    told = await refused(TrailFile(lambda: Path("/dev/full") if kind == "device" else path))

    assert told.startswith("it is no regular file")
    assert elsewhere.read_bytes() == b""


async def test_a_record_that_did_not_reach_the_disk_is_taken_back(
    path: Path, filled: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused is not there afterwards, and the chain goes on without it."""
    await filled(2)

    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        assert await refused(TrailFile(lambda: path)) == "No space left on device"
    await filled(1)

    assert (verify(path).records, verify(path).faults) == (3, [])


@pytest.mark.system
async def test_half_a_record_on_a_full_disk_is_taken_back(path: Path, filled: Fill) -> None:
    """A limit on the size of files stands for the disk: some bytes fit, the record does not."""
    await filled(3)
    size = path.stat().st_size
    code = (
        "import resource, signal, runpy, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 50}, {size + 50}));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(  # noqa: ASYNC221 - nothing else goes on
        [sys.executable, "-c", code, WRITER, path, "1", "9999999"],
        capture_output=True,
        check=False,
    )

    assert b"File too large" in done.stderr
    assert (path.stat().st_size, verify(path).faults) == (size, [])


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda lines: lines[:2], "what this server wrote last is not in it"),
        (lambda _: [], "what this server wrote last is not in it"),
        (lambda lines: [*lines[:2], changed([*lines])[2].replace(b'"hash":"', b'"hash":"0')], "what this server wrote"),
        (lambda lines: [*lines, b"garbage\n"], "its last line is no record"),
    ],
    ids=["cut", "emptied", "replaced", "garbage"],
)
async def test_a_chain_that_does_not_go_on_from_what_was_written_is_not_gone_on_with(
    path: Path, tamper: Callable[[list[bytes]], list[bytes]], says: str
) -> None:
    """A running server notices that the end was cut off, which `verify` cannot."""
    file = TrailFile(lambda: path)
    for _ in range(3):
        await file.append(SAYS, durable=False)
    rewrite(path, tamper)

    assert says in await refused(file)


async def test_a_name_that_is_taken_is_not_overwritten(path: Path, filled: Fill) -> None:
    """A full file is not put in the place of another one."""
    await filled(12, full=FULL)
    number = len(path.read_text().splitlines())
    first = json.loads(path.read_text().splitlines()[0])["seq"]
    path.with_name(f"audit.{first}-{first + number - 1}.jsonl").write_text("precious")
    path.write_bytes(path.read_bytes())

    told = await refused(TrailFile(lambda: path, full=10))

    assert "is there already" in told
    assert path.with_name(f"audit.{first}-{first + number - 1}.jsonl").read_text() == "precious"


async def test_records_that_wait_at_once_are_written_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in the order in which it came, the disk waited for a few times alone."""
    trail, waits = TrailFile(lambda: path), []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (waits.append(descriptor), sync(descriptor)))

    written = await asyncio.gather(*(trail.append({"tool": f"t{number}"}, durable=True) for number in range(1_000)))

    assert [record["tool"] for record in written] == [f"t{number}" for number in range(1_000)]
    assert (verify(path).records, verify(path).faults) == (1_000, [])
    assert len(waits) < 10


async def test_those_that_wait_together_are_refused_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is there afterwards, and none waits for ever."""
    trail = TrailFile(lambda: path)

    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        attempts = [trail.append({"tool": "t"}, durable=True) for _ in range(20)]
        refused_ = await asyncio.gather(*attempts, return_exceptions=True)
    await trail.append({"tool": "t"}, durable=True)

    assert {str(each) for each in refused_} == {"No space left on device"}
    assert (verify(path).records, verify(path).faults) == (1, [])
