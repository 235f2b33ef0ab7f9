"""Measure what workflow tools take in time and memory, and what they save a model in calls and tokens.

    uv run python benchmarks/workflows.py [--quick] [--check] [--costs | --jobs]

Each job runs in its own process, through the real server and an MCP client, on an embedded directory in a new file.
Traffic stays on this machine.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common.processes import Program, start, start_api
from common.report import (
    Row,
    at_least_rate,
    at_least_ratio,
    at_most_ratio,
    below_count,
    below_seconds,
    build_parser,
    compile_modules,
    describe_machine,
    exit_code,
    to_markdown,
)
from common.workflow_costs import measure_costs

from contacts_mcp.tools._job import MAX_CONCURRENT_CALLS

_JOB_TIMEOUT_SECONDS = 300.0
_API_DELAY_MS = 20.0
_MAX_MEGABYTES = 400


class JobResult(NamedTuple):
    """The seconds of a job, and the peak memory of its process."""

    seconds: float
    peak_megabytes: float


def measure_jobs(contacts: int) -> list[Row]:
    """Measure the jobs; the targets in seconds are for 100,000 contacts and are scaled to `contacts`."""
    scale = contacts / 100_000
    few = max(200, contacts // 50)
    imported, bare = _run_job("import", contacts), _run("common.bare_import", str(contacts))
    row_by_row = _run_job("import-without-extensions", few)
    duplicates, export, group = (_run_job(job, contacts) for job in ("duplicates", "export", "group"))
    peak = max(job.peak_megabytes for job in (imported, duplicates, export, group))
    once = "reading, checking and writing each row once"
    return [
        at_most_ratio(
            f"import of {contacts:,} rows, plan and apply, against {once}", imported.seconds, bare.seconds, 2, "s"
        ),
        *_measure_postgres(contacts, once),
        at_least_rate("import row by row, without extensions", few / row_by_row.seconds, 350, "rows/s"),
        below_seconds(f"duplicates among {contacts:,}", duplicates.seconds, 3 * scale),
        below_seconds(f"filter to group, {contacts // 2:,} contacts, plan and apply", group.seconds, 3 * scale),
        below_seconds(f"export of {contacts:,} to CSV", export.seconds, 2 * scale),
        below_count("peak memory of these (MB)", round(peak), _MAX_MEGABYTES),
        _measure_slow_api(max(200, contacts // 100)),
    ]


def _measure_postgres(contacts: int, once: str) -> Iterator[Row]:
    """Measure an import into PostgreSQL; nothing if the machine has none."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from support.postgres import run_postgres

    try:
        with run_postgres(safe=True) as server:
            url = server.create_database()
            imported, bare = _run_job("import", contacts, url), _run("common.bare_import", str(contacts), url)
    except FileNotFoundError:
        return
    what = f"import of {contacts:,} rows into PostgreSQL, against {once} with COPY"
    yield at_most_ratio(what, imported.seconds, bare.seconds, 3, "s")


def _measure_slow_api(rows: int) -> Row:
    """Compare the rate of an import with the maximum that the limit on requests in flight allows."""
    with start_api(delay_ms=_API_DELAY_MS, stores=True) as api_url:
        seconds = _run_job("import", rows, api_url).seconds
    max_rate = MAX_CONCURRENT_CALLS / (_API_DELAY_MS / 1000)
    what = f"import of {rows:,} rows over an API of {_API_DELAY_MS:.0f} ms, {MAX_CONCURRENT_CALLS} requests in flight"
    return at_least_ratio(what, rows / seconds, max_rate, 0.9, "rows/s")


def _run_job(job: str, contacts: int, *url: str) -> JobResult:
    return _run("common.workflow_job", job, str(contacts), *url)


def _run(module: str, *arguments: str) -> JobResult:
    with start(Program(module, arguments)) as child:
        return JobResult(**json.loads(child.read_line(_JOB_TIMEOUT_SECONDS)))


def main() -> int:
    """Print the tables."""
    parser = build_parser("Measure workflow tools.", "a tenth of the contacts, for a first look")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--costs", action="store_true", help="only what a model spends")
    only.add_argument("--jobs", action="store_true", help="only times and memory")
    options = parser.parse_args()
    compile_modules()
    machine = describe_machine()
    contacts = 10_000 if options.quick else 100_000
    rows = [] if options.costs else measure_jobs(contacts)
    if rows:
        print(to_markdown(rows), end="\n\n")
    if not options.jobs:
        print(measure_costs((10, 1_000, contacts)), end="\n\n")
    print(machine)
    return exit_code(rows, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
