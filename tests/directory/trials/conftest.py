"""Processes that write to the same contacts and groups."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from contacts_mcp.directory import Location
from directory.trials.expected_state import ExpectedState, differences, read_state
from directory.trials.writer import FIELDS
from support.processes import address_of, block_until


@dataclass
class WriterProcesses:
    """The writers of one directory, and their logs."""

    location: Location
    http: httpx.AsyncClient
    folder: Path
    contacts: list[str]
    groups: list[str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._free = product(self.contacts, FIELDS)

    def start(self, name: str, tasks: int, seconds: float) -> None:
        """Start another process, which waits for the signal."""
        plan: dict[str, Any] = {
            "location": address_of(self.location),
            "owns": {f"{name}t{number}": next(self._free) for number in range(tasks)},
            "seconds": seconds,
            "contacts": self.contacts,
            "groups": self.groups,
            "sign": str(self.folder / "go"),
        }
        writer = Path(__file__).with_name("writer.py")
        command = [sys.executable, writer, self._log(name), json.dumps(plan)]
        with (self.folder / "errors").open("ab") as err:
            self.processes[name] = subprocess.Popen(command, stderr=err)

    def begin(self) -> None:
        """Give the signal to begin once all processes are ready."""
        for name in self.processes:
            self.await_events(name, 1)
        (self.folder / "go").touch()

    def await_events(self, name: str, number: int) -> None:
        """Wait until a process has logged this many events."""
        log, process = self._log(name), self.processes[name]
        block_until(
            lambda: (log.exists() and log.read_bytes().count(b"\n") >= number) or process.poll() is not None,
            f"{name} logs nothing",
        )

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(30)

    def wait(self, seconds: float) -> list[int]:
        """Wait for all processes to end; return their exit codes."""
        return [process.wait(seconds) for process in self.processes.values()]

    def error_output(self) -> str:
        """Return what the processes wrote to standard error."""
        return (self.folder / "errors").read_text()

    def read_logs(self) -> ExpectedState:
        """Return what the directory must contain, according to all logs."""
        expected = ExpectedState()
        for name in self.processes:
            expected.apply(self._log(name))
        return expected

    async def find_differences(self) -> list[str]:
        """List acknowledged writes that are lost, partial writes, and faults of the directory."""
        return differences(self.read_logs(), await read_state(self.location, self.http))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@pytest.fixture
async def writers(location, http: httpx.AsyncClient, tmp_path: Path):
    """Start no process yet; kill those that still run at the end."""
    names = [{"name": f"Shared {number}"} for number in range(60)]
    made = (await http.post("/v1/directory/contacts", json={"creates": names})).json()["results"]
    groups = [(await http.post("/v1/contacts/groups", json={"name": f"G{number}"})).json()["id"] for number in range(3)]
    folder = tmp_path / "writers"
    folder.mkdir()
    writers = WriterProcesses(location, http, folder, [each["id"] for each in made], groups)
    yield writers
    for name in writers.processes:
        writers.kill(name)
