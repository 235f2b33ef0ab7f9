"""An import that is killed at random moments and repeated leaves the same directory as an undisturbed one."""

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
        rows = list(page.rows)
        while page.next:
            page = await connection.send(ScanContacts(fields=FIELDS, after=page.next))
            rows += page.rows
    return Counter(map(repr, rows))


@pytest.mark.parametrize(
    ("count", "kills", "how", "longest"),
    [
        (400, 2, "batches", 0.3),
        pytest.param(400, 2, "singly", 1.5, marks=pytest.mark.load),
        pytest.param(4_600, 4, "batches", 0.8, marks=pytest.mark.load),
        pytest.param(1_500, 4, "singly", 3.0, marks=pytest.mark.load),
        pytest.param(4_600, 10, "batches", 0.8, marks=[pytest.mark.load, pytest.mark.endurance]),
        pytest.param(1_500, 10, "singly", 3.0, marks=[pytest.mark.load, pytest.mark.endurance]),
    ],
)
async def test_killed_and_repeated_import_ends_like_an_undisturbed_one(tmp_path, count, kills, how, longest):
    """In batches and one by one, killed at random moments of writing; 4,600 contacts are 5,000 rows."""
    write(tmp_path, count)
    undisturbed, disturbed = tmp_path / "undisturbed.db", tmp_path / "disturbed.db"
    assert start(tmp_path, undisturbed, "batches").communicate()[0].endswith(b"done\n")
    chance = random.Random(how)
    killed = 0
    for _ in range(kills):
        process = start(tmp_path, disturbed, how)
        assert process.stdout
        process.stdout.readline()  # it has planned, and begins to write
        try:
            process.wait(chance.uniform(0, longest))
        except subprocess.TimeoutExpired:
            killed += 1
        process.send_signal(signal.SIGKILL)
        process.communicate()

    assert start(tmp_path, disturbed, how).communicate()[0].endswith(b"done\n")

    assert killed, "it was never killed while it wrote"
    assert await content(disturbed) == await content(undisturbed)
    assert not list(tmp_path.glob("*.part"))
