"""Compare the directory's inverted index with the engines' own full-text search, on the same contacts.

    uv run python benchmarks/full_text_trial.py [--contacts 50000] [--engine sqlite|postgresql]

SQLite's FTS5 and PostgreSQL's GIN index get the words that the directory itself derives from a contact, so that both
must give the same answers. Times on SQLite are processor time, because the engine runs in this process.
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import string
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from contacts_mcp.directory import parse_location, store
from contacts_mcp.directory.database import OWNER, Database
from contacts_mcp.directory.maintenance import sample_contacts
from contacts_mcp.directory.store import parse_query
from contacts_mcp.text import fold

_BATCH_SIZE = 1_000  # that of an import
_SAMPLES = 200
_PAGE_SIZE = 50
_SHORT_WORD = 5
_TENANT = "\u0100"
_PUNCTUATION = string.punctuation.replace("'", "''").replace('"', '""')
_TOKENIZER = f"tokenize=\"ascii tokenchars '{_PUNCTUATION}'\""
_FTS5 = "content='', detail=none, columnsize=0"
_FTS5_PAGE = (
    "SELECT contacts.*, {total} AS total FROM"
    " (SELECT rowid AS found{window} FROM trial WHERE trial MATCH :words ORDER BY rowid DESC LIMIT 50)"
    " JOIN contacts ON seq = found WHERE tenant = 1 ORDER BY seq DESC"
)
_COUNTED_ALONE = "(SELECT count(*) FROM trial WHERE trial MATCH :words)"
# Without the CTE, PostgreSQL reads all contacts in the order of `seq` if it expects many matches.
_VECTOR = "array_to_tsvector(string_to_array(btrim(words), ' '))"
_GIN_PAGE = (
    "WITH found AS MATERIALIZED (SELECT seq FROM contacts"
    f" WHERE tenant = 1 AND deleted_at IS NULL AND {_VECTOR} @@ $1::tsquery)"
    " SELECT *, (SELECT count(*) FROM found) AS total FROM contacts"
    " WHERE tenant = 1 AND seq IN (SELECT seq FROM found ORDER BY seq DESC LIMIT 50) ORDER BY seq DESC"
)
_POSTGRES_SETTINGS = ("shared_buffers=1GB", "max_wal_size=4GB", "work_mem=16MB", "maintenance_work_mem=512MB")

Contact = dict[str, Any]
Answer = tuple[list[int], int]
"""The `seq` of each contact of the first page, and the total."""
Search = Callable[[str], Awaitable[Answer]]


async def main() -> None:
    """Print a table for each engine."""
    parser = argparse.ArgumentParser(description="Compare the directory's index with full-text search.")
    parser.add_argument("--contacts", type=int, default=50_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append", help="default: both")
    options = parser.parse_args()
    engines = options.engine or ["sqlite", "postgresql"]
    if "sqlite" in engines:
        with tempfile.TemporaryDirectory() as folder:
            await _try_sqlite(Path(folder) / "contacts.db", options.contacts)
    if "postgresql" in engines:
        sys.path.append(str(Path(__file__).parents[1] / "tests"))
        from support.postgres import run_postgres

        with run_postgres(*_POSTGRES_SETTINGS, safe=True) as server:
            await _try_postgres(server, options.contacts)


async def _try_sqlite(path: Path, count: int) -> None:
    database = await _fill(Database(path), count)
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous = FULL", "secure_delete = ON", "cache_size = -81920", "wal_autocheckpoint = 16000"):
        connection.execute(f"PRAGMA {pragma}")
    rows = await database.read(_read_rows)
    print(f"\n## SQLite {sqlite3.sqlite_version}: {count:,} contacts\n")
    print("| | processor time per contact, µs | bytes per contact |\n|---|---:|---:|")

    def fill(name: str, table: str, statement: str, derive: Callable[[Sequence[Contact]], Sequence[Any]]) -> None:
        spent = 0.0
        for batch in _batches(rows):
            started = time.process_time()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, derive(batch))
            connection.execute("COMMIT")
            spent += time.process_time() - started
        size = "SELECT sum(pgsize) FROM dbstat WHERE name = ? OR name GLOB ?"
        ((used,),) = connection.execute(size, (table, f"{table}_*"))
        print(f"| {name} | {spent / count * 1e6:.1f} | {used / count:.0f} |", flush=True)

    def postings(batch: Sequence[Contact]) -> list[Any]:
        return sorted(chain.from_iterable(map(store.index_postings, batch)))

    def postings_without_phones(batch: Sequence[Contact]) -> list[Any]:
        return [posting for posting in postings(batch) if posting[1] != "end"]

    into_terms = "INSERT INTO contact_terms VALUES (?, ?, ?, ?, ?)"
    connection.execute("DELETE FROM contact_terms")
    fill("without suffixes of phone numbers", "contact_terms", into_terms, postings_without_phones)
    connection.execute("DELETE FROM contact_terms")
    connection.execute("VACUUM")
    fill("inverted index", "contact_terms", into_terms, postings)
    for name, table, options in (
        ("FTS5, whole words", "trial", f"prefix='2 3 4', {_TOKENIZER}"),
        ("FTS5, trigrams", "trial_trigrams", "tokenize='trigram'"),
    ):
        connection.execute(f"CREATE VIRTUAL TABLE {table} USING fts5(words, {_FTS5}, {options})")
        fill(name, table, f"INSERT INTO {table}(rowid, words) VALUES (?, ?)", _fts5_rows)

    async def search_fts5(text: str) -> Answer:
        several = len(text.split()) > 1  # matches of several words are counted as they are found
        window, total = (", count(*) OVER () AS total", "total") if several else ("", _COUNTED_ALONE)
        page = _FTS5_PAGE.format(window=window, total=total)
        cursor = connection.execute(page, {"words": _fts5_expression(text)})
        names = [column[0] for column in cursor.description]
        return _answer([dict(zip(names, row, strict=True)) for row in cursor])

    await _compare(rows, {"inverted index": _directory_search(database), "FTS5": search_fts5}, time.process_time)
    _count_corrections(connection, rows)
    connection.close()
    await database.aclose()


def _fts5_rows(batch: Sequence[Contact]) -> list[tuple[int, str]]:
    return [(row["seq"], " ".join(_TENANT + word for word in row["words"].split())) for row in batch]


def _fts5_expression(text: str) -> str:
    words = ['"' + (_TENANT + word).replace('"', '""') + '"' for word in fold(text).split()]
    return " AND ".join(words) + " *"


def _count_corrections(connection: sqlite3.Connection, rows: Sequence[Contact]) -> None:
    """Print how many misspelled words share a trigram with the word that was meant, and so could be found by it."""
    rng = random.Random(2)
    words = {fold(max(row["name"].split(), key=len)) for row in _pick(rows)}
    by_length: dict[str, list[bool]] = {}
    for word in sorted(words):
        index = rng.randrange(1, len(word) - 1)
        misspelled = f"{word[:index]}x{word[index + 1 :]}"
        connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS one_word USING fts5(word, tokenize='trigram')")
        connection.execute("DELETE FROM one_word")
        connection.execute("INSERT INTO one_word VALUES (?)", (word,))
        trigrams = [misspelled[start : start + 3] for start in range(len(misspelled) - 2)]
        query = " OR ".join(f'"{trigram}"' for trigram in trigrams)
        found = connection.execute("SELECT 1 FROM one_word WHERE one_word MATCH ?", (query,)).fetchone()
        length = "up to 5 letters" if len(word) <= _SHORT_WORD else "6 letters and more"
        by_length.setdefault(length, []).append(bool(found))
    for length, found_each in sorted(by_length.items()):
        print(f"\nWords of {length} with one wrong letter: {sum(found_each)} of {len(found_each)} share a trigram.")


async def _try_postgres(server: Any, count: int) -> None:
    import asyncpg

    url = server.create_database()
    database = await _fill(Database(parse_location(url)), count)
    name = url.partition("?")[0].rpartition("/")[2]
    connection = await asyncpg.connect(host=str(server.folder), user="contacts", database=name)
    await connection.execute("VACUUM ANALYZE")
    rows = await database.read(_read_rows)
    print(f"\n## PostgreSQL {server.version}: {count:,} contacts\n")
    print("| | time per contact, µs | bytes per contact |\n|---|---:|---:|")

    async def fill(name: str, index: str, statement: str, derive: Callable[[Any], Sequence[Any]]) -> None:
        spent = 0.0
        for batch in _batches(rows):
            values = [list(column) for column in zip(*derive(batch), strict=True)]
            started = time.perf_counter()
            await connection.execute(statement, *values)
            spent += time.perf_counter() - started
        size = await connection.fetchval(f"SELECT pg_relation_size('{index}')")
        print(f"| {name} | {spent / count * 1e6:.1f} | {size / count:.0f} |", flush=True)

    def seqs_and_words(batch: Sequence[Contact]) -> list[tuple[int, str]]:
        return [(row["seq"], row["words"]) for row in batch]

    await connection.execute("CREATE TABLE trial_terms (LIKE contact_terms INCLUDING ALL)")
    arrays = "unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])"
    await fill(
        "inverted index",
        "trial_terms_pkey",
        f"INSERT INTO trial_terms SELECT * FROM {arrays}",
        lambda batch: sorted(chain.from_iterable(map(store.index_postings, batch))),
    )
    for pending in ("on", "off"):
        await connection.execute("DROP TABLE IF EXISTS trial_words")
        await connection.execute("CREATE TABLE trial_words (seq bigint PRIMARY KEY, words text)")
        await connection.execute(
            f"CREATE INDEX trial_gin ON trial_words USING gin ({_VECTOR}) WITH (fastupdate = {pending})"
        )
        into_words = "INSERT INTO trial_words SELECT * FROM unnest($1::bigint[], $2::text[])"
        await fill(f"GIN, fastupdate {pending}, with its rows", "trial_gin", into_words, seqs_and_words)
    await connection.execute(f"CREATE INDEX trial_live ON contacts USING gin ({_VECTOR}) WHERE deleted_at IS NULL")
    await connection.execute("VACUUM ANALYZE")

    async def search_gin(text: str) -> Answer:
        words = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in fold(text).split()]
        return _answer(await connection.fetch(_GIN_PAGE, " & ".join(words) + ":*"))

    await _compare(rows, {"inverted index": _directory_search(database), "GIN": search_gin}, time.perf_counter)
    await connection.close()
    await database.aclose()


async def _fill(database: Database, count: int) -> Database:
    samples = sample_contacts(count)
    while batch := list(islice(samples, _BATCH_SIZE)):
        await database.write(store.create_contacts, OWNER, batch)
    return database


def _read_rows(connection: Any) -> list[Contact]:
    from contacts_mcp.directory.database import contacts

    return [dict(row) for row in connection.execute(contacts.select().order_by(contacts.c.seq)).mappings()]


def _batches(rows: Sequence[Contact]) -> list[Sequence[Contact]]:
    return [rows[start : start + _BATCH_SIZE] for start in range(0, len(rows), _BATCH_SIZE)]


def _directory_search(database: Database) -> Search:
    async def search(text: str) -> Answer:
        query = parse_query(search=text)
        read = database.look_up if query.is_lookup else database.query
        page = await read(store.list_contacts, OWNER, query, page=1, per_page=_PAGE_SIZE)
        exact = page.rows[: page.total - page.similar] if page.similar else page.rows
        return [row["seq"] for row in exact], page.total - page.similar

    return search


def _answer(rows: Sequence[Any]) -> Answer:
    return [row["seq"] for row in rows], rows[0]["total"] if rows else 0


def _pick(rows: Sequence[Contact]) -> Sequence[Contact]:
    complete = [row for row in rows if row["email"] and row["phone_number"]]
    return random.Random(1).sample(complete, min(_SAMPLES, len(complete)))


async def _compare(rows: Sequence[Contact], searches: dict[str, Search], clock: Callable[[], float]) -> None:
    """Print the milliseconds of each search, and whether all gave the same pages and totals."""
    rng = random.Random(3)
    picked = _pick(rows)
    two_words = [row["name"].split() for row in picked]
    queries = {
        "two words": [f"{words[-1]} {words[0]}" for words in two_words],
        "three-letter prefix": [fold(rng.choice(words))[:3] for words in two_words],
        "five-letter prefix": [fold(rng.choice(words))[:5] for words in two_words],
        "e-mail address": [row["email"] for row in picked],
    }
    print(f"\n| median (p95) in ms | {' | '.join(searches)} | same answers |\n|---|{'---:|' * len(searches)}---:|")
    for name, texts in queries.items():
        cells, answers = [], []
        for search in searches.values():
            for text in texts[:20]:
                await search(text)
            times, found = [], []
            for text in texts:
                started = clock()
                found.append(await search(text))
                times.append((clock() - started) * 1000)
            cells.append(f"{statistics.median(times):.2f} ({statistics.quantiles(times, n=20)[-1]:.2f})")
            answers.append(found)
        same = sum(all(each == found[0] for each in found) for found in zip(*answers, strict=True))
        print(f"| {name} | {' | '.join(cells)} | {same} of {len(texts)} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
