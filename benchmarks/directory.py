"""Measure the embedded directory with many contacts: filling it, its size, and each kind of query, without HTTP.

    uv run python benchmarks/directory.py [--contacts 1000000] [--engine sqlite|postgresql] [--check]

A new directory is filled with made-up contacts. PostgreSQL runs on this machine with its default durability.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.util import await_only

from contacts_mcp.directory import Location, parse_location, store
from contacts_mcp.directory.database import OWNER, Database, contacts
from contacts_mcp.directory.maintenance import sample_contacts
from contacts_mcp.directory.store import Query, parse_query
from contacts_mcp.text import fold

_BATCH_SIZE = 5_000
_REPETITIONS = 200
_WARM_UP_OPERATIONS = 20
_POSTGRES_SETTINGS = ("shared_buffers=1GB", "max_wal_size=4GB", "work_mem=16MB", "maintenance_work_mem=512MB")
_ROW_BY_KEY = contacts.select().where(contacts.c.tenant == OWNER, contacts.c.seq == bindparam("which"))

ContactFields = dict[str, Any]
BuildQuery = Callable[[random.Random, ContactFields], Query]


@dataclass(frozen=True)
class Operation:
    """One kind of operation, and the milliseconds that its median must not exceed."""

    name: str
    target_ms: float
    run: Callable[[Database, random.Random, ContactFields], Awaitable[object]]


def _listing(build_query: BuildQuery, page: int = 1) -> Callable[..., Awaitable[object]]:
    async def run(database: Database, rng: random.Random, contact: ContactFields) -> object:
        query = build_query(rng, contact)
        read = database.look_up if query.is_lookup else database.query
        return await read(store.list_contacts, OWNER, query, page=page, per_page=50)

    return run


async def _create(database: Database, _rng: random.Random, contact: ContactFields) -> object:
    return await database.write(store.create_contact, OWNER, contact)


def _exact_value(rng: random.Random, contact: ContactFields) -> Query:
    return parse_query(search=rng.choice([contact["email"], contact["phone_number"]]))


def _two_words(rng: random.Random, contact: ContactFields) -> Query:
    words = contact["name"].split()
    return parse_query(search=f"{words[-1]} {words[0]}" if rng.getrandbits(1) else f"{words[0]} {words[-1]}")


def _prefix(rng: random.Random, contact: ContactFields) -> Query:
    return parse_query(search=fold(rng.choice(contact["name"].split()))[:3])


def _phone_fragment(rng: random.Random, contact: ContactFields) -> Query:
    digits = contact["phone_number"][1:]
    start = rng.randrange(2, len(digits) - 4)
    return parse_query(search=digits[start : start + 5])


def _misspelt_word(rng: random.Random, contact: ContactFields) -> Query:
    word = max(contact["name"].split(), key=len)
    index = rng.randrange(1, len(word) - 1)
    return parse_query(search=f"{word[:index]}x{word[index + 1 :]}")


def _tag(_rng: random.Random, contact: ContactFields) -> Query:
    return parse_query(tags=contact["tags"][:1])


OPERATIONS = (
    Operation("exact phone or e-mail", 1, _listing(_exact_value)),
    Operation("two words", 5, _listing(_two_words)),
    Operation("three-letter prefix", 12, _listing(_prefix)),
    Operation("phone fragment", 5, _listing(_phone_fragment)),
    Operation("misspelt word", 40, _listing(_misspelt_word)),
    Operation("page of a tag", 5, _listing(_tag)),
    Operation("first page with its total", 10, _listing(lambda *_: parse_query())),
    Operation("page 2,000", 15, _listing(lambda *_: parse_query(), page=2_000)),
    Operation("create", 3, _create),
)


def main() -> int:
    """Print a table for each engine."""
    parser = argparse.ArgumentParser(description="Measure the embedded directory with many contacts.")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append", help="default: both")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--keep", type=Path, help="folder that keeps the SQLite file for the next run")
    options = parser.parse_args()
    missed = 0
    for engine in options.engine or ["sqlite", "postgresql"]:
        with _open_location(engine, options.keep) as (location, read_size):
            missed += asyncio.run(_measure(engine, location, read_size, options.contacts))
    return int(options.check and missed > 0)


@contextmanager
def _open_location(engine: str, keep: Path | None) -> Iterator[tuple[Location, Callable[[], int]]]:
    """Yield a location for a directory, and a function that returns its size in bytes."""
    with ExitStack() as stack:
        if engine == "sqlite":
            folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            yield folder / "contacts.db", lambda: sum(file.stat().st_size for file in folder.iterdir())
        else:
            sys.path.append(str(Path(__file__).parents[1] / "tests"))
            from support.postgres import run_postgres

            server = stack.enter_context(run_postgres(*_POSTGRES_SETTINGS, safe=True))
            url = server.create_database()
            name = url.partition("?")[0].rpartition("/")[2]
            yield parse_location(url), lambda: int(server.sql(f"SELECT pg_database_size('{name}')"))


async def _measure(engine: str, location: Location, read_size: Callable[[], int], count: int) -> int:
    """Print the table of one engine, and return how many operations missed their target."""
    seconds = await _fill_location(location, count)
    database = Database(location)
    try:
        print(f"\n## {engine}: {count:,} contacts, filled in {seconds:,.0f} s, {read_size() / 1e6:,.0f} MB\n")
        print("| | median ms | target | p95 ms | one row by its key, ms | ratio |\n|---|---|---|---|---|---|")
        samples = _pick_samples(count)
        return sum([await _measure_operation(database, operation, samples) for operation in OPERATIONS])
    finally:
        await database.aclose()


async def _measure_operation(database: Database, operation: Operation, samples: Sequence[ContactFields]) -> bool:
    """Print the row of one operation, and return whether it missed its target."""
    baseline_before = await _time_baseline(database)
    times = await _time_operation(database, operation, samples)
    baseline = statistics.median([*baseline_before, *await _time_baseline(database)])
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    row = f"{median:.2f} | {operation.target_ms:g} | {p95:.2f} | {baseline:.2f} | {median / baseline:.1f}"
    print(f"| {operation.name} | {row} |", flush=True)
    return median > operation.target_ms


async def _fill_location(location: Location, count: int) -> float:
    """Fill the directory up to `count` contacts and close it, as a server does that exits. Return the seconds."""
    database = Database(location)
    try:
        page = await database.query(store.list_contacts, OWNER, parse_query(), page=1, per_page=1)
        return await _fill(database, count - page.total)
    finally:
        await database.aclose()


async def _fill(database: Database, count: int) -> float:
    started = time.perf_counter()
    samples = sample_contacts(max(count, 0))
    while batch := list(islice(samples, _BATCH_SIZE)):
        await database.write(store.create_contacts, OWNER, batch)
    await database.query(_vacuum)
    return time.perf_counter() - started


def _vacuum(connection: Any) -> None:
    """Do what PostgreSQL would do by itself within minutes."""
    if connection.dialect.name == "postgresql":
        driver = connection.connection.driver_connection
        connection.exec_driver_sql("COMMIT")
        await_only(driver.execute("VACUUM ANALYZE"))


async def _time_baseline(database: Database) -> list[float]:
    """Time the cheapest possible query before and after each operation, since the speed of the machine varies."""

    def read_row(connection: Any, seq: int) -> object:
        return connection.execute(_ROW_BY_KEY, {"which": seq}).one()

    return await _time_each([lambda seq=seq: database.look_up(read_row, seq) for seq in range(1, _REPETITIONS)])


def _pick_samples(count: int) -> Sequence[ContactFields]:
    """Pick contacts from the whole directory that have an e-mail address, a phone number and a tag."""
    complete = (each for each in sample_contacts(count) if each["email"] and each["phone_number"] and each["tags"])
    step = max(1, count // 3 // _REPETITIONS)
    return list(islice(complete, 0, None, step))[:_REPETITIONS]


async def _time_operation(database: Database, operation: Operation, samples: Sequence[ContactFields]) -> list[float]:
    rng = random.Random(operation.name)
    for contact in samples[:_WARM_UP_OPERATIONS]:
        await operation.run(database, rng, contact)
    return await _time_each([lambda contact=contact: operation.run(database, rng, contact) for contact in samples])


async def _time_each(calls: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    """Return the milliseconds of each call."""
    times = []
    for call in calls:
        started = time.perf_counter()
        await call()
        times.append((time.perf_counter() - started) * 1000)
    return times


if __name__ == "__main__":
    sys.exit(main())
