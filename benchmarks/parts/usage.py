"""What the kernel says of running processes: who descends from whom, what they hold, what they have used."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_AFTER_NAME = 2
"""Number of the first field after the name, which may hold spaces, in /proc/PID/stat; see proc(5)."""
_UTIME, _STIME = 13, 14


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: `resident` with what is read from files, `own` what it has written itself.

    Files are shared with whoever else reads them, so what is not shared depends on who else runs.
    """

    resident: int
    own: int


def family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        for child in children.read_text("ascii").split():
            yield from family(int(child))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used by now."""
    fields = (_PROC / str(pid) / "stat").read_text("utf-8").rpartition(") ")[2].split()
    ticks = int(fields[_UTIME - _AFTER_NAME]) + int(fields[_STIME - _AFTER_NAME])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> Memory:
    """Memory that a process holds at this moment."""
    lines = (_PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(resident=1024 * kilobytes["Rss"], own=1024 * kilobytes["Private_Dirty"])
