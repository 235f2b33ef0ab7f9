"""From the spawn to the first tools/list: how long a host waits, and what the process then holds."""

import time
from dataclasses import dataclass
from statistics import median

from host import Era, Host
from launch import BARE, EMBEDDED, Program, platform, started
from table import Row, at_most

_TIME_LIMIT = 1.15
_MEMORY_LIMIT = 1.35
_ERAS: tuple[Era, ...] = ("modern", "legacy")


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds from the spawn to the answer, and bytes resident right after it."""

    seconds: float
    resident: int


def measure_startup(api: str, repetitions: int) -> list[Row]:
    """Compare starts of our server, without a key and with one, with starts of the bare one, turn by turn."""
    programs = {"bare": BARE, "no key": EMBEDDED, "key": platform(api)}
    starts: dict[tuple[str, Era], list[Start]] = {(name, era): [] for era in _ERAS for name in programs}
    for turn in range(repetitions + 1):
        for (name, era), found in starts.items():
            start = _start(programs[name], era)
            if turn:  # the first turn compiles and fills the disk's cache
                found.append(start)
    return [*_times(starts), *_memory(starts)]


def _start(program: Program, era: Era) -> Start:
    with started(program) as child:
        host = Host(child, era)
        host.connect()
        host.list_tools()
        return Start(time.perf_counter() - child.started, child.resident_bytes())


def _times(starts: dict[tuple[str, Era], list[Start]]) -> list[Row]:
    milliseconds = {key: 1000 * median(start.seconds for start in found) for key, found in starts.items()}
    return [
        at_most(
            f"spawn to first tools/list, {era}, {name}",
            milliseconds[name, era],
            milliseconds["bare", era],
            _TIME_LIMIT,
            "ms",
        )
        for name, era in starts
        if name != "bare"
    ]


def _memory(starts: dict[tuple[str, Era], list[Start]]) -> list[Row]:
    megabytes = {key: median(start.resident for start in found) / 1024**2 for key, found in starts.items()}
    return [
        at_most(
            f"resident after tools/list, {name}",
            megabytes[name, "modern"],
            megabytes["bare", "modern"],
            _MEMORY_LIMIT,
            "MB",
        )
        for name in ("no key", "key")
    ]
