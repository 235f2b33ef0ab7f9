"""`contacts-mcp audit who`: the caller of a key or a user, and the owner of a caller's key."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from contacts_mcp.audit import TrailFile
from contacts_mcp.pseudonyms import key_pseudonym, subject_pseudonym
from support.processes import clean_environment, make_keys

ISSUER = "https://login.example.com"
OLA = subject_pseudonym(ISSUER, "ola@example.com")


def write_calls(path: Path, *calls: tuple[str, str, str]) -> None:
    file = TrailFile(lambda: path)

    async def write() -> None:
        for minute, (caller, tool, outcome) in enumerate(calls):
            fields = {"time": f"2026-11-24T10:{minute:02}:00.000Z", "tool": tool, "outcome": outcome, "caller": caller}
            await file.append(fields, durable=False)

    asyncio.run(write())


@pytest.fixture
def who(command, path, tmp_path):
    """Run the command on the trail and an own directory."""
    return lambda text, *more: command(
        "audit", "who", text, "--file", str(path), "--directory", str(tmp_path / "keys.db"), *more
    )


@pytest.fixture
def key(tmp_path, path):
    """A key of the directory, whose user has made calls."""
    (key,) = make_keys(tmp_path / "keys.db", "sales")
    caller = key_pseudonym(key)
    write_calls(
        path,
        (caller, "create_contact", "done"),
        (OLA, "create_contact", "done"),
        (caller, "delete_contact", "begun"),
        (caller, "delete_contact", "done"),
        (caller, "create_contact", "failed"),
    )
    return key


def prefix_of(key: str) -> str:
    return key.split("_")[2]


def test_prefix_of_a_key_finds_its_caller_and_counts_the_calls(who, key):
    done = who(prefix_of(key)[:5])

    first, period, *calls = done.out.splitlines()
    assert done.code == 0
    assert first == f"{key_pseudonym(key)} is the key {prefix_of(key)} (test) of the tenant sales"
    assert period.startswith("  4 records from 2026-11-24 ")
    assert calls == ["  create_contact: 1 done, 1 failed", "  delete_contact: 1 done"]


def test_caller_of_the_trail_names_the_key_of_the_directory(who, key):
    assert f"is the key {prefix_of(key)} (test) of the tenant sales" in who(key_pseudonym(key)).out


@pytest.mark.parametrize("text", ["ola@example.com", f"{ISSUER}#ola@example.com", OLA])
def test_subject_of_a_user_finds_the_caller(who, key, text):
    """Also without a configured issuer: the trail names the issuers."""
    done = who(text, "--json")

    (found,) = json.loads(done.out)
    assert (found["caller"], found["records"], found["calls"]) == (OLA, 1, {"create_contact": {"done": 1}})


def test_key_without_records_is_found(who, key, path):
    path.unlink()
    write_calls(path, ("local", "create_contact", "done"))

    assert who(prefix_of(key)).out.splitlines()[1] == "  no records in this trail"


def test_key_is_read_from_standard_input_and_not_shown(tmp_path, path, key):
    done = subprocess.run(
        [sys.executable, "-m", "contacts_mcp", "audit", "who", "-", "--file", path, "--json"],
        input=f"{key}\n",
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(tmp_path),
    )

    assert json.loads(done.stdout)[0]["caller"] == key_pseudonym(key)
    assert key not in done.stdout + done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["kari@example.com", "zzzzzzzz", "key:00", "wayscloud", ""])
def test_unknown_caller_is_an_error_that_repeats_nothing(who, key, text):
    done = who(text)

    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert not text or text not in done.err.replace("contacts-mcp", "")
