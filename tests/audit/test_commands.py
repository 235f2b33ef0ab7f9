"""`contacts-mcp audit` and what `doctor` says of the trail."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_lines import SAYS, rewrite
from contacts_mcp.audit import TrailFile
from processes import clean_environment
from waiting import block_until

Command = Callable[..., Any]
Fill = Callable[..., Any]


async def several(path: Path) -> None:
    file = TrailFile(lambda: path)
    for hour, tool, outcome, caller in [
        (10, "create_contact", "done", "local"),
        (11, "delete_contact", "begun", "key:abc"),
        (12, "update_contact", "failed", "local"),
    ]:
        says = {"time": f"2026-11-24T{hour}:00:00.000Z", "tool": tool, "outcome": outcome, "caller": caller}
        await file.append({**says, "consent": "form", "contact_id": "an-id"}, durable=False)


async def test_verify_says_that_a_trail_is_whole(command: Command, path: Path) -> None:
    """How many records from when to when, what has no end, and the last hash; 0."""
    await several(path)
    last = json.loads(path.read_text().splitlines()[-1])["hash"]
    done = command("audit", "verify", "--file", str(path))

    told = "3 records from 2026-11-24T10:00:00.000Z to 2026-11-24T12:00:00.000Z, each following the one before"
    assert done.code == 0
    assert done.out.splitlines() == [
        "1 begun without a recorded end, so they may have been done: 2",
        f"{told}; the last is 3, {last}.",
    ]


async def test_verify_says_what_was_done_to_it(command: Command, path: Path) -> None:
    """One line for each fault, as JSON too; 1."""
    await several(path)
    rewrite(path, lambda lines: [lines[0].replace(b"local", b"other"), lines[2]])
    done, as_json = (command("audit", "verify", "--file", str(path), *more) for more in ([], ["--json"]))

    assert (done.code, as_json.code) == (1, 1)
    assert done.out.splitlines()[:2] == ["record 1 was changed", "record 2 is missing"]
    assert json.loads(as_json.out)["faults"] == ["record 1 was changed", "record 2 is missing"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], [1, 2, 3]),
        (["--tool", "delete_contact"], [2]),
        (["--outcome", "failed"], [3]),
        (["--caller", "local"], [1, 3]),
        (["--since", "2026-11-24T11:00"], [2, 3]),
        (["--since", "2026-11-24T13:00+02:00", "--caller", "local"], [3]),
        (["--since", "2026-11-25"], []),
    ],
    ids=["all", "tool", "outcome", "caller", "since", "since elsewhere", "none"],
)
async def test_show_lists_what_is_asked_for(command: Command, path: Path, options: list[str], shown: list[int]) -> None:
    """The oldest first; with --json as it is in the file."""
    await several(path)
    told, as_json = (command("audit", "show", "--file", str(path), *options, *more) for more in ([], ["--json"]))

    assert [int(line.split()[0]) for line in told.out.splitlines()] == shown
    lines = path.read_text().splitlines(keepends=True)
    assert as_json.out == "".join(lines[number - 1] for number in shown)


async def test_show_cannot_be_made_to_draw(command: Command, path: Path) -> None:
    """Whoever has written into the file does not speak to the terminal; what is no record is said and left out."""
    file = TrailFile(lambda: path)
    await file.append({**SAYS, "tool": "\x1b[2Jdelete\n_contact"}, durable=False)
    with path.open("a") as opened:
        opened.write("garbage\x1b[2J\n")
    done = command("audit", "show", "--file", str(path))

    assert "\x1b" not in done.out + done.err
    assert len(done.out.splitlines()) == 1
    assert done.err == "line 2 of audit.jsonl is no record; `contacts-mcp audit verify` says more\n"


async def test_tail_lists_the_last_through_files(command: Command, path: Path, filled: Fill) -> None:
    """As many as are asked for, whichever file they are in."""
    await filled(40, full=2_000)
    done = command("audit", "tail", "-n", "25", "--file", str(path))

    assert [int(line.split()[0]) for line in done.out.splitlines()] == list(range(16, 41))


@pytest.mark.system
def test_tail_follows_into_the_next_file(path: Path, filled: Fill, tmp_path: Path) -> None:
    """Nothing is missed or shown twice while files are put away."""
    asyncio.run(filled(3, full=600))
    shown = tmp_path / "shown"
    command = [sys.executable, "-m", "contacts_mcp", "audit", "tail", "-n", "2", "-f", "--file", str(path)]
    with shown.open("w") as out, subprocess.Popen(command, stdout=out, env=clean_environment(tmp_path)) as tail:
        block_until(lambda: len(shown.read_text().splitlines()) == 2)
        asyncio.run(filled(20, full=600))
        block_until(lambda: len(shown.read_text().splitlines()) >= 22)
        tail.terminate()

    assert [int(line.split()[0]) for line in shown.read_text().splitlines()] == list(range(2, 24))


@pytest.mark.parametrize("what", [["verify"], ["show"], ["tail"]], ids=lambda what: what[0])
@pytest.mark.parametrize("where", ["missing", "folder", "no folder"])
def test_a_trail_that_cannot_be_read_is_one_line(command: Command, path: Path, what: list[str], where: str) -> None:
    """Which file, and what to do."""
    if where != "no folder":
        path.parent.mkdir()
    if where == "folder":
        path.mkdir()
    done = command("audit", *what, "--file", str(path))

    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert str(path) in done.err


def test_a_time_that_is_none_is_one_line(command: Command, path: Path) -> None:
    """What --since takes."""
    done = command("audit", "show", "--since", "yesterday", "--file", str(path))

    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "--since takes a day or time such as" in done.err


async def test_the_file_is_that_of_the_settings(command: Command, path: Path) -> None:
    """Where none is named, it is the one that a server would write to."""
    await several(path)

    assert command("audit", "verify", CONTACTS_MCP_AUDIT=f"stderr,{path}").out.count("3 records") == 1
    assert "there is no audit trail at" in command("audit", "verify").err


def test_doctor_says_where_the_trail_goes_and_that_it_is_whole(command: Command, path: Path) -> None:
    """The file, how many records, and what else."""
    asyncio.run(several(path))
    done = command("doctor", CONTACTS_MCP_AUDIT=f"{path},stderr")

    assert done.code == 0, done.out
    assert f"✓ trail: {path} and standard error; 3 records, each following the one before" in done.out


@pytest.mark.parametrize("what", ["changed", "unwritable"])
def test_doctor_says_what_is_wrong_with_the_trail(command: Command, path: Path, what: str) -> None:
    """Exit 1, and the next step."""
    asyncio.run(several(path))
    if what == "changed":
        rewrite(path, lambda lines: [lines[0].replace(b"local", b"other"), *lines[1:]])
    else:
        path.rename(path.with_name("kept"))
        path.symlink_to("kept")
    done = command("doctor", "--audit", str(path))

    assert done.code == 1
    says = {"changed": "record 1 was changed", "unwritable": f"it cannot be written: {path}: it is no regular file"}
    assert f"✗ trail: {f'{path}: ' if what == 'changed' else ''}{says[what]}" in done.out
    assert "→" in done.out
