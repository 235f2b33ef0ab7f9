"""The trail across files that other programs rotate: the chain continues, and what is missing is reported."""

import gzip
import json
import lzma
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from contacts_mcp.audit import TrailFile, WriteFailed, follow_records, read_latest, read_records, verify
from contacts_mcp.hash_chain import ChainEnd, format_line, link_record
from support.telemetry import FIELDS

LOGROTATE = shutil.which("logrotate", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def rename(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def compress(path: Path) -> Path:
    """Do what logrotate's `compress` does."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


async def append(file: TrailFile, number: int = 2) -> None:
    for _ in range(number):
        await file.append(FIELDS, durable=False)


def refuse_line(line: object) -> None:
    raise AssertionError(line)


NAMES = {
    "numbered": ["audit.jsonl.2", "audit.jsonl.1"],
    "dated": ["audit.jsonl-20261128", "audit.jsonl-20261129"],
    "dated, extension kept": ["audit-2026-11-28.jsonl", "audit-2026-11-29.jsonl"],
    "numbered backwards": ["audit.jsonl.1", "audit.jsonl.2"],
    "a clash": ["audit.jsonl-202611280640.backup", "audit.jsonl.1"],
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
async def test_chain_continues_in_a_new_file_after_a_rename(path, names):
    """Whatever the log rotator calls the old files, and also if it created the new one."""
    file = TrailFile(lambda: path)
    for number, name in enumerate(names):
        await append(file)
        moved = rename(path, name)
        if number:
            path.touch()
    await append(file)

    last, first = json.loads(moved.read_text().splitlines()[-1]), json.loads(path.read_text().splitlines()[0])
    assert (first["seq"], first["previous"]) == (5, last["hash"])
    assert (verify([path]).records, verify([path]).faults) == (6, [])


async def test_server_that_starts_after_a_rotation_continues_the_chain(path, filled):
    await filled(2)
    compress(rename(path, "audit.jsonl.1"))

    await filled(2)

    assert (verify([path]).last, verify([path]).faults) == (4, [])


@pytest.mark.parametrize(("suffix", "compress_bytes"), [(".gz", gzip.compress), (".xz", lzma.compress)])
async def test_compressed_files_belong_to_the_trail(path, suffix, compress_bytes):
    file = TrailFile(lambda: path)
    await append(file)
    moved = rename(path, "audit.jsonl.1")
    moved.with_name(f"{moved.name}{suffix}").write_bytes(compress_bytes(moved.read_bytes()))
    moved.unlink()
    await append(file)

    assert (verify([path]).records, verify([path]).faults) == (4, [])


async def test_commands_read_over_rotated_files(path):
    file = TrailFile(lambda: path)
    for name in ("audit.jsonl.3", "audit.jsonl.2", "audit.jsonl.1"):
        await append(file)
        rename(path, name)
    compress(path.with_name("audit.jsonl.3"))
    await append(file)

    assert [record["seq"] for record in read_records(path, refuse_line)] == list(range(1, 9))
    assert [record["seq"] for record in read_latest(path, refuse_line, 5)] == [4, 5, 6, 7, 8]
    following = follow_records(path, refuse_line, 1, lambda: None)
    assert [next(following)["seq"] for _ in range(7)] == list(range(2, 9))


async def test_missing_file_is_one_fault_that_names_its_neighbours(path):
    file = TrailFile(lambda: path)
    for name in ("audit.jsonl.2", "audit.jsonl.1"):
        await append(file)
        rename(path, name)
    await append(file)
    compress(path.with_name("audit.jsonl.2"))
    path.with_name("audit.jsonl.1").unlink()

    assert verify([path]).faults == [
        "records 3 to 4 are missing: a file between audit.jsonl.2.gz and audit.jsonl is not here"
    ]


async def test_damaged_compressed_file_is_reported(path):
    file = TrailFile(lambda: path)
    await append(file, 40)
    packed = compress(rename(path, "audit.jsonl.1"))
    await append(file)
    packed.write_bytes(packed.read_bytes()[:-200])

    found = verify([path])

    assert any("of audit.jsonl.1.gz is not a record" in fault for fault in found.faults)
    assert found.last == 42


@pytest.mark.parametrize("given", ["folder", "pattern", "files"])
async def test_files_that_were_moved_are_verified_where_they_are(path, given):
    """An archive may give them any names; copies and other files in the folder do no harm."""
    file, archive = TrailFile(lambda: path), path.with_name("archive")
    archive.mkdir(parents=True)
    for name in ("z", "a.old"):
        await append(file)
        shutil.copy(path, archive / name)
        rename(path, f"audit.jsonl.{ord(name[0])}")
    await append(file)
    shutil.copy(path, archive / "current.jsonl")
    if given == "folder":
        shutil.copy(path, archive / "copy.jsonl")
        (archive / "README.txt").write_text("the trail of 2026")
        (archive / "erasures.jsonl").write_bytes(format_line(link_record({"contact_id": "an-id"}, ChainEnd())))

    paths = {
        "folder": [archive],
        "pattern": [archive / "*"],
        "files": [archive / "current.jsonl", archive / "z", archive / "a.old"],
    }[given]
    assert (verify(paths).records, verify(paths).faults) == (6, [])


async def test_copy_of_the_current_file_is_not_read_twice(path, filled):
    await filled(2)
    shutil.copy(path, path.with_name("audit.jsonl.1"))
    await filled(1)

    assert (verify([path]).records, verify([path]).faults) == (3, [])


async def test_another_trail_in_the_folder_is_not_read(path, filled):
    await filled(2)
    await append(TrailFile(lambda: path.with_name("audit.other.jsonl")), 3)
    await append(TrailFile(lambda: path.with_name("audit-other.jsonl")), 3)

    assert (verify([path]).records, verify([path]).faults) == (2, [])


async def test_truncation_without_a_loss_continues_the_chain(path):
    """What logrotate's `copytruncate` does, if no record is written meanwhile."""
    file = TrailFile(lambda: path)
    await append(file)
    shutil.copy(path, path.with_name("audit.jsonl.1"))
    os.truncate(path, 0)
    await append(file)

    assert (verify([path]).records, verify([path]).faults) == (4, [])


async def test_record_lost_between_copy_and_truncation_is_noticed(path):
    """By the server that wrote it, also after another one has continued the chain."""
    file, other = TrailFile(lambda: path), TrailFile(lambda: path)
    await append(file)
    shutil.copy(path, path.with_name("audit.jsonl.1"))
    await append(file, 1)
    os.truncate(path, 0)

    with pytest.raises(WriteFailed, match="not `copytruncate`"):
        await file.append(FIELDS, durable=True)
    for _ in range(3):
        await other.append({**FIELDS, "tool": "create_contact_group"}, durable=False)
    with pytest.raises(WriteFailed, match="not `copytruncate`"):
        await file.append(FIELDS, durable=True)


async def test_files_moved_out_of_the_folder_are_missed_by_a_running_server(path):
    """What logrotate's `olddir` does: a new file could not continue the chain."""
    file = TrailFile(lambda: path)
    await append(file)
    path.rename(path.parent.with_name("elsewhere.jsonl"))

    with pytest.raises(WriteFailed, match="`olddir`"):
        await file.append(FIELDS, durable=True)


async def test_own_and_foreign_rotation_may_alternate(path):
    file = TrailFile(lambda: path, rotate_at=1_000)
    await append(file, 9)
    rename(path, "audit.jsonl.1")
    await append(file, 9)
    compress(min(path.parent.glob("audit.1-*.jsonl")))

    assert (verify([path]).records, verify([path]).faults) == (18, [])


async def test_crash_before_a_rotation_leaves_no_fault(path, filled):
    """The old file ends with half a record, which the next record replaces."""
    await filled(2)
    with path.open("ab") as file:
        file.write(b'{"seq":3,"tool":"delete')
    rename(path, "audit.jsonl.1")

    await filled(1)

    assert (verify([path]).records, verify([path]).faults) == (3, [])


@pytest.fixture
def rotate(tmp_path: Path) -> Callable[..., None]:
    """Run the real logrotate on the trail."""
    if LOGROTATE is None:
        pytest.skip("logrotate is not installed")

    def run(path: Path, *options: str) -> None:
        config = tmp_path / "logrotate.conf"
        config.write_text(f"{path} {{\n{''.join(f'  {option}{os.linesep}' for option in options)}}}\n")
        config.chmod(0o600)
        path.parent.chmod(0o700)
        command = [str(LOGROTATE), "--force", "--state", str(tmp_path / "state"), str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")

    return run


@pytest.mark.system
@pytest.mark.parametrize(
    "options",
    [
        ["create 0600"],
        ["nocreate", "missingok"],
        ["nocreate", "dateext", "dateformat -%Y%m%d-%s", "extension .jsonl", "compress", "delaycompress"],
        ["create 0600", "compress"],
        ["copytruncate"],
    ],
    ids=["create", "nocreate", "dated", "compressed", "copytruncate"],
)
async def test_chain_continues_over_rotations_by_logrotate(path, rotate, options):
    file = TrailFile(lambda: path)
    for _ in range(3):
        await append(file)
        rotate(path, "rotate 9", "su root root" if os.getuid() == 0 else "nomail", *options)
        if "dateext" in options:
            only = [each for each in path.parent.iterdir() if each.suffix == ".jsonl" and each != path]
            for each in only:  # the next date may be in the same second
                rename(each, each.name.replace(".jsonl", f"{len(list(path.parent.iterdir()))}.jsonl"))
    await append(file)

    found = verify([path])
    assert len(list(path.parent.iterdir())) == 4
    assert (found.records, found.faults) == (8, [])
