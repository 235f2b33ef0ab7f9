"""Where a task runs: its directory, its folder of files and its audit trail."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.task import Task
from evals.world import Seeder


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one run of a task."""

    folder: Path

    @property
    def directory(self) -> Path:
        """The directory's SQLite file."""
        return self.folder / "contacts.db"

    @property
    def files(self) -> Path:
        """The folder with the task's files, which the server may read and write."""
        return self.folder / "files"

    @property
    def audit(self) -> Path:
        """The audit trail."""
        return self.folder / "audit.jsonl"


async def prepare(task: Task, place: Place, seeder: Seeder) -> dict[str, str]:
    """Make the directory and the files of a task, and return the id of each key of its world."""
    place.files.mkdir(parents=True)
    for name, content in task.files.items():
        (place.files / name).write_bytes(content)
    return await seeder.make(task.world, place.directory)


def read_files(place: Place) -> dict[str, bytes]:
    """Return the content of the files in the server's folder, by name."""
    return {path.name: path.read_bytes() for path in place.files.iterdir() if path.is_file()}


def read_trail(place: Place) -> list[dict[str, Any]]:
    """Return the records of the audit trail, none if nothing was recorded."""
    return [json.loads(line) for line in place.audit.read_text("utf-8").splitlines()] if place.audit.exists() else []
