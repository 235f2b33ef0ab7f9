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
from directory.trials.ledger import Ledger, differences, events_of, look
from directory.trials.writer import FIELDS
from support.processes import address_of, block_until

WRITER = Path(__file__).with_name("writer.py")


@dataclass
class Crowd:
    """The writers of one directory, and their logs."""

    place: Location
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
            "place": address_of(self.place),
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

    def go(self) -> None:
        """Give the signal to begin once all processes are ready."""
        for name in self.processes:
            self.await_events(name, 1)
        (self.folder / "go").touch()

    def await_events(self, name: str, number: int) -> None:
        """Wait until a process has logged this many events."""
        log, process = self.logs[name], self.processes[name]
        block_until(
            lambda: (log.exists() and log.read_bytes().count(b"\n") >= number) or process.poll() is not None,
            f"{name} notes nothing",
        )

    def kill(self, name: str) -> None:
        """Kill a process."""
        self.processes[name].kill()
        self.processes[name].wait(30)

    def join(self, seconds: float) -> list[int]:
        """Wait for all processes to end; return their exit codes."""
        return [process.wait(seconds) for process in self.processes.values()]

    def written(self) -> str:
        """Return what the processes wrote to standard error."""
        return "".join((self.folder / f"{name}.err").read_text() for name in self.processes)

    def ledger(self) -> Ledger:
        """Return the ledger of all logs."""
        ledger = Ledger()
        for log in self.logs.values():
            if log.exists():
                ledger.enter(events_of(log))
        return ledger


@pytest.fixture
async def crowd(place, http: httpx.AsyncClient, tmp_path: Path):
    """A crowd without writers yet; those that still run at the end are killed."""
    names = [{"name": f"Shared {number}"} for number in range(60)]
    made = (await http.post("/v1/directory/contacts", json={"creates": names})).json()["results"]
    groups = [(await http.post("/v1/contacts/groups", json={"name": f"G{number}"})).json()["id"] for number in range(3)]
    folder = tmp_path / "crowd"
    folder.mkdir()
    crowd = Crowd(place, folder, [each["id"] for each in made], groups)
    yield crowd
    for name, process in crowd.processes.items():
        if process.poll() is None:
            crowd.kill(name)


@pytest.fixture
def lost(crowd, place, http):
    """Return acknowledged writes that are lost, partial writes, and faults of the directory."""

    async def lost():
        return differences(crowd.ledger(), await look(place, http))

    return lost
