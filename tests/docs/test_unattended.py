"""The unattended jobs of docs/agents.md: the page shows what each prints, and none does what needs a person."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import ListContactGroups, ListContacts
from doc_examples import stable
from doc_parts import ROOT, check_part
from support.processes import clean_environment

pytestmark = pytest.mark.system

JOBS = ROOT / "examples" / "unattended"
EXIT_CODES = {"nightly_import": 3, "clean_up": 3, "prepare_audience": 0}
"""What each job ends with on its made-up data: 3 if it leaves something for a person."""

each_job = pytest.mark.parametrize("name", EXIT_CODES)


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a job in a folder. Its data, its files and its trail stay there."""
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, str(JOBS / f"{name}.py"), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=clean_environment(folder.parent / "home", TZ="UTC"),
        check=False,
    )


async def stored(folder: Path) -> list[dict[str, Any]]:
    """All contacts and groups of a job's directory."""
    async with ContactsClient.for_directory(folder / "contacts.db") as client:
        contacts = [contact async for contact in client.iterate(ListContacts(per_page=100))]
        groups = (await client.send(ListContactGroups())).groups
    return [record.model_dump() for record in sorted([*contacts, *groups], key=lambda record: record.id)]


def trail(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


@each_job
async def test_page_shows_what_a_job_prints_and_a_repeated_run_changes_nothing(tmp_path: Path, name: str) -> None:
    """With the audit trail of the run. A scheduler may start a job again after a crash."""
    folder = tmp_path / "work"
    first = run(name, folder)
    after, done = await stored(folder), [record for record in trail(folder) if record["outcome"] == "done"]
    again = run(name, folder)

    assert (first.returncode, again.returncode) == (EXIT_CODES[name],) * 2, first.stderr + again.stderr
    assert await stored(folder) == after
    assert [record for record in trail(folder) if record["outcome"] == "done"] == done
    check_part("agents.md", name, f"```text\n{stable(first.stdout)}```")


@each_job
async def test_job_asks_nobody_and_destroys_nothing(tmp_path: Path, name: str) -> None:
    """What needs consent is refused, recorded, and reported with its figures; no person is named in the report."""
    folder = tmp_path / "work"
    done = run(name, folder)
    records = trail(folder)
    report = done.stdout.partition("exit code")[0]

    assert {record["consent"] for record in records} <= {"none_needed", "refused"}
    assert not [record for record in records if record["risk"] in ("destroy", "erase") and record["outcome"] == "done"]
    assert report.count("left for a person") == sum(record["outcome"] == "refused" for record in records)
    names = {word for record in await stored(folder) for word in record["name"].split() if len(word) > 3}
    assert not names & set(re.findall(r"\w+", report))


async def test_import_continues_where_an_earlier_run_ended(tmp_path: Path) -> None:
    """A run that imported half of a file, and one of the whole file, end with the same directory as one run."""
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    run("nightly_import", whole)
    file = (whole / "sign-ups.csv").read_text()
    for part in ("".join(file.splitlines(keepends=True)[:2]), file):
        halved.mkdir(exist_ok=True)
        (halved / "sign-ups.csv").write_text(part)
        run("nightly_import", halved)

    assert await people(halved) == await people(whole)


async def people(folder: Path) -> list[tuple[Any, ...]]:
    """What is stored of each contact and group, but for ids and times."""
    names = ("name", "phone_number", "email", "tags", "member_count")
    return sorted(tuple(str(record.get(name)) for name in names) for record in await stored(folder))


async def test_import_above_the_write_budget_is_left_for_a_person(tmp_path: Path) -> None:
    """A file with more rows than a night may change is not imported in part."""
    folder = tmp_path / "work"
    folder.mkdir()
    rows = [f"Ola,Nordmann {number},+47900{number:05d}" for number in range(150)]
    (folder / "sign-ups.csv").write_text("\n".join(["First Name,Last Name,Mobile Phone", *rows]))
    done = run("nightly_import", folder)

    assert done.returncode == 3, done.stderr
    assert "new_contacts 150" in done.stdout
    assert "write_budget: this call makes 301 changes, but only 100 of 100 per hour are left" in done.stdout
    assert {name for name, *_ in await people(folder)} == {"Kari Nordmann", "Per Aas"}


def test_job_that_cannot_work_fails_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    run("nightly_import", folder)
    (folder / "sign-ups.csv").unlink()
    done = run("nightly_import", folder)

    assert done.returncode == 1, done.stderr
    assert re.search(r"^failed: \w+: .*\nexit code 1$", done.stdout, re.MULTILINE)


def test_no_job_can_answer_for_a_person() -> None:
    """Neither a form nor a token is in their source."""
    sources = [path.read_text() for path in JOBS.glob("*.py")]

    assert len(sources) == 1 + len(EXIT_CODES)
    assert not [text for text in sources if re.search("elicitation_callback=|ElicitResult|two-step|token", text)]
