"""Used answers are refused by all servers that share a nonce store; confirmations over two servers."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from contacts_mcp.directory import Directory
from contacts_mcp.guard import MemoryNonceStore, RedisStore
from network.servers import STATE_KEYS
from support.hosts import Person, deleted, host
from support.processes import free_port, needs_redis, run_redis

pytestmark = pytest.mark.system

NONCES = [f"{number:032x}" for number in range(50)]
SOON = 600.0
CLOCK_SKEW = 60.0
PASSWORD = "s3cr3tthatmustnevershow"
CANNOT_BE_TOLD = ": cannot check whether the answer was used before; nothing was changed; try again later"
SPENDER = Path(__file__).with_name("spender.py")


@pytest.fixture
def redis_port():
    with free_port() as port, run_redis(port):
        yield port


async def count_accepted(*stores):
    """Count how often each nonce was accepted when each store got it twice, all at once."""
    tries = [(nonce, store) for nonce in NONCES for store in stores * 2]
    first = await asyncio.gather(*(store.spend(nonce, time.time() + SOON) for nonce, store in tries))
    return Counter(nonce for (nonce, _), once in zip(tries, first, strict=True) if once)


async def test_process_accepts_each_nonce_once():
    store = MemoryNonceStore()

    assert await count_accepted(store, store) == Counter(NONCES)


def test_processes_with_one_directory_accept_each_nonce_once(tmp_path):
    path = tmp_path / "contacts.db"
    spenders = [
        subprocess.Popen(
            [sys.executable, str(SPENDER), str(path), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(2)
    ]  # fmt: skip
    try:
        assert [spender.stdout.readline() for spender in spenders] == ["ready\n"] * 2
        for spender in spenders:
            spender.stdin.write(json.dumps(NONCES) + "\n")
            spender.stdin.flush()
        said = [json.loads(spender.communicate(timeout=60)[0]) for spender in spenders]
    finally:
        for spender in spenders:
            spender.kill()
            spender.communicate()

    assert Counter(said[0] + said[1]) == Counter(NONCES)


@needs_redis
async def test_servers_with_one_redis_accept_each_nonce_once(redis_port):
    """More calls than connections at a time; none is refused for that."""
    stores = [RedisStore(f"redis://127.0.0.1:{redis_port}/0") for _ in range(2)]
    try:
        assert await count_accepted(*stores) == Counter(NONCES)
    finally:
        for store in stores:
            await store.aclose()


async def test_directory_forgets_expired_nonces(tmp_path):
    """The next spend deletes them, unless another replica's clock could still take them for valid."""
    async with Directory(tmp_path / "contacts.db") as directory:
        assert await directory.spend("old", time.time() - CLOCK_SKEW - 1)
        assert await directory.spend("just expired", time.time() - 1)
        assert await directory.spend("alive", time.time() + SOON)

        assert await directory.spend("old", time.time() + SOON)
        assert not await directory.spend("just expired", time.time() + SOON)
        assert not await directory.spend("alive", time.time() + SOON)


@needs_redis
async def test_redis_forgets_expired_nonces(redis_port):
    """Redis keeps a nonce a little longer than it is valid, independent of its own clock."""
    address = f"redis://127.0.0.1:{redis_port}/0"
    store, looking = RedisStore(address), Redis.from_url(address)
    try:
        assert await store.spend("a", time.time() + SOON)
        assert await store.spend("b", time.time() - 1)

        kept = {key.decode(): await looking.pttl(key) for key in await looking.keys()}
        assert not await store.spend("b", time.time() - 1)
    finally:
        await store.aclose()
        await looking.aclose()

    prefix = "contacts-mcp:spent:"
    assert set(kept) == {prefix + "a", prefix + "b"}
    assert SOON * 1000 < kept[prefix + "a"] <= (SOON + 60) * 1000
    assert 0 < kept[prefix + "b"] <= 60_000


@needs_redis
async def test_cancelled_call_does_not_release_its_nonce(redis_port):
    """The late reply is not taken for the reply to the next command."""
    store = RedisStore(f"redis://127.0.0.1:{redis_port}/0")
    try:
        await count_accepted(store)
        for given_up in range(200):
            spending = asyncio.create_task(store.spend(f"given up {given_up}", time.time() + SOON))
            for _ in range(given_up % 12):
                await asyncio.sleep(0)
            spending.cancel()

        again = [await store.spend(nonce, time.time() + SOON) for nonce in NONCES]
        fresh = [await store.spend(f"fresh {nonce}", time.time() + SOON) for nonce in NONCES]
    finally:
        await store.aclose()

    assert not any(again)
    assert all(fresh)


@asynccontextmanager
async def gone(port):
    with run_redis(port):
        pass
    yield


@asynccontextmanager
async def stuck(port):
    with run_redis(port) as server:
        server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            server.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def locked(port):
    with run_redis(port, "--requirepass", "another"):
        yield


@needs_redis
@pytest.mark.parametrize("trouble", [gone, stuck, locked])
async def test_unavailable_redis_refuses_the_call(tmp_path, caplog, trouble):
    """If the nonce cannot be checked, nothing is changed and no secret is shown."""
    caplog.set_level(logging.DEBUG)
    with free_port() as port:
        address = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        async with (
            trouble(port),
            host(
                tmp_path / "contacts.db",
                person=Person({"decision": "delete"}),
                state_keys=[STATE_KEYS],
                redis_url=address,
            ) as directory,
        ):
            ola = {"contact_id": (await directory.call("create_contact", name="Ola Nordmann"))["id"]}

            line = await directory.error("delete_contact", **ola)

            assert (await directory.call("get_contact", **ola))["name"] == "Ola Nordmann"

    assert line.endswith(CANNOT_BE_TOLD)
    assert PASSWORD not in caplog.text
    assert str(port) not in caplog.text


@needs_redis
async def test_redis_stopped_before_the_answer_refuses_the_call(tmp_path):
    with free_port() as port, run_redis(port) as server:

        async def stop_redis():
            server.end(signal.SIGKILL)

        person = Person({"decision": "delete"})
        settings = {"state_keys": [STATE_KEYS], "redis_url": f"redis://127.0.0.1:{port}/0"}
        async with host(tmp_path / "contacts.db", person=person, **settings) as directory:
            kari = {"contact_id": (await directory.call("create_contact", name="Kari Nordmann"))["id"]}
            assert await directory.call("delete_contact", **kari) == deleted(kari["contact_id"], "Kari Nordmann")
            ola = {"contact_id": (await directory.call("create_contact", name="Ola Nordmann"))["id"]}
            person.meanwhile = stop_redis

            line = await directory.error("delete_contact", **ola)

            assert line.endswith(CANNOT_BE_TOLD)
            assert (await directory.call("get_contact", **ola))["name"] == "Ola Nordmann"


@pytest.mark.parametrize(
    "address",
    [
        f"http://:{PASSWORD}@127.0.0.1:6379/0",
        f"redis://:{PASSWORD}@127.0.0.1:port/0",
        f"redis://:{PASSWORD}@127.0.0.1:6379/0?socket_timeout=soon",
        f"redis://:{PASSWORD}@127.0.0.1:6379/0?no_such_option=1",
        PASSWORD,
    ],
)
def test_invalid_redis_address_stops_the_start(command, address):
    """The error says what is expected and does not repeat the value."""
    finished = start(command, address)

    assert finished.code == 2
    assert finished.err == "contacts-mcp: CONTACTS_MCP_REDIS_URL must be a URL such as redis://host:6379/0\n"


def test_redis_address_without_the_extra_stops_the_start(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "redis.asyncio", raising=False)

    finished = start(command, f"redis://:{PASSWORD}@127.0.0.1:6379/0")

    assert finished.code == 2
    assert finished.err == "contacts-mcp: CONTACTS_MCP_REDIS_URL needs the extra `redis` of wayscloud-contacts-mcp\n"


def start(command, address):
    serve = "serve --transport http --port 0".split()
    return command(*serve, CONTACTS_MCP_STATE_KEYS=STATE_KEYS, CONTACTS_MCP_REDIS_URL=address)
