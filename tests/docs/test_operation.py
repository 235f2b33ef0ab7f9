"""The commands of docs/directory.md from an empty machine to a restored backup run as they are printed."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from doc_parts import DOCS
from support.postgres import PostgresServer
from support.processes import clean_environment, free_port

pytestmark = [pytest.mark.system, pytest.mark.slow]

HEADING = "## From an empty machine to a restored backup"
_STATE = "SELECT count(*), sum(CASE WHEN erased_at IS NULL THEN 0 ELSE 1 END), count(name) FROM contacts"
"""All contacts, those that were erased, and those that have a name."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_backup_is_restored_on_the_other_engine_and_back_without_the_erased_contact(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """Each command exits with 0. The reader replaces the values of the two variables, so the test does, too."""
    install, variables, *commands = _shell_blocks()
    url = postgres.create_database()

    with free_port() as port:
        code, shown = _run("".join(commands), tmp_path, SERVER=url, PORT=str(port))

    assert "pip install" in install
    assert re.findall(r"^export (\w+)=", variables, re.MULTILINE) == ["SERVER", "PORT"]
    assert code == 0, shown
    assert "Created a new directory at postgresql://" in shown
    assert "erased 1 contact and revoked 0 keys again" in shown
    assert (tmp_path / "counts.txt").read_text().endswith("owner: 200 contacts, 0 deleted, 1 erased, 0 groups, 1 key\n")
    assert _state(tmp_path / "contacts.db") == _state(tmp_path / "again.db") == (201, 1, 200)
    assert postgres.sql(_STATE, url) == "201|1|200"
    holding = [each.name for each in tmp_path.iterdir() if each.is_file() and b"Kari Nordmann" in each.read_bytes()]
    assert holding == []


def _shell_blocks() -> list[str]:
    section = (DOCS / "directory.md").read_text().partition(HEADING)[2]
    return re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def _run(script: str, folder: Path, **variables: str) -> tuple[int, str]:
    """Run a script until its first command that fails; return the exit code and all output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-euxo", "pipefail", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=clean_environment(folder, PATH=path, **variables),
        start_new_session=True,
    )
    try:
        shown, _ = process.communicate(timeout=300)
    finally:
        with suppress(ProcessLookupError):  # the service, if a command failed before it was stopped
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, shown


def _state(file: Path) -> tuple[int, int, int]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(_STATE).fetchone()
