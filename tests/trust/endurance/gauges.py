"""What a process holds, as the system sees it from outside."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Held:
    """What a process holds: memory that is no file's in KiB, open descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> Self:
        process = Path(f"/proc/{pid}")
        sizes = dict(line.split(":") for line in (process / "smaps_rollup").read_text().splitlines()[1:])
        return cls(
            int(sizes["Anonymous"].split()[0]), len(os.listdir(process / "fd")), len(os.listdir(process / "task"))
        )
