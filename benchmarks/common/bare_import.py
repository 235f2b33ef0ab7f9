"""The baseline of an import: `python -m common.bare_import ROWS` reads them as CSV and inserts them into SQLite.

It writes each value as text, in transactions of 500 rows, and prints the seconds as a line of JSON.
"""

import csv
import json
import sqlite3
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from common.contact_file import HEADER, write_contact_file

_BATCH_SIZE = 500


def main(rows: int) -> None:
    """Import a file with this many rows, and print the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "people.csv")
        write_contact_file(source, rows)
        started = time.perf_counter()
        _insert(source, Path(folder, "bare.db"))
        print(json.dumps({"seconds": time.perf_counter() - started, "peak_megabytes": 0}), flush=True)


def _insert(source: Path, target: Path) -> None:
    database = sqlite3.connect(target)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        database.execute(f"PRAGMA {pragma}")
    columns = ", ".join(f"c{number}" for number in range(len(HEADER)))
    marks = ", ".join("?" for _ in HEADER)
    database.execute(f"CREATE TABLE people (id INTEGER PRIMARY KEY, {columns})")
    with source.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        while batch := list(islice(rows, _BATCH_SIZE)):
            with database:
                database.executemany(f"INSERT INTO people ({columns}) VALUES ({marks})", batch)
    database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
