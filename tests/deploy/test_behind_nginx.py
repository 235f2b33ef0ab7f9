"""Two replicas behind nginx, as the deployment has it: any replica, one replica, and what is refused on the way."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from mcp_types import InputRequiredResult

from deploy.files import check_health
from deploy.fleet import Fleet, fleet, fleet_redis
from deploy.running import HOST, needs_nginx
from support.hosts import LEGACY, MODERN, Host, Person, text_of
from support.processes import API_KEY, needs_redis

pytestmark = [needs_nginx, pytest.mark.system]
ADDRESS = f"https://{HOST}"
YES = {"decision": "delete"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("fleet"), CONTACTS_MCP_REDIS_URL="") as running:
        yield running


@pytest.fixture
def replicas(running: Fleet) -> Fleet:
    """Two replicas without Redis, which tests share: what needs it, or stops one, starts its own."""
    running.proxy.answered.clear()
    return running


async def create(host: Host, name: str = "Ola Nordmann") -> dict[str, str]:
    return {"contact_id": (await host.call("create_contact", name=name))["id"]}


async def gone(host: Host, contact: dict[str, str]) -> bool:
    return (await host.raw("get_contact", **contact)).is_error is True


def pairs(rounds: list[str]) -> list[tuple[str, str]]:
    """The replicas that asked, with those that were answered."""
    return list(zip(rounds[::2], rounds[1::2], strict=True))


async def test_modern_calls_are_answered_by_both_replicas(replicas: Fleet) -> None:
    """One host's calls are spread, and each replica sees what the other wrote."""
    async with replicas.host(MODERN) as host:
        before = (await host.call("list_contacts"))["total"]
        for number in range(4):
            await create(host, f"Ola {number}")
            assert (await host.call("list_contacts"))["total"] == before + number + 1

    asked = replicas.rounds("create_contact") + replicas.rounds("list_contacts")
    assert set(asked) == set(replicas.addresses())


async def test_a_confirmation_is_finished_by_the_other_replica(replicas: Fleet) -> None:
    """The question comes from one replica, the answer goes to the other, and the contact is gone."""
    person = Person(content=YES)
    async with replicas.host(MODERN, person) as host:
        for number in range(8):
            ola = await create(host)
            await host.call("delete_contact", **ola)
            assert len(person.asked) == number + 1
            assert await gone(host, ola)
    rounds = replicas.rounds("delete_contact")

    assert len(rounds) == 16
    assert any(asked != answered for asked, answered in pairs(rounds))


@pytest.mark.load
async def test_replicas_with_other_keys_change_nothing(tmp_path: Path) -> None:
    """What one sealed the other cannot open: the host is told, and the contact stays."""
    with fleet(tmp_path, CONTACTS_MCP_REDIS_URL="", own_keys=True) as replicas:
        async with replicas.host(MODERN, Person(content=YES)) as host:
            failed = []
            for _ in range(8):
                ola = await create(host)
                result = await host.raw("delete_contact", **ola)
                failed.append(result.is_error)
                assert await gone(host, ola) is not result.is_error
                if result.is_error:
                    assert text_of(result).startswith("not_confirmed: ")
                    assert "nothing was changed" in text_of(result)
    rounds = replicas.rounds("delete_contact")

    assert failed == [asked != answered for asked, answered in pairs(rounds)]
    assert any(failed)


async def replayed(replicas: Fleet) -> list[str]:
    """Delete a contact in two rounds, then send the second round ten times more; what each of them says."""
    async with replicas.host(MODERN, Person()) as host:
        ola = await create(host)
        asked = await host.client.session.call_tool("delete_contact", ola, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        answers = []
        for _ in range(11):
            result = await host.client.session.call_tool(
                "delete_contact",
                ola,
                input_responses={"confirm": {"action": "accept", "content": YES}},
                request_state=asked.request_state,
            )
            answers.append(text_of(result))
        return answers


@needs_redis
async def test_with_redis_an_answer_is_used_once_in_all_and_without_it_not_at_all(tmp_path: Path) -> None:
    """Replayed to either replica it is known to be used; where that cannot be told any more, nothing is deleted."""
    with ExitStack() as redis:
        address = redis.enter_context(fleet_redis())
        with fleet(tmp_path, CONTACTS_MCP_REDIS_URL=address) as replicas:
            first, *others = await replayed(replicas)
            redis.close()
            lines = await replayed(replicas)

    assert json.loads(first)
    assert {line.partition(";")[0] for line in others} == {"not_confirmed: the answer was used before"}
    assert all("nothing was changed" in line for line in lines)


@pytest.mark.parametrize("sse", [False, True], ids=["mcp", "sse"])
async def test_a_legacy_session_stays_with_its_replica_through_a_question(replicas: Fleet, sse: bool) -> None:
    """Handshake, calls, the server's question and the answer to it: all on the replica that knows the session."""
    for _ in range(3):
        person = Person(content=YES)
        async with replicas.host(LEGACY, person, sse=sse) as host:
            ola = await create(host)
            await host.call("delete_contact", **ola)
            assert "Ola Nordmann" in person.question
            assert await gone(host, ola)

    lines = replicas.proxy.log()
    assert len({line["replica"] for line in lines}) == 1
    assert {line["era"] for line in lines} == {"legacy"}
    assert {line["path"] for line in lines} == ({"/sse", "/messages/"} if sse else {"/mcp"})


async def test_a_modern_client_works_over_sse(replicas: Fleet) -> None:
    """The older transport has a session whatever the era, and it sticks."""
    person = Person(content=YES)
    async with replicas.host(MODERN, person, sse=True) as host:
        ola = await create(host)
        await host.call("delete_contact", **ola)
        assert await gone(host, ola)

    assert len({line["replica"] for line in replicas.proxy.log()}) == 1


async def test_what_is_refused_has_the_right_status_and_a_line(replicas: Fleet) -> None:
    """Too large, under another name, without a key, of an unknown session, at no address: each says what to do."""
    modern = {"Mcp-Protocol-Version": "2026-07-28", "Accept": "application/json, text/event-stream"}
    async with replicas.proxy.client({"X-API-Key": API_KEY, "Accept": modern["Accept"]}) as http:
        answers = [
            await http.post(f"{ADDRESS}/mcp", content=b"x" * 2_000_000),
            await http.post(f"{ADDRESS}/mcp", content=b"x" * 2_000_000, headers=modern),
            await http.post(f"{ADDRESS}/messages/?session_id=1", content=b"x" * 2_000_000),
            await http.post(f"{ADDRESS}/mcp", json={}, headers={"Host": "evil.example"}),
            await http.post(f"{ADDRESS}/mcp", json={}, headers={"X-API-Key": ""}),
            await http.post(f"{ADDRESS}/mcp", json={}, headers={"X-API-Key": "wayscloud_pat_wrong1_x"}),
            await http.post(
                f"{ADDRESS}/mcp",
                json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
                headers={"Mcp-Session-Id": "0" * 32},
            ),
            await http.get(f"{ADDRESS}/readyz"),
        ]

    assert [answer.status_code for answer in answers] == [413, 413, 413, 421, 401, 401, 404, 404]
    for answer in answers:
        assert answer.json()["error"]["message"]
        assert answer.headers.get_list("x-request-id")[1:] == []


async def test_a_request_has_one_id_on_both_sides(replicas: Fleet) -> None:
    """The id in nginx's log is the one in the server's answer and its header."""
    async with replicas.proxy.client() as http:
        answer = await http.post(f"{ADDRESS}/mcp", json={})
    (line,) = replicas.proxy.log()

    assert answer.json()["error"]["data"]["request_id"] == line["request_id"] == answer.headers["x-request-id"]


async def test_health_is_shown_and_both_replicas_are_ready(replicas: Fleet) -> None:
    """Alive through nginx; ready at the replicas themselves, whatever the name by which a probe calls them."""
    async with replicas.proxy.client() as http:
        assert (await http.get(f"{ADDRESS}/healthz")).json() == {"status": "alive"}
    async with httpx2.AsyncClient() as probe:
        for server in replicas.servers:
            assert (await probe.get(f"{server.url}/readyz")).json() == {"status": "ready"}
            await asyncio.to_thread(check_health, server.port)


async def test_metrics_have_a_port_of_their_own(replicas: Fleet) -> None:
    """Each replica shows its own there, and on no address that clients can reach."""
    async with replicas.host(MODERN) as host:
        await create(host)
    async with httpx2.AsyncClient() as inside, replicas.proxy.client({"X-API-Key": API_KEY}) as outside:
        pages = [await inside.get(f"{server.metrics}/metrics") for server in replicas.servers]
        closed = [await inside.get(f"{server.url}/metrics", headers={"Host": HOST}) for server in replicas.servers]
        passed = await outside.get(f"{ADDRESS}/metrics")

    assert [page.status_code for page in pages] == [200, 200]
    assert any("create_contact" in page.text for page in pages)
    assert [answer.status_code for answer in (*closed, passed)] == [404, 404, 404]


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.load), signal.SIGKILL])
async def test_a_replica_that_goes_takes_nothing_but_its_sessions(tmp_path: Path, how: signal.Signals) -> None:
    """Modern hosts notice nothing; a legacy host starts a new session, and goes on."""
    with fleet(tmp_path, CONTACTS_MCP_REDIS_URL="") as replicas:
        async with replicas.host(MODERN) as modern:
            async with replicas.host(LEGACY) as legacy:
                await create(legacy)
                lines = replicas.proxy.log(open_streams=True)
                (place,) = {line["replica"] for line in lines if line["era"] == "legacy"}
                took = replicas.servers[replicas.addresses().index(place)].end(how)
                for _ in range(6):
                    await create(modern)
            async with replicas.host(LEGACY) as legacy:
                assert (await legacy.call("list_contacts"))["total"] == 7

    assert took < 5


async def test_nothing_of_a_call_is_written_down_by_nginx(replicas: Fleet) -> None:
    """No key, no session, no name of a contact, in whatever nginx has written."""
    for sse in (False, True):
        for era in (LEGACY, MODERN):
            async with replicas.host(era, Person(content=YES), sse=sse) as host:
                await host.call("delete_contact", **await create(host))
    written = replicas.proxy.written()

    assert API_KEY not in written
    assert "Nordmann" not in written
    assert "session" not in written
