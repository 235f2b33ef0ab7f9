"""Opening a directory: one attempt for all callers that wait, which ends with the last of them."""

import asyncio
import time
from contextlib import aclosing, suppress

import pytest

from contacts_mcp.directory import DirectoryUnavailable
from contacts_mcp.directory.database import Database, _sqlite
from support.processes import wait_until


class Gate:
    """Replaces the preparation of a file by one that waits; counts attempts."""

    def __init__(self, error=None):
        self.attempts, self.ended, self.opened = 0, 0, asyncio.Event()
        self._error = error
        self._prepare = _sqlite.SqliteEngine.prepare

    async def __call__(self, engine):
        self.attempts += 1
        try:
            await self.opened.wait()
            if self._error:
                raise self._error
            return await self._prepare(engine)
        finally:
            self.ended += 1


@pytest.fixture
def gate(monkeypatch):
    def gate(error=None):
        gate = Gate(error)
        monkeypatch.setattr(_sqlite.SqliteEngine, "prepare", lambda engine, **_: gate(engine))
        return gate

    return gate


def count(_connection):
    return 1


async def test_callers_that_wait_share_one_attempt_and_its_failure(path, gate):
    waiting = gate(DirectoryUnavailable("The file is locked."))
    async with aclosing(Database(path)) as database:
        calls = [asyncio.create_task(database.write(count)) for _ in range(5)]
        await wait_until(lambda: waiting.attempts)
        waiting.opened.set()
        ended = await asyncio.gather(*calls, return_exceptions=True)

    assert waiting.attempts == 1
    assert [(str(each), each.nothing_changed, each.is_lasting) for each in ended] == [
        ("The file is locked.", True, True)
    ] * 5
    assert len({id(each) for each in ended}) == 5


async def test_next_caller_after_a_failure_tries_again(path, gate):
    waiting = gate(DirectoryUnavailable("The file is locked."))
    waiting.opened.set()
    async with aclosing(Database(path)) as database:
        for _ in range(2):
            with pytest.raises(DirectoryUnavailable):
                await database.read(count)

    assert waiting.attempts == 2


async def test_attempt_ends_with_the_last_caller_that_waits(path, gate):
    waiting = gate()
    async with aclosing(Database(path)) as database:
        calls = [asyncio.create_task(database.read(count)) for _ in range(2)]
        await wait_until(lambda: waiting.attempts)
        calls[0].cancel()
        with suppress(asyncio.CancelledError):
            await calls[0]
        assert waiting.ended == 0
        calls[1].cancel()
        await wait_until(lambda: waiting.ended)
        waiting.opened.set()

        assert await database.read(count) == 1
    assert waiting.attempts == 2


async def test_closing_waits_for_the_attempt_and_its_callers(path, gate):
    waiting = gate()
    database = Database(path)
    call = asyncio.create_task(database.read(count))
    await wait_until(lambda: waiting.attempts)
    closing = asyncio.create_task(database.aclose())
    await asyncio.sleep(0)
    waiting.opened.set()
    await closing

    outcome = (await asyncio.gather(call, return_exceptions=True))[0]
    assert outcome == 1 or "closed" in str(outcome)
    with pytest.raises(DirectoryUnavailable, match="closed"):
        await database.read(count)


async def test_many_callers_of_a_locked_directory_wait_no_longer_than_one(path, monkeypatch):
    """Opening takes the time-out of the lock once, not once for each caller."""
    seconds = 0.2

    def prepare(*_):
        time.sleep(seconds)
        raise DirectoryUnavailable("The file is in use.")

    monkeypatch.setattr(_sqlite, "prepare_file", prepare)
    async with aclosing(Database(path)) as database:
        started = time.monotonic()
        await asyncio.gather(*(database.write(count) for _ in range(10)), return_exceptions=True)

    assert time.monotonic() - started < 5 * seconds
