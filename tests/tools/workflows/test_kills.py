"""An import that is killed at random moments and repeated leaves the same directory as an undisturbed one."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from contacts_mcp.app import Embedded, connect
from contacts_mcp.contract import ScanContacts
from support.processes import clean_environment

pytestmark = pytest.mark.system

IMPORTER = Path(__file__).with_name("importer.py")
FIELDS = ["name", "type", "phone_number", "email", "tags", "notes", "company_name"]


def write(folder: Path, count: int) -> None:
    """Write rows of which every fourth has no key and every tenth is repeated."""
    lines = ["name,phone,email,company,notes"]
    for number in range(count):
        phone = "" if number % 4 == 0 else f"9{number:07d}"
        line = f"Person{number} Berg,{phone},{'' if number % 2 else f'p{number}@example.com'},Firm {number % 9},n"
        lines += [line] * (2 if number % 10 == 0 else 1)
        if number % 8 == 0:
            lines[-1] = f"Only Name{number},,,,"
    folder.joinpath("people.csv").write_text("\n".join(lines))


def start(home: Path, database: Path, how: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(IMPORTER), str(database), str(home), "people.csv", how],
        stdout=subprocess.PIPE,
        env=clean_environment(home),
    )


async def content(database: Path) -> Counter[str]:
    """Read the contacts without ids and times."""
    connection = connect(Embedded(database, "test"))
    async with connection.lifespan():
        page = await connection.send(ScanContacts(fields=FIELDS))
        assert page.next is None or len(page.rows) >= 5_000
        rows = list(page.rows)
        while page.next:
            page = await connection.send(ScanContacts(fields=FIELDS, after=page.next))
            rows += page.rows
    return Counter(map(repr, rows))


async def killed_and_repeated(home: Path, count: int, kills: int, how: str, longest: float) -> None:
    write(home, count)
    undisturbed, disturbed = home / "undisturbed.db", home / "disturbed.db"
    assert start(home, undisturbed, "batches").communicate()[0].endswith(b"done\n")
    chance = random.Random(how)
    killed = 0
    for _ in range(kills):
        process = start(home, disturbed, how)
        assert process.stdout
        process.stdout.readline()  # it has planned, and begins to write
        try:
            process.wait(chance.uniform(0, longest))
        except subprocess.TimeoutExpired:
            killed += 1
        process.send_signal(signal.SIGKILL)
        process.communicate()

    assert start(home, disturbed, how).communicate()[0].endswith(b"done\n")

    assert killed, "it was never killed while it wrote"
    assert await content(disturbed) == await content(undisturbed)
    assert not [name for name in os.listdir(home) if name.endswith(".part")]


@pytest.mark.parametrize(("how", "longest"), [("batches", 0.3), pytest.param("singly", 1.5, marks=pytest.mark.load)])
async def test_killed_and_repeated_import_ends_like_an_undisturbed_one(
    tmp_path: Path, how: str, longest: float
) -> None:
    """In batches and one by one, killed at random moments of writing."""
    await killed_and_repeated(tmp_path, 400, 2, how, longest)


@pytest.mark.load
@pytest.mark.parametrize(("how", "longest"), [("batches", 0.8), ("singly", 10.0)])
async def test_large_import_killed_ten_times_ends_like_an_undisturbed_one(
    tmp_path: Path, how: str, longest: float
) -> None:
    """5,000 rows and ten kills."""
    await killed_and_repeated(tmp_path, 4_600, 10, how, longest)
