"""All figures of the workflow tools."""

import argparse
import compileall
import os
import platform
from pathlib import Path

from costs import measure_costs
from jobs import measure_jobs
from table import markdown

import contacts_mcp


def main() -> int:
    """Print the tables; with --check, exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="What workflow tools take, and what they save a model.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the contacts, for a first look")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--costs", action="store_true", help="only what a model spends")
    only.add_argument("--jobs", action="store_true", help="only times and memory")
    given = parser.parse_args()
    for folder in (Path(contacts_mcp.__file__).parent, Path(__file__).parent):
        compileall.compile_dir(folder, quiet=1)
    largest = 10_000 if given.quick else 100_000
    load = os.getloadavg()[0]
    rows = [] if given.costs else measure_jobs(largest)
    if rows:
        print(markdown(rows), end="\n\n")
    if not given.jobs:
        print(measure_costs((10, 1_000, largest)))
    print(f"\nOn {os.cpu_count()} cores, Python {platform.python_version()}; load average {load:.1f} before the run.")
    return int(given.check and not all(row.met for row in rows))
