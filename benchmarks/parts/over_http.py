"""All figures of our server over HTTP."""

import argparse
import compileall
import os
import platform
import signal
import sys
from pathlib import Path

from crew import measure_workers
from launch import loopback_api
from memory import measure_memory
from rates import measure_rates
from table import Row, markdown

import contacts_mcp


def main() -> int:
    """Print the table; with --check, exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Compare our server over HTTP with a bare one.")
    parser.add_argument("--quick", action="store_true", help="shorter, for a first look")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # and not without the servers
    for folder in (Path(contacts_mcp.__file__).parent, Path(__file__).parent):
        compileall.compile_dir(folder, quiet=1)
    load = os.getloadavg()[0]
    rows = measure(quick=given.quick)
    print(markdown(rows))
    print(f"\nOn {os.cpu_count()} cores, Python {platform.python_version()}; load average {load:.1f} before the run.")
    return int(given.check and not all(row.met for row in rows))


def measure(*, quick: bool) -> list[Row]:
    """All figures; a quick run takes half a minute, a full one four."""
    with loopback_api() as api:
        rows = measure_rates(api, rounds=3 if quick else 40, seconds=0.15)
        rows += measure_memory(first=50 if quick else 500, last=200 if quick else 5_000)
        return rows + measure_workers(api, rounds=2 if quick else 16, seconds=0.5 if quick else 1.0)
