"""Two real servers behind nginx, as the deployment has them: sessions, confirmations, refusals and metrics."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from mcp_types import InputRequiredResult

from deploy.files import HOST, check_health
from deploy.servers import Fleet, needs_nginx, run_compose_redis, run_fleet
from support.hosts import LEGACY, MODERN, Person, text_of
from support.processes import API_KEY, needs_redis

pytestmark = [needs_nginx, pytest.mark.system]
ADDRESS = f"https://{HOST}"
YES = {"decision": "delete"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with run_fleet(tmp_path_factory.mktemp("fleet"), CONTACTS_MCP_REDIS_URL="") as running:
        yield running


@pytest.fixture
def replicas(running: Fleet) -> Fleet:
    """Two replicas without Redis that tests share. Tests that need Redis or stop a replica start their own."""
    running.proxy.answered.clear()
    return running


def pairs(rounds: list[str]) -> list[tuple[str, str]]:
    """Return pairs of the replica that asked and the one that received the answer."""
    return list(zip(rounds[::2], rounds[1::2], strict=True))


async def test_modern_calls_are_answered_by_both_replicas(replicas: Fleet) -> None:
    """Each replica reads what the other wrote."""
    async with replicas.host(MODERN) as host:
        before = (await host.call("list_contacts"))["total"]
        for number in range(4):
            await host.create(f"Ola {number}")
            assert (await host.call("list_contacts"))["total"] == before + number + 1

    asked = replicas.replicas_called("create_contact") + replicas.replicas_called("list_contacts")
    assert set(asked) == set(replicas.addresses())


async def test_answer_to_one_replica_completes_a_question_of_the_other(replicas: Fleet) -> None:
    """One replica asks, the other receives the answer and deletes the contact."""
    person = Person(content=YES)
    async with replicas.host(MODERN, person) as host:
        for number in range(8):
            ola = await host.create()
            await host.call("delete_contact", **ola)
            assert len(person.asked) == number + 1
            assert not await host.has(ola)
    rounds = replicas.replicas_called("delete_contact")

    assert len(rounds) == 16
    assert any(asked != answered for asked, answered in pairs(rounds))


@pytest.mark.load
async def test_replicas_with_different_state_keys_reject_each_others_questions(tmp_path: Path) -> None:
    """The host gets an error, and the contact stays."""
    with run_fleet(tmp_path, CONTACTS_MCP_REDIS_URL="", own_keys=True) as replicas:
        async with replicas.host(MODERN, Person(content=YES)) as host:
            failed = []
            for _ in range(8):
                ola = await host.create()
                result = await host.raw("delete_contact", **ola)
                failed.append(result.is_error)
                assert await host.has(ola) is result.is_error
                if result.is_error:
                    assert text_of(result).startswith("not_confirmed: ")
                    assert "nothing was changed" in text_of(result)
    rounds = replicas.replicas_called("delete_contact")

    assert failed == [asked != answered for asked, answered in pairs(rounds)]
    assert any(failed)


async def answer_repeatedly(replicas: Fleet) -> list[str]:
    """Delete a contact in two rounds, then repeat the second round ten times. Return the text of each answer."""
    async with replicas.host(MODERN, Person()) as host:
        ola = await host.create()
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
async def test_answer_is_used_once_with_redis_and_never_without_it(tmp_path: Path) -> None:
    """Either replica rejects a replayed answer. If Redis is down, nothing is deleted."""
    with ExitStack() as redis:
        address = redis.enter_context(run_compose_redis())
        with run_fleet(tmp_path, CONTACTS_MCP_REDIS_URL=address) as replicas:
            first, *others = await answer_repeatedly(replicas)
            redis.close()
            lines = await answer_repeatedly(replicas)

    assert json.loads(first)
    assert {line.partition(";")[0] for line in others} == {"not_confirmed: the answer was used before"}
    assert all("nothing was changed" in line for line in lines)


@pytest.mark.parametrize("sse", [False, True], ids=["mcp", "sse"])
async def test_legacy_session_stays_on_its_replica(replicas: Fleet, sse: bool) -> None:
    """Handshake, calls, the server's question and its answer reach the replica that has the session."""
    for _ in range(3):
        person = Person(content=YES)
        async with replicas.host(LEGACY, person, sse=sse) as host:
            ola = await host.create()
            await host.call("delete_contact", **ola)
            assert "Ola Nordmann" in person.question
            assert not await host.has(ola)

    lines = replicas.proxy.answered_lines()
    assert len({line["replica"] for line in lines}) == 1
    assert {line["era"] for line in lines} == {"legacy"}
    assert {line["path"] for line in lines} == ({"/sse", "/messages/"} if sse else {"/mcp"})


async def test_modern_client_over_sse_stays_on_its_replica(replicas: Fleet) -> None:
    """SSE has a session in both eras."""
    person = Person(content=YES)
    async with replicas.host(MODERN, person, sse=True) as host:
        ola = await host.create()
        await host.call("delete_contact", **ola)
        assert not await host.has(ola)

    assert len({line["replica"] for line in replicas.proxy.answered_lines()}) == 1


async def test_file_above_the_limit_of_a_message_is_sent_and_imported_by_any_replica(replicas: Fleet) -> None:
    """Its link needs no key, has the public name, and is in no log."""
    rows = "".join(f"P{number},+4790{number:06d},{'x' * 10_000}\n" for number in range(300))
    async with replicas.host(MODERN) as host, replicas.proxy.client() as http:
        for _ in range(3):
            link = await host.call("import_contacts")
            assert link["url"].startswith(f"{ADDRESS}/files?link=")
            sent = await http.put(link["url"], content=f"name,phone,notes\n{rows}".encode())
            assert sent.status_code == 201, sent.text
            assert (await host.call("import_contacts", upload=link["upload"]))["rows"] == 300
            assert (await http.put(link["url"], content=b"x")).status_code == 409
        exported = await host.call("export_contacts")
        assert (await http.get(exported["url"])).content.startswith(b"\xef\xbb\xbf")
    lines = replicas.proxy.answered_lines()

    assert set(replicas.replicas_called("import_contacts")) == set(replicas.addresses())
    assert {line["path"] for line in lines} == {"/mcp", "/files"}
    written = replicas.proxy.read_output() + "".join(server.written for server in replicas.servers)
    for url in (link["url"], exported["url"]):
        assert url.partition("link=")[2] not in written


async def test_refused_requests_get_a_status_and_a_message(replicas: Fleet) -> None:
    """Too large, another host name, no key, a wrong key, an unknown session, an unknown path."""
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


async def test_request_id_is_the_same_in_log_header_and_answer(replicas: Fleet) -> None:
    async with replicas.proxy.client() as http:
        answer = await http.post(f"{ADDRESS}/mcp", json={})
    (line,) = replicas.proxy.answered_lines()

    assert answer.json()["error"]["data"]["request_id"] == line["request_id"] == answer.headers["x-request-id"]


async def test_health_is_public_and_both_replicas_are_ready(replicas: Fleet) -> None:
    """Readiness is checked at the replicas themselves, under any host name."""
    async with replicas.proxy.client() as http:
        assert (await http.get(f"{ADDRESS}/healthz")).json() == {"status": "alive"}
    async with httpx2.AsyncClient() as probe:
        for server in replicas.servers:
            assert (await probe.get(f"{server.url}/readyz")).json()["status"] == "ready"
            await asyncio.to_thread(check_health, server.port)


async def test_metrics_are_served_only_on_the_metrics_port(replicas: Fleet) -> None:
    """Each replica has its own; clients cannot reach them."""
    async with replicas.host(MODERN) as host:
        await host.create()
    async with httpx2.AsyncClient() as inside, replicas.proxy.client({"X-API-Key": API_KEY}) as outside:
        pages = [await inside.get(f"{server.metrics}/metrics") for server in replicas.servers]
        closed = [await inside.get(f"{server.url}/metrics", headers={"Host": HOST}) for server in replicas.servers]
        passed = await outside.get(f"{ADDRESS}/metrics")

    assert [page.status_code for page in pages] == [200, 200]
    assert any("create_contact" in page.text for page in pages)
    assert [answer.status_code for answer in (*closed, passed)] == [404, 404, 404]


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.load), signal.SIGKILL])
async def test_stopped_replica_loses_only_its_legacy_sessions(tmp_path: Path, how: signal.Signals) -> None:
    """Modern hosts notice nothing; a legacy host starts a new session."""
    with run_fleet(tmp_path, CONTACTS_MCP_REDIS_URL="") as replicas:
        async with replicas.host(MODERN) as modern:
            async with replicas.host(LEGACY) as legacy:
                await legacy.create()
                lines = replicas.proxy.answered_lines(open_streams=True)
                (replica,) = {line["replica"] for line in lines if line["era"] == "legacy"}
                took = replicas.servers[replicas.addresses().index(replica)].end(how)
                for _ in range(6):
                    await modern.create()
            async with replicas.host(LEGACY) as legacy:
                assert (await legacy.call("list_contacts"))["total"] == 7

    assert took < 5


async def test_nginx_writes_no_key_session_or_contact_name(replicas: Fleet) -> None:
    for sse in (False, True):
        for era in (LEGACY, MODERN):
            async with replicas.host(era, Person(content=YES), sse=sse) as host:
                await host.call("delete_contact", **await host.create())
    written = replicas.proxy.read_output()

    assert API_KEY not in written
    assert "Nordmann" not in written
    assert "session" not in written
