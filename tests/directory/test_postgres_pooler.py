"""A directory behind a real PgBouncer, whose few sessions are shared between transactions."""

import asyncio
import itertools
from collections import Counter
from contextlib import aclosing, asynccontextmanager

import asyncpg
import pytest

from contacts_mcp.directory import parse_location, with_replica
from contacts_mcp.directory.database import Database, _postgres_pooler, build_engine
from contacts_mcp.directory.maintenance import check
from endpoint_cases import CASES, CONTACTS, EXTENSIONS, GROUPS
from support.pgbouncer import find_version, run_pgbouncer
from support.processes import wait_until

pytestmark = pytest.mark.system

VERSION = find_version()
KEEPS_STATEMENTS = (1, 21)
"""The first version that can prepare the statements of its clients."""
SESSION_SETTINGS = ("jit", "plan_cache_mode", "enable_seqscan")


def run(postgres, **settings):
    if VERSION is None:
        pytest.skip("no PgBouncer on this machine: install pgbouncer")
    return run_pgbouncer(postgres, **settings)


@pytest.fixture(scope="module", params=[0, 200], ids=["no_statements", "statements"])
def pooler(request, postgres):
    """In transaction mode with two sessions; `statements` if it prepares statements of its clients itself."""
    settings = {"max_prepared_statements": request.param} if VERSION and VERSION >= KEEPS_STATEMENTS else {}
    if request.param and not settings:
        pytest.skip(f"PgBouncer {VERSION} does not prepare statements: install 1.21 or later")
    with run(postgres, default_pool_size=2, **settings) as running:
        yield running


@pytest.fixture
def location(pooler, database):
    return pooler.location(database)


@asynccontextmanager
async def transaction(location):
    """A transaction of another program, which takes a session of the pool."""
    other = await asyncpg.connect(location.url, statement_cache_size=0)
    try:
        await other.execute("BEGIN")
        yield
    finally:
        await other.close()


async def refusal(open_directory, location):
    async with open_directory(location) as http:
        answer = await http.get("/v1/contacts")
    assert (answer.status_code, answer.headers["X-Nothing-Changed"]) == (503, "true"), answer.text
    return answer.json()["detail"]


async def find_faults(location):
    async with aclosing(Database(location)) as database:
        return await database.read(check)


async def create(http, path, body):
    answer = await http.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_every_endpoint_works_through_a_pooler(http):
    for case in (*CASES, *EXTENSIONS):
        ids = {name: await create(http, "/v1/contacts", {"name": f"{name} Hansen"}) for name in CONTACTS}
        ids |= {name: await create(http, "/v1/contacts/groups", {"name": name}) for name in GROUPS}
        members = f"/v1/contacts/groups/{ids['customers']}/members"
        assert (await http.post(members, json={"contact_ids": [ids["ola"]]})).is_success
        method, target, body = case.sent(ids)

        answer = await http.request(method, target, json=body)

        assert answer.is_success, f"{case}: {answer.text}"


async def test_answers_through_a_pooler_are_those_of_a_direct_connection(database, location, open_directory):
    creates = [
        {"name": f"{first} Hansen", "phone_number": f"+479999{number:04}", "tags": ["vip"]}
        for number, first in enumerate(["Ola", "Kari", "Bjørn", "Åse"] * 50)
    ]
    searches = ("hansen", "bjorn", "ola hansen", "9999", "99990199", "hanssen", "nobody")
    targets = [f"/v1/contacts?search={each}" for each in searches]
    targets += ["/v1/contacts?tags=vip&page=2", "/v1/contacts?type=person", "/v1/contacts/groups"]
    targets += ["/v1/directory/contacts?fields=id&fields=phone_number", "/v1/directory/contacts?fields=id&search=kari"]
    async with open_directory(location) as pooled, open_directory(database) as direct:
        assert (await pooled.post("/v1/directory/contacts", json={"creates": creates})).is_success

        for target in targets:
            answers = [await http.get(target) for http in (pooled, direct)]
            assert answers[0].is_success, target
            assert answers[0].text == answers[1].text


async def test_erased_contact_leaves_no_row_behind_a_pooler(http, sql):
    erased = await create(http, "/v1/contacts", {"name": "Zacharias Ytterbø", "email": "zacharias@example.com"})

    assert (await http.post(f"/v1/contacts/{erased}/gdpr-delete", json={"reason": "asked"})).is_success

    assert sql("SELECT count(*) FROM contact_terms") == "0"
    assert sql("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'contact_terms'") == "0"


async def test_two_directories_of_32_callers_share_two_sessions(location, open_directory):
    """Both use the same statements, in sessions that change with each transaction."""
    async with open_directory(location) as here, open_directory(location) as there:

        async def call(number):
            http, other = (here, there) if number % 2 else (there, here)
            for turn in range(4):
                name = f"caller{number}turn{turn}"
                made = (await http.post("/v1/contacts", json={"name": name})).json()
                changed = await other.patch(f"/v1/contacts/{made['id']}", json={"company_name": f"Company{number}"})
                assert changed.is_success, changed.text
                found = (await http.get("/v1/contacts", params={"search": name})).json()["contacts"]
                assert [contact["id"] for contact in found] == [made["id"]]
                assert (await other.get(f"/v1/contacts/{made['id']}")).json()["company_name"] == f"Company{number}"

        await asyncio.gather(*(call(number) for number in range(32)))

        assert (await here.get("/v1/contacts")).json()["total"] == 128
    assert await find_faults(location) == []


async def test_nothing_is_left_in_a_session_of_the_pool(postgres, pooler, database, location, open_directory):
    async with open_directory(location) as http:
        assert (await http.post("/v1/contacts", json={"name": "Ola"})).is_success
        assert (await http.get("/v1/contacts?search=ola")).is_success
    fresh = await asyncpg.connect(database.url)
    shared = await asyncpg.connect(location.url, statement_cache_size=0)
    try:
        for name in SESSION_SETTINGS:
            assert await shared.fetchval(f"SHOW {name}") == await fresh.fetchval(f"SHOW {name}"), name
        ours = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE '%asyncpg%'"
        assert await shared.fetchval(ours) == 0
    finally:
        await fresh.close()
        await shared.close()


async def test_calls_succeed_or_are_refused_while_the_pooler_restarts(pooler, location, open_directory):
    """A refusal that says that nothing was changed has created nothing."""
    outcomes, names = Counter(), itertools.count()
    async with open_directory(location) as http:
        kept = set()

        async def call():
            while outcomes["after"] < 20:
                name = f"Contact{next(names)}"
                answer = await http.post("/v1/contacts", json={"name": name})
                assert answer.status_code in (201, 503), answer.text
                if answer.status_code == 201:
                    kept.add(name)
                    outcomes["after" if outcomes["restarts"] == 2 else "before"] += 1
                else:
                    assert "does not answer" in answer.json()["detail"]
                    outcomes["unknown"] += "X-Nothing-Changed" not in answer.headers
                    await asyncio.sleep(0)

        async def restart():
            for number in range(2):
                await wait_until(lambda: outcomes["before"] >= 20 * (number + 1))  # noqa: B023 - it is awaited
                await asyncio.to_thread(pooler.stop)
                await asyncio.to_thread(pooler.start)
                outcomes["restarts"] += 1

        await asyncio.gather(restart(), *(call() for _ in range(16)))
        total = (await http.get("/v1/contacts")).json()["total"]

    assert len(kept) <= total <= len(kept) + outcomes["unknown"]
    assert await find_faults(location) == []


async def test_pool_without_a_free_session_is_reported_in_time(postgres, database, open_directory, monkeypatch):
    """By default, a caller of PgBouncer waits for two minutes."""
    monkeypatch.setattr(_postgres_pooler, "_MAX_WAIT_SECONDS", 0.3)
    with run(postgres, default_pool_size=1) as pooler:
        location = pooler.location(database)
        async with open_directory(location) as http:
            async with transaction(location):
                refused = await asyncio.gather(
                    *(http.get("/v1/contacts") for _ in range(4)),
                    *(http.post("/v1/contacts", json={"name": "Ola"}) for _ in range(4)),
                )
            assert {answer.status_code for answer in refused} == {503}
            assert all(answer.headers["X-Nothing-Changed"] == "true" for answer in refused)
            assert "a pooler that has no free connection to it; try again" in refused[0].json()["detail"]

            assert (await http.post("/v1/contacts", json={"name": "Ola"})).is_success
            assert (await http.get("/v1/contacts")).json()["total"] == 1


async def test_erasure_stands_if_no_session_is_free_to_remove_its_dead_rows(postgres, database, monkeypatch, caplog):
    monkeypatch.setattr(_postgres_pooler, "_MAX_WAIT_SECONDS", 0.3)
    with run(postgres, default_pool_size=1) as pooler:
        location = pooler.location(database)
        async with aclosing(build_engine(location)) as engine:
            await engine.prepare()
            async with transaction(location):
                await engine.scrub()
    assert "not yet removed from dead rows" in caplog.text


async def test_poolers_own_time_limit_is_reported_as_such(postgres, database, open_directory):
    with run(postgres, default_pool_size=1, query_wait_timeout=1) as pooler:
        location = pooler.location(database)
        async with transaction(location):
            assert "has no free connection to it" in await refusal(open_directory, location)


@pytest.mark.parametrize(
    ("settings", "query", "said"),
    [
        ({"pool_mode": "statement"}, "", "a pooler that has no transactions; set its pool_mode to transaction"),
        ({}, "?options=-c%20statement_timeout%3D5s", "have no `options`; remove them from the URL or PGOPTIONS"),
        ({"max_client_conn": 0}, "", "a pooler that has no room for another connection"),
        ({"auth_type": "scram-sha-256", "password": "p"}, "?password=q", "does not accept this user or password"),
    ],
)
async def test_pooler_that_cannot_be_used_is_reported_with_advice(
    postgres, database, open_directory, settings, query, said
):
    with run(postgres, **settings) as pooler:
        assert said in await refusal(open_directory, pooler.location(database, query))


async def test_missing_database_is_reported_through_a_pooler(pooler, open_directory):
    location = parse_location(pooler.url("postgresql://contacts@/nowhere"))

    assert "does not exist; create it" in await refusal(open_directory, location)


@pytest.mark.parametrize(
    "settings",
    [{"pool_mode": "session"}, {"ignore_startup_parameters": "jit, plan_cache_mode, enable_seqscan"}],
    ids=["session", "ignored"],
)
async def test_pooler_is_detected_in_any_mode(postgres, database, open_directory, caplog, settings):
    """Also if it ignores settings instead of refusing them."""
    caplog.set_level("INFO")
    with run(postgres, **settings) as pooler:
        async with open_directory(pooler.location(database)) as http:
            assert (await http.post("/v1/contacts", json={"name": "Ola"})).is_success
            assert (await http.get("/v1/contacts?search=ola")).json()["total"] == 1
    assert "is behind a pooler" in caplog.text


async def test_direct_connection_is_not_taken_for_a_pooler(database, open_directory, caplog):
    caplog.set_level("INFO")
    async with open_directory(database) as http:
        assert (await http.get("/v1/contacts")).is_success
    assert "pooler" not in caplog.text


@pytest.mark.parametrize("target", ["read-write", "primary", "prefer-standby"])
async def test_server_is_chosen_through_a_pooler(pooler, database, open_directory, target):
    async with open_directory(pooler.location(database, f"?target_session_attrs={target}")) as http:
        assert (await http.get("/v1/contacts")).is_success


async def test_replica_behind_a_pooler_answers_searches(location, open_directory, caplog):
    async with open_directory(with_replica(location, location)) as http:
        for number in range(5):
            assert (await http.post("/v1/contacts", json={"name": f"Ola{number}"})).is_success
            assert (await http.get(f"/v1/contacts?search=ola{number}")).json()["total"] == 1
    assert "does not answer" not in caplog.text


def test_maintenance_commands_run_through_a_pooler(command, pooler, postgres, tmp_path):
    url = pooler.url(postgres.create_database())

    def directory(*arguments):
        done = command("directory", *arguments, CONTACTS_MCP_DIRECTORY=url)
        assert done.code == 0, done.err
        return done.out

    directory("migrate")
    directory("import-sample", "300")
    directory("check")
    directory("backup", str(tmp_path / "copy.db"))
    directory("restore-backup", str(tmp_path / "copy.db"), "--yes")
    assert "300 contacts" in directory("stats")
