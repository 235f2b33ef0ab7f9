"""`contacts-mcp audit`, and what `doctor` reports of the trail."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from contacts_mcp.audit import TrailFile
from support.processes import block_until, clean_environment
from support.telemetry import FIELDS, rewrite


async def write_three_records(path: Path) -> None:
    file = TrailFile(lambda: path)
    for hour, tool, outcome, caller in [
        (10, "create_contact", "done", "local"),
        (11, "delete_contact", "begun", "key:abc"),
        (12, "update_contact", "failed", "local"),
    ]:
        fields = {"time": f"2026-11-24T{hour}:00:00.000Z", "tool": tool, "outcome": outcome, "caller": caller}
        await file.append({**fields, "consent": "form", "contact_id": "an-id"}, durable=False)


async def test_verify_of_a_whole_trail_exits_0(command, path):
    """It prints how many records there are and from when, the calls without an end, and the last hash."""
    await write_three_records(path)
    last = json.loads(path.read_text().splitlines()[-1])["hash"]
    done = command("audit", "verify", "--file", str(path))

    summary = "3 records from 2026-11-24 10:00 UTC to 2026-11-24 12:00 UTC; the chain is unbroken"
    assert done.code == 0
    assert done.out.splitlines() == [
        "1 call began and has no recorded end; check whether it was done: record 2",
        f"{summary}; the last record is 3, hash {last}",
    ]


async def test_verify_of_a_changed_trail_lists_the_faults_and_exits_1(command, path):
    """One line for each fault; JSON on request."""
    await write_three_records(path)
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
async def test_show_lists_the_matching_records(command, path, options, shown):
    """The oldest comes first; --json prints an array with the lines of the file."""
    await write_three_records(path)
    as_text, as_json = (command("audit", "show", "--file", str(path), *options, *more) for more in ([], ["--json"]))

    assert [int(line.split()[0]) for line in as_text.out.splitlines()] == shown
    lines = path.read_text().splitlines()
    array = "[\n" + ",\n".join(lines[number - 1] for number in shown) + "\n]\n"
    assert as_json.out == (array if shown else "[]\n")


async def test_times_are_shown_in_the_zone_of_the_machine_and_stored_in_utc(command, path, zone):
    """--since is read in the same zone as it is shown."""
    zone("Europe/Oslo")
    await write_three_records(path)
    shown = command("audit", "show", "--since", "2026-11-24T12:30", "--file", str(path))
    as_json = json.loads(command("audit", "show", "--since", "2026-11-24T12:30", "--json", "--file", str(path)).out)
    verified = command("audit", "verify", "--file", str(path))

    assert [line.split()[1:4] for line in shown.out.splitlines()] == [["2026-11-24", "13:00:00", "CET"]]
    assert [record["time"] for record in as_json] == ["2026-11-24T12:00:00.000Z"]
    assert "3 records from 2026-11-24 11:00 CET to 2026-11-24 13:00 CET" in verified.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tool", "delete_contac"], '--tool: there is no tool "delete_contac"; did you mean "delete_contact"?'),
        (["--tool", "list_contact"], '--tool: there is no tool "list_contact"; did you mean "list_contacts"?'),
        (["--caller", "key:abd"], '--caller: there is no caller "key:abd"; did you mean "key:abc"?'),
        (["--caller", "zzz"], '--caller: there is no caller "zzz"; there are key:abc, local'),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--json"], ["--since", "2027-01-01"]], ids=["text", "json", "since"])
async def test_unknown_value_of_a_filter_is_an_error_that_names_the_nearest(command, path, options, said, flags):
    await write_three_records(path)

    done = command("audit", "show", *options, *flags, "--file", str(path))

    assert (done.code, done.out) == (2, "")
    assert done.err == f"contacts-mcp: {said}\n"


async def test_show_finds_the_calls_that_name_a_contact(command, path):
    """In any field, also in a list of lists; of many ids only the first two are printed, and the number of others."""
    file = TrailFile(lambda: path)
    ids = [f"id-{number}" for number in range(1_001)]
    for seq, more in enumerate([{"created_ids": ids, "parts": 1}, {"created_ids": ["id-X"], "part_of": 1}, {}]):
        fields = {"time": f"2026-11-24T1{seq}:00:00.000Z", "tool": "import_contacts", "outcome": "done"}
        await file.append({**fields, "caller": "local", "consent": "none_needed", **more}, durable=False)
    await file.append({**fields, "contact_id": "ID-7"}, durable=False)
    await file.append({**fields, "clusters": [["id-A", "id-B"], ["id-C", "id-7"]]}, durable=False)

    found = command("audit", "show", "--id", "Id-7", "--file", str(path))
    as_json = command("audit", "show", "--id", "id-x", "--json", "--file", str(path))
    unknown = command("audit", "show", "--id", "id-Y", "--file", str(path))

    first, single, last = found.out.splitlines()
    assert first.endswith("created_ids=id-0,id-1 and 999 more  parts=1")
    assert single.endswith("contact_id=ID-7")
    assert last.endswith("clusters=id-A,id-B and 2 more")
    assert [(each["seq"], each["part_of"]) for each in json.loads(as_json.out)] == [(2, 1)]
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err == "contacts-mcp: --id: no record names this contact or group; check the id, and other options\n"


async def test_tool_that_was_never_called_has_no_records(command, path):
    await write_three_records(path)

    assert command("audit", "show", "--tool", "merge_contacts", "--file", str(path)).out == ""


async def test_tail_prints_an_array_on_request(command, path):
    await write_three_records(path)

    done = command("audit", "tail", "-n", "2", "--json", "--file", str(path))

    assert [record["seq"] for record in json.loads(done.out)] == [2, 3]


async def test_show_prints_no_control_characters(command, path):
    """Text in the file cannot control the terminal; a line that is not a record is reported and skipped."""
    file = TrailFile(lambda: path)
    await file.append({**FIELDS, "tool": "\x1b[2Jdelete\n_contact"}, durable=False)
    with path.open("a") as opened:
        opened.write("garbage\x1b[2J\n")
    done = command("audit", "show", "--file", str(path))

    assert "\x1b" not in done.out + done.err
    assert len(done.out.splitlines()) == 1
    assert done.err == "line 2 of audit.jsonl is not a record; run `contacts-mcp audit verify`\n"


async def test_tail_lists_the_last_records_of_all_segments(command, path, filled):
    await filled(40, rotate_at=2_000)
    done = command("audit", "tail", "-n", "25", "--file", str(path))

    assert [int(line.split()[0]) for line in done.out.splitlines()] == list(range(16, 41))


@pytest.mark.system
def test_tail_follows_over_rotations(path, filled, tmp_path):
    """No record is missed or shown twice."""
    asyncio.run(filled(3, rotate_at=600))
    shown = tmp_path / "shown"
    command = [sys.executable, "-m", "contacts_mcp", "audit", "tail", "-n", "2", "-f", "--file", str(path)]
    with shown.open("w") as out, subprocess.Popen(command, stdout=out, env=clean_environment(tmp_path)) as tail:
        block_until(lambda: len(shown.read_text().splitlines()) == 2)
        asyncio.run(filled(20, rotate_at=600))
        block_until(lambda: len(shown.read_text().splitlines()) >= 22)
        tail.terminate()

    assert [int(line.split()[0]) for line in shown.read_text().splitlines()] == list(range(2, 24))


@pytest.mark.parametrize("what", [["verify"], ["show"], ["tail"]], ids=lambda what: what[0])
@pytest.mark.parametrize("where", ["missing", "folder", "no folder"])
def test_unreadable_trail_is_a_one_line_error(command, path, what, where):
    """It names the file and the next step."""
    if where != "no folder":
        path.parent.mkdir()
    if where == "folder":
        path.mkdir()
    done = command("audit", *what, "--file", str(path))

    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert str(path) in done.err


def test_invalid_time_is_a_one_line_error(command, path):
    """It says what --since accepts."""
    done = command("audit", "show", "--since", "yesterday", "--file", str(path))

    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "--since accepts a day or time such as" in done.err


async def test_default_file_is_that_of_the_settings(command, path):
    """Without --file, the commands read the file that a server would write."""
    await write_three_records(path)

    assert command("audit", "verify", CONTACTS_MCP_AUDIT=f"stderr,{path}").out.count("3 records") == 1
    assert "there is no audit trail at" in command("audit", "verify").err


def test_doctor_reports_the_trail(command, path):
    """It names the destinations and the number of records."""
    asyncio.run(write_three_records(path))
    done = command("doctor", CONTACTS_MCP_AUDIT=f"{path},stderr")

    assert done.code == 0, done.out
    assert f"✓ trail: {path} and standard error; 3 records, the chain is unbroken" in done.out


@pytest.mark.parametrize("what", ["changed", "unwritable"])
def test_doctor_reports_faults_of_the_trail(command, path, what):
    """It exits with 1 and says what to do."""
    asyncio.run(write_three_records(path))
    if what == "changed":
        rewrite(path, lambda lines: [lines[0].replace(b"local", b"other"), *lines[1:]])
    else:
        path.rename(path.with_name("kept"))
        path.symlink_to("kept")
    done = command("doctor", "--audit", str(path))

    assert done.code == 1
    reason = {"changed": "record 1 was changed", "unwritable": f"it cannot be written: {path}: not a regular file"}
    assert f"✗ trail: {f'{path}: ' if what == 'changed' else ''}{reason[what]}" in done.out
    assert "→" in done.out


async def test_verify_accepts_several_files_a_folder_and_a_pattern(command, path):
    await write_three_records(path)
    path.rename(path.with_name("audit.jsonl.1"))
    await write_three_records(path)
    files = [str(path.with_name("audit.jsonl.1")), str(path)]

    for given in (files, [str(path.parent)], [f"{path.parent}/audit*"], ["--file", str(path)]):
        done = command("audit", "verify", *given)
        assert (done.code, "6 records" in done.out) == (0, True), given


def test_verify_of_files_that_do_not_exist_is_an_error(command, tmp_path):
    done = command("audit", "verify", str(tmp_path / "*.gz"))

    assert done.code == 2
    assert "there is no audit trail at" in done.err
