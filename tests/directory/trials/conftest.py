"""Processes that write to the same contacts and groups."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from contacts_mcp.directory import Location
from directory.trials.expected_state import ExpectedState, differences, events_of, read_state
from directory.trials.writer import FIELDS
from support.processes import address_of, block_until

WRITER = Path(__file__).with_name("writer.py")


@dataclass
class WriterProcesses:
    """The writers of one directory, and their logs."""

    location: Location
    folder: Path
    contacts: list[str]
    groups: list[str]
    logs: dict[str, Path] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    owned: int = 0

    def start(self, name: str, tasks: int, seconds: float) -> None:
        """Start another process, which waits for the signal."""
        names = [f"{name}t{number}" for number in range(tasks)]
        free = [(each, attribute) for each in self.contacts for attribute in FIELDS]
        owns = dict(zip(names, free[self.owned : self.owned + tasks], strict=True))
        plan: dict[str, Any] = {
            "location": address_of(self.location),
            "tasks": names,
            "owns": owns,
            "seconds": seconds,
            "contacts": self.contacts,
            "groups": self.groups,
            "sign": str(self.folder / "go"),
        }
        self.owned += tasks
        self.logs[name] = self.folder / f"{name}.log"
        command = [sys.executable, str(WRITER), str(self.logs[name]), json.dumps(plan)]
        with (self.folder / f"{name}.err").open("wb") as err:
            self.processes[name] = subprocess.Popen(command, stderr=err)

    def begin(self) -> None:
        """Give the signal to begin once all processes are ready."""
        for name in self.processes:
            self.await_events(name, 1)
        (self.folder / "go").touch()

    def await_events(self, name: str, number: int) -> None:
        """Wait until a process has logged this many events."""
        log, process = self.logs[name], self.processes[name]
        block_until(
            lambda: (log.exists() and log.read_bytes().count(b"\n") >= number) or process.poll() is not None,
            f"{name} logs nothing",
        )

    def kill(self, name: str) -> None:
        """Kill a process."""
        self.processes[name].kill()
        self.processes[name].wait(30)

    def wait(self, seconds: float) -> list[int]:
        """Wait for all processes to end; return their exit codes."""
        return [process.wait(seconds) for process in self.processes.values()]

    def error_output(self) -> str:
        """Return what the processes wrote to standard error."""
        return "".join((self.folder / f"{name}.err").read_text() for name in self.processes)

    def read_logs(self) -> ExpectedState:
        """Return what the directory must contain, according to all logs."""
        expected = ExpectedState()
        for log in self.logs.values():
            if log.exists():
                expected.apply(events_of(log))
        return expected


@pytest.fixture
async def writers(location, http: httpx.AsyncClient, tmp_path: Path):
    """Start no process yet; kill those that still run at the end."""
    names = [{"name": f"Shared {number}"} for number in range(60)]
    made = (await http.post("/v1/directory/contacts", json={"creates": names})).json()["results"]
    groups = [(await http.post("/v1/contacts/groups", json={"name": f"G{number}"})).json()["id"] for number in range(3)]
    folder = tmp_path / "writers"
    folder.mkdir()
    writers = WriterProcesses(location, folder, [each["id"] for each in made], groups)
    yield writers
    for name, process in writers.processes.items():
        if process.poll() is None:
            writers.kill(name)


@pytest.fixture
def find_differences(writers, location, http):
    """List acknowledged writes that are lost, partial writes, and faults of the directory."""

    async def find_differences():
        return differences(writers.read_logs(), await read_state(location, http))

    return find_differences
