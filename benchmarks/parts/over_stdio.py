"""All figures of our server over stdio."""

import argparse
import compileall
import os
import platform
from pathlib import Path

from calls import measure_calls, measure_concurrency
from launch import loopback_api
from startup import measure_startup
from table import Row, markdown
from tokens import measure_tokens

import contacts_mcp


def main() -> int:
    """Print the table; with --check, exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Compare our server over stdio with a bare one.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, for a first look")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    given = parser.parse_args()
    for folder in (Path(contacts_mcp.__file__).parent, Path(__file__).parent):
        compileall.compile_dir(folder, quiet=1)
    load = os.getloadavg()[0]
    rows = measure(quick=given.quick)
    print(markdown(rows))
    print(f"\nOn {os.cpu_count()} cores, Python {platform.python_version()}; load average {load:.1f} before the run.")
    return int(given.check and not all(row.met for row in rows))


def measure(*, quick: bool) -> list[Row]:
    """All figures; a quick run has a third of the repetitions."""
    with loopback_api() as api:
        rows = measure_startup(api, repetitions=5 if quick else 15)
        rows += measure_calls(api, blocks=10 if quick else 30, block=20)
    with loopback_api(delay_ms=50) as api:
        rows += measure_concurrency(api, alone=10 if quick else 30, together=160 if quick else 480)
    return rows + measure_tokens()
