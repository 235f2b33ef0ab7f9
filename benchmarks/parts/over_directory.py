"""The directory with many contacts: how long it takes to fill, how large it gets, and how fast each question is."""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam

from contacts_mcp.directory import Location, parse_location, store
from contacts_mcp.directory.database import OWNER, Database, contacts
from contacts_mcp.directory.maintenance import sample_contacts
from contacts_mcp.directory.store import Query, parse_query
from contacts_mcp.text import fold
from support.postgres import run_postgres

_TOGETHER = 5_000
_TIMES = 200
_SERVER = ("shared_buffers=1GB", "max_wal_size=4GB", "work_mem=16MB", "maintenance_work_mem=512MB")


@dataclass(frozen=True)
class Question:
    """One kind of question, and the milliseconds that half of its answers should be within."""

    name: str
    target: float
    ask: Callable[[Database, random.Random, dict[str, Any]], Awaitable[object]]


def _listing(wanted: Callable[[random.Random, dict[str, Any]], Query], page: int = 1):
    async def ask(database: Database, chance: random.Random, contact: dict[str, Any]) -> object:
        query = wanted(chance, contact)
        run = database.look_up if query.is_lookup else database.query
        return await run(store.list_contacts, OWNER, query, page=page, per_page=50)

    return ask


async def _create(database: Database, _: random.Random, contact: dict[str, Any]) -> object:
    return await database.write(store.create_contact, OWNER, contact)


def _exact(chance: random.Random, contact: dict[str, Any]) -> Query:
    return parse_query(search=chance.choice([contact["email"], contact["phone_number"]]))


def _two_words(chance: random.Random, contact: dict[str, Any]) -> Query:
    words = contact["name"].split()
    return parse_query(search=f"{words[-1]} {words[0]}" if chance.getrandbits(1) else f"{words[0]} {words[-1]}")


def _prefix(chance: random.Random, contact: dict[str, Any]) -> Query:
    return parse_query(search=fold(chance.choice(contact["name"].split()))[:3])


def _fragment(chance: random.Random, contact: dict[str, Any]) -> Query:
    digits = contact["phone_number"][1:]
    start = chance.randrange(2, len(digits) - 4)
    return parse_query(search=digits[start : start + 5])


def _typo(chance: random.Random, contact: dict[str, Any]) -> Query:
    word = max(contact["name"].split(), key=len)
    place = chance.randrange(1, len(word) - 1)
    return parse_query(search=f"{word[:place]}x{word[place + 1 :]}")


def _tag(_: random.Random, contact: dict[str, Any]) -> Query:
    return parse_query(tags=contact["tags"][:1])


QUESTIONS = (
    Question("exact phone or e-mail", 1, _listing(_exact)),
    Question("two words", 5, _listing(_two_words)),
    Question("three-letter prefix", 12, _listing(_prefix)),
    Question("phone fragment", 5, _listing(_fragment)),
    Question("misspelt word", 40, _listing(_typo)),
    Question("page of a tag", 5, _listing(_tag)),
    Question("first page with its total", 10, _listing(lambda *_: parse_query())),
    Question("page 2,000", 15, _listing(lambda *_: parse_query(), page=2_000)),
    Question("create", 3, _create),
)


def main() -> int:
    """Print a table for each engine; 1 where `--check` was given and a target was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--keep", type=Path, help="Where the SQLite file is kept, to be used again.")
    options = parser.parse_args()
    missed = 0
    for engine in options.engine or ["sqlite", "postgresql"]:
        with _place(engine, options.keep) as (place, size):
            missed += asyncio.run(_measure(engine, place, size, options.contacts))
    return int(options.check and missed > 0)


@contextmanager
def _place(engine: str, keep: Path | None) -> Iterator[tuple[Location, Callable[[], int]]]:
    with ExitStack() as stack:
        if engine == "sqlite":
            folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            yield folder / "contacts.db", lambda: sum(file.stat().st_size for file in folder.iterdir())
        else:
            server = stack.enter_context(run_postgres(*_SERVER, safe=True))
            url = server.create_database()
            name = url.partition("?")[0].rpartition("/")[2]
            yield parse_location(url), lambda: int(server.sql(f"SELECT pg_database_size('{name}')"))


async def _measure(engine: str, place: Location, size: Callable[[], int], number: int) -> int:
    took = await _filled(place, number)
    database = Database(place)
    try:
        print(f"\n## {engine}: {number:,} contacts, filled in {took:,.0f} s, {size() / 1e6:,.0f} MB\n")
        print("| | median ms | target | p95 ms | one row by its key, ms | ratio |\n|---|---|---|---|---|---|")
        missed = 0
        some = _some(number)
        for question in QUESTIONS:
            before = await _baseline(database)
            times = await _times(database, question, some)
            alone = statistics.median([*before, *await _baseline(database)])
            median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
            missed += median > question.target
            row = f"{median:.2f} | {question.target:g} | {p95:.2f} | {alone:.2f} | {median / alone:.1f}"
            print(f"| {question.name} | {row} |", flush=True)
        return missed
    finally:
        await database.aclose()


async def _filled(place: Location, number: int) -> float:
    """How long it took to fill what is there up to that many; it is closed then, as by a server that ends."""
    database = Database(place)
    try:
        there = (await database.parse_query(store.list_contacts, OWNER, parse_query(), page=1, per_page=1)).total
        return await _fill(database, number - there)
    finally:
        await database.aclose()


async def _fill(database: Database, number: int) -> float:
    started = time.perf_counter()
    made = sample_contacts(max(number, 0))
    while some := list(islice(made, _TOGETHER)):
        await database.write(store.create_contacts, OWNER, some)
    await database.parse_query(_settle_down)
    return time.perf_counter() - started


def _settle_down(connection: Any) -> None:
    """PostgreSQL would do this by itself within minutes."""
    if connection.dialect.name == "postgresql":
        driver = connection.connection.driver_connection
        connection.exec_driver_sql("COMMIT")
        from sqlalchemy.util import await_only

        await_only(driver.execute("VACUUM ANALYZE"))


async def _baseline(database: Database) -> list[float]:
    """What the least that can be asked takes at that moment, since the speed of a machine comes and goes."""

    def one(connection: Any, seq: int) -> object:
        return connection.execute(_ONE, {"which": seq}).one()

    return await _timed([lambda seq=seq: database.look_up(one, seq) for seq in range(1, _TIMES)])


_ONE = contacts.select().where(contacts.c.seq == bindparam("which"))


def _some(number: int) -> Sequence[dict[str, Any]]:
    """Contacts of all of the directory that have everything a question asks for."""
    whole = (each for each in sample_contacts(number) if each["email"] and each["phone_number"] and each["tags"])
    step = max(1, number // 3 // _TIMES)
    return list(islice(whole, 0, None, step))[:_TIMES]


async def _times(database: Database, question: Question, some: Sequence[dict[str, Any]]) -> list[float]:
    chance = random.Random(question.name)
    for contact in some[:20]:
        await question.ask(database, chance, contact)
    return await _timed([lambda contact=contact: question.ask(database, chance, contact) for contact in some])


async def _timed(asks: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    times = []
    for ask in asks:
        started = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - started) * 1000)
    return times
