"""What SQLite itself takes for the rows of an import: read as CSV, written as text in transactions of 500."""

import csv
import json
import sqlite3
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from people import HEADER, write


def main(size: int) -> None:
    """Seconds, as JSON on a line."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "people.csv"
        write(source, size)
        began = time.perf_counter()
        database = sqlite3.connect(Path(place) / "bare.db")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            database.execute(f"PRAGMA {pragma}")
        columns = ", ".join(f"c{number}" for number in range(len(HEADER)))
        database.execute(f"CREATE TABLE people (id INTEGER PRIMARY KEY, {columns})")
        with source.open(newline="") as file:
            rows = csv.reader(file)
            next(rows)
            while batch := list(islice(rows, 500)):
                with database:
                    marks = ", ".join("?" for _ in HEADER)
                    database.executemany(f"INSERT INTO people ({columns}) VALUES ({marks})", batch)
        database.close()
        print(json.dumps({"seconds": time.perf_counter() - began, "peak": 0}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
