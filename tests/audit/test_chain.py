"""The audit file: concurrent writers, crashes and full disks keep the chain whole; `verify` finds all tampering."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from contacts_mcp.audit import TrailFile, WriteFailed, verify
from contacts_mcp.hash_chain import ChainEnd, link_record
from support.telemetry import FIELDS, rewrite

ROTATE_AT_BYTES = 2_000
WRITER = Path(__file__).with_name("writer.py")


def first_segment(path: Path) -> Path:
    """The first file that was rotated."""
    return min(path.parent.glob("audit.*-*.jsonl"), key=lambda each: int(each.name.split(".")[1].split("-")[0]))


async def test_records_form_a_chain_in_a_private_file(path, filled):
    """Each record has a number and the hash of the previous one; other users cannot read the file."""
    await filled(3)

    first, second, third = map(json.loads, path.read_text().splitlines())
    assert [first["seq"], second["seq"], third["seq"]] == [1, 2, 3]
    assert (first["previous"], second["previous"], third["previous"]) == ("", first["hash"], second["hash"])
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    verdict = verify([path])
    assert (verdict.records, verdict.faults, verdict.last, verdict.hash) == (3, [], 3, third["hash"])


def changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"done"', b'"failed"'), *lines[3:]]


def resealed(lines: list[bytes]) -> list[bytes]:
    """Change a record and give it a hash that fits: the next record does not follow it any more."""
    record = json.loads(lines[2])
    fields = {name: value for name, value in record.items() if name not in ("seq", "previous", "hash")}
    forged = link_record({**fields, "outcome": "failed"}, ChainEnd(2, record["previous"]))
    return [*lines[:2], json.dumps(forged, separators=(",", ":")).encode() + b"\n", *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "faults"),
    [
        (changed, ["record 3 was changed"]),
        (resealed, ["record 4 does not follow the previous record"]),
        (lambda lines: [*lines[:1], *lines[2:]], ["record 2 is missing"]),
        (lambda lines: [*lines[:1], *lines[4:]], ["records 2 to 4 are missing"]),
        (lambda lines: lines[1:], ["record 1 is missing"]),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], ["record 2 is missing", "record 2 appears where"]),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], ["record 3 appears where record 4 was expected"]),
        (lambda lines: [*lines[:3], b"\x00\xff\n", *lines[3:]], ["line 4 of audit.jsonl is not a record"]),
        (lambda lines: [*lines[:3], b"[1]\n", *lines[3:]], ["line 4 of audit.jsonl is not a record"]),
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
async def test_verify_finds_tampering(path, filled, tamper, faults):
    """Each kind of tampering is reported with the number of the record."""
    await filled(6)
    rewrite(path, tamper)

    found = verify([path]).faults
    assert len(found) == len(faults)
    assert all(fault.startswith(expected) for fault, expected in zip(found, faults, strict=True)), found


async def test_full_file_is_rotated_and_the_chain_continues(path, filled):
    """Segments are named by their records' numbers; `verify` reads all of them."""
    await filled(40, rotate_at=ROTATE_AT_BYTES)
    await filled(1, rotate_at=ROTATE_AT_BYTES)

    assert len(list(path.parent.iterdir())) > 4
    assert first_segment(path).name.startswith("audit.1-")
    assert all(each.stat().st_size < ROTATE_AT_BYTES + 400 for each in path.parent.iterdir())
    assert (verify([path]).records, verify([path]).faults) == (41, [])


@pytest.mark.parametrize(
    ("do", "fault"),
    [
        (lambda path: first_segment(path).unlink(), "records 1 to "),
        (
            lambda path: first_segment(path).rename(path.with_name("audit.1-4.jsonl")),
            "audit.1-4.jsonl does not contain",
        ),
        (lambda path: first_segment(path).write_bytes(first_segment(path).read_bytes()[:-5]), "line "),
        (lambda path: path.unlink(), None),
    ],
    ids=["gone", "renamed", "cut", "current file gone"],
)
async def test_verify_finds_tampering_with_segments(path, filled, do, fault):
    """A missing segment is found; only a missing current file cannot be noticed on this machine."""
    await filled(40, rotate_at=ROTATE_AT_BYTES)
    do(path)

    assert [found for found in verify([path]).faults if found.startswith(fault or "?")] or fault is None


async def test_verify_from_a_later_record_allows_missing_segments(path, filled):
    """Records before the given number may be kept elsewhere."""
    await filled(40, rotate_at=ROTATE_AT_BYTES)
    last = int(first_segment(path).stem.rpartition("-")[2])
    first_segment(path).unlink()

    assert verify([path], last + 1).faults == []
    (fault,) = verify([path], last).faults
    assert fault.startswith(f"record {last} is missing: no file before audit.{last + 1}-")


@pytest.mark.system
@pytest.mark.parametrize("rotate_at", [10_000_000, ROTATE_AT_BYTES], ids=["one file", "many files"])
async def test_concurrent_processes_write_one_chain(path, rotate_at):
    """Three processes append 100 records each, over rotations: none is lost, duplicated or out of order."""
    path.parent.mkdir()
    command = [sys.executable, WRITER, path, "100", str(rotate_at)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]  # noqa: ASYNC220 - nothing else goes on
    printed = [json.loads(line) for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()]

    verdict = verify([path])
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert (verdict.records, verdict.faults) == (300, [])
    assert sorted(printed) == list(range(1, 301))


@pytest.mark.parametrize(
    "left", [b"{", b'{"seq":', b'{"seq":4,"tool":"delete_contact","hash":"abc'], ids=["least", "some", "most"]
)
async def test_line_cut_short_by_a_crash_is_dropped(path, filled, left):
    """The next record gets its number. Until then it is no fault, since a process may be writing it."""
    await filled(3)
    with path.open("ab") as file:
        file.write(left)
    assert verify([path]).faults == []

    await filled(1)

    assert (verify([path]).records, verify([path]).faults) == (4, [])


async def test_last_record_without_its_line_feed_is_kept(path, filled):
    """A crash, or an editor, left out the line feed."""
    await filled(3)
    path.write_bytes(path.read_bytes()[:-1])

    await filled(1)

    assert (verify([path]).records, verify([path]).faults) == (4, [])


FOREIGN = {
    "text without a line feed": lambda own: b"my only copy",
    "text": lambda own: b"first line\nsecond line\n",
    "text whose last line has no line feed": lambda own: b"first line\nlast line",
    "JSON lines": lambda own: b'{"id": 1}\n{"id": 2}\n',
    "JSON lines without the last line feed": lambda own: b'{"id": 1}\n{"id": 2}',
    "one JSON object": lambda own: b'{"seq": 1, "hash": "x"}',
    "a brace": lambda own: b"{",
    "records of another program": lambda own: b'{"seq":1,"hash":"x"}\n',
    "records of another program, cut": lambda own: b'{"seq":1,"hash":"x"}\n{"seq":2,"ha',
    "own records, then text": lambda own: own + b"a note of mine",
    "own records, then a line": lambda own: own + b"a note of mine\n",
    "own records, then an empty line": lambda own: own + b"\n",
    "own records, then another number": lambda own: own + b'{"seq":7,"ti',
    "own records, then an object": lambda own: own + b'{"seq":3,"time":"x","hash":"x"}',
    "own records, changed": lambda own: own.replace(b'"count":1', b'"count":9'),
    "own records with other line ends": lambda own: own.replace(b"\n", b"\r\n"),
    "binary": lambda own: bytes(range(256)) * 300,
    "a long line": lambda own: b"x" * 70_000,
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
async def test_file_that_does_not_end_with_our_records_is_never_changed(path, filled, change):
    await filled(2)
    path.write_bytes(change(path.read_bytes()))
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode

    reasons = [await refused(TrailFile(lambda: path)), await refused(TrailFile(lambda: path, rotate_at=1))]
    with pytest.raises(WriteFailed):
        await TrailFile(lambda: path).probe()

    assert "contacts-mcp audit verify" in reasons[0]
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) == before
    assert [each.name for each in path.parent.iterdir()] == ["audit.jsonl"]


@pytest.mark.parametrize("left", [b"", b'{"seq":3,"time', b"x"])
async def test_probe_writes_nothing(path, filled, left):
    await filled(2)
    path.write_bytes(path.read_bytes() + left)
    before = path.read_bytes(), path.stat().st_mtime_ns

    with suppress(WriteFailed):
        await TrailFile(lambda: path).probe()

    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


async def test_probe_creates_neither_file_nor_folder(path):
    await TrailFile(lambda: path).probe()

    assert not path.parent.exists()


async def test_file_with_only_a_partial_line_starts_a_new_chain(path, filled):
    path.parent.mkdir()
    path.write_bytes(b'{"seq":1')

    await filled(1)

    assert (verify([path]).records, verify([path]).faults) == (1, [])


async def refused(file: TrailFile) -> str:
    with pytest.raises(WriteFailed) as failed:
        await file.append(FIELDS, durable=True)
    return str(failed.value)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder", "device"])
async def test_record_is_refused_if_the_path_is_not_a_regular_file(path, kind):
    """A link could point anywhere, and a pipe has no reader."""
    path.parent.mkdir()
    elsewhere = path.with_name("elsewhere")
    elsewhere.touch()
    {
        "symlink": lambda: path.symlink_to(elsewhere),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device": lambda: None,
    }[kind]()

    reason = await refused(TrailFile(lambda: Path("/dev/full") if kind == "device" else path))

    assert reason.startswith("not a regular file")
    assert elsewhere.read_bytes() == b""


async def test_record_that_cannot_be_synced_is_removed(path, filled):
    """The refused record is not in the file, and the chain continues without it."""
    await filled(2)

    with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
        assert await refused(TrailFile(lambda: path)) == "No space left on device"
    await filled(1)

    assert (verify([path]).records, verify([path]).faults) == (3, [])


@pytest.mark.system
async def test_partial_record_on_a_full_disk_is_removed(path, filled):
    """A file size limit simulates the full disk: some bytes fit, the record does not."""
    await filled(3)
    size = path.stat().st_size
    code = (
        "import resource, signal, runpy, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 50}, {size + 50}));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(  # noqa: ASYNC221 - nothing else goes on
        [sys.executable, "-c", code, WRITER, path, "1", "9999999"], capture_output=True, check=False
    )

    assert b"File too large" in done.stderr
    assert (path.stat().st_size, verify([path]).faults) == (size, [])


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (lambda lines: lines[:2], "the last record that this server wrote is missing"),
        (lambda _: [], "the last record that this server wrote is missing"),
        (
            lambda lines: [*lines[:2], changed([*lines])[2].replace(b'"hash":"', b'"hash":"0')],
            "its last line is not a record",
        ),
        (lambda lines: [*lines, b"garbage\n"], "its last line is not a record"),
    ],
    ids=["cut", "emptied", "replaced", "garbage"],
)
async def test_record_is_refused_if_the_chain_lost_its_own_records(path, tamper, reason):
    """A running server notices that the end was cut off; `verify` cannot."""
    file = TrailFile(lambda: path)
    for _ in range(3):
        await file.append(FIELDS, durable=False)
    rewrite(path, tamper)

    assert reason in await refused(file)


async def test_rotation_does_not_overwrite_an_existing_file(path, filled):
    await filled(12, rotate_at=ROTATE_AT_BYTES)
    number = len(path.read_text().splitlines())
    first = json.loads(path.read_text().splitlines()[0])["seq"]
    path.with_name(f"audit.{first}-{first + number - 1}.jsonl").write_text("precious")
    path.write_bytes(path.read_bytes())

    reason = await refused(TrailFile(lambda: path, rotate_at=10))

    assert "already exists" in reason
    assert path.with_name(f"audit.{first}-{first + number - 1}.jsonl").read_text() == "precious"


async def test_concurrent_records_are_written_in_batches(path, monkeypatch):
    """They keep their order, and 1,000 records need fewer than 10 syncs."""
    trail, waits = TrailFile(lambda: path), []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (waits.append(descriptor), sync(descriptor)))

    written = await asyncio.gather(*(trail.append({"tool": f"t{number}"}, durable=True) for number in range(1_000)))

    assert [record["tool"] for record in written] == [f"t{number}" for number in range(1_000)]
    assert (verify([path]).records, verify([path]).faults) == (1_000, [])
    assert len(waits) < 10


async def test_failed_batch_is_refused_as_a_whole(path):
    """No record of it is in the file, and no call hangs."""
    trail = TrailFile(lambda: path)

    with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
        attempts = [trail.append({"tool": "t"}, durable=True) for _ in range(20)]
        refused_ = await asyncio.gather(*attempts, return_exceptions=True)
    await trail.append({"tool": "t"}, durable=True)

    assert {str(each) for each in refused_} == {"No space left on device"}
    assert (verify([path]).records, verify([path]).faults) == (1, [])
