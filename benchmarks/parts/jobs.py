"""How long jobs on many contacts take, and how much memory."""

import json
from typing import NamedTuple

from launch import Program, started
from table import Row, at_least, below, reaches, within

from contacts_mcp.tools._job import MAX_CONCURRENT_CALLS

_PATIENCE = 300.0
_DELAY = 20.0
"""Milliseconds that the service without extensions takes for each answer."""
_MOST_MEMORY = 400


class Measured(NamedTuple):
    """Seconds of a job, and the most memory of its process in MB."""

    seconds: float
    peak: float


def measure_jobs(size: int) -> list[Row]:
    """The jobs at this size, against the issue's targets for 100,000 contacts."""
    scale = size / 100_000
    imported, bare = _run("workflow_job", "import", str(size)), _run("bare_import", str(size))
    singly = _run("workflow_job", "singly", str(max(200, size // 50)))
    duplicates, export, group = (_run("workflow_job", job, str(size)) for job in ("duplicates", "export", "group"))
    peak = max(job.peak for job in (imported, duplicates, export, group))
    return [
        reaches(f"import of {size:,} rows, plan and apply", size / imported.seconds, 4_000, "rows/s"),
        reaches("import row by row, without extensions", max(200, size // 50) / singly.seconds, 350, "rows/s"),
        within(f"duplicates among {size:,}", duplicates.seconds, 5 * scale),
        within(f"filter to group, {size // 2:,} contacts, plan and apply", group.seconds, 5 * scale),
        within(f"export of {size:,} to CSV", export.seconds, 10 * scale),
        below("most memory of these (MB)", round(peak), _MOST_MEMORY),
        Row(
            f"import of {size:,} rows against bare SQLite",
            f"{imported.seconds:.3g} s",
            f"{bare.seconds:.3g} s",
            f"{imported.seconds / bare.seconds:.1f}",
            "",
            met=True,
        ),
        _against_a_slow_service(max(200, size // 100)),
    ]


def _against_a_slow_service(size: int) -> Row:
    """What an import reaches of what its bound on requests in flight allows; one page is read for each plan."""
    with started(Program("slow_api", (str(_DELAY),))) as api:
        address = f"http://127.0.0.1:{int(api.read_line())}"
        seconds = _run("workflow_job", "import", str(size), address).seconds
    allowed = MAX_CONCURRENT_CALLS / (_DELAY / 1000)
    what = f"import of {size:,} rows over an API of {_DELAY:.0f} ms, {MAX_CONCURRENT_CALLS} requests in flight"
    return at_least(what, size / seconds, allowed, 0.7, "rows/s")


def _run(module: str, *arguments: str) -> Measured:
    with started(Program(module, arguments)) as child:
        return Measured(**json.loads(child.read_line(_PATIENCE)))
