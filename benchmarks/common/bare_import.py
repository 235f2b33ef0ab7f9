"""The baseline of an import: each row is read, checked and written once.

`python -m common.bare_import ROWS [POSTGRES_URL]` reads with `csv`, checks numbers with `phonenumbers` and addresses
with `email-validator`, and writes each value as text in transactions of 500 rows: with `executemany` into SQLite, or
with COPY into PostgreSQL. It keeps no index, trail or result of a row, and answers nobody meanwhile. It prints the
seconds as a line of JSON.
"""

import asyncio
import csv
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import phonenumbers
from common.contact_file import HEADER, write_contact_file
from email_validator import EmailNotValidError, validate_email

_BATCH_SIZE = 500
_REGION = "NO"
_EMAIL, _PHONE = HEADER.index("E-mail 1 - Value"), HEADER.index("Phone 1 - Value")
_COLUMNS = [f"c{number}" for number in range(len(HEADER))]


def main(rows: int, postgres_url: str | None) -> None:
    """Import a file with this many rows, and print the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "people.csv")
        write_contact_file(source, rows)
        started = time.perf_counter()
        if postgres_url:
            asyncio.run(_import_into_postgres(source, postgres_url))
        else:
            _import_into_sqlite(source, Path(folder, "bare.db"))
        print(json.dumps({"seconds": time.perf_counter() - started, "peak_megabytes": 0}), flush=True)


def _import_into_sqlite(source: Path, target: Path) -> None:
    database = sqlite3.connect(target)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(f"CREATE TABLE people (id INTEGER PRIMARY KEY, {', '.join(_COLUMNS)})")
    insert = f"INSERT INTO people ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in HEADER)})"
    for batch in _batches(source):
        with database:
            database.executemany(insert, batch)
    database.close()


async def _import_into_postgres(source: Path, url: str) -> None:
    import asyncpg

    database = await asyncpg.connect(url)
    await database.execute(f"CREATE TABLE bare_people (id bigserial PRIMARY KEY, {' text, '.join(_COLUMNS)} text)")
    for batch in _batches(source):
        await database.copy_records_to_table("bare_people", records=batch, columns=_COLUMNS)
    await database.close()


def _batches(source: Path) -> Iterator[list[list[str]]]:
    with source.open(newline="", encoding="utf-8") as file:
        rows = _check(csv.reader(file))
        while batch := list(islice(rows, _BATCH_SIZE)):
            yield batch


def _check(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield rows below the header with their number in E.164 and without an invalid address."""
    next(rows)
    for row in rows:
        if row[_PHONE]:
            row[_PHONE] = _normalize(row[_PHONE])
        if row[_EMAIL]:
            try:
                validate_email(row[_EMAIL], check_deliverability=False)
            except EmailNotValidError:
                row[_EMAIL] = ""
        yield row


def _normalize(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number, _REGION)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_valid_number(parsed):
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


if __name__ == "__main__":
    main(int(sys.argv[1]), next(iter(sys.argv[2:]), None))
