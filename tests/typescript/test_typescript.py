"""Hosts written in TypeScript, over a network: what they see, which questions they ask, and which calls are refused."""

from collections.abc import Iterator
from itertools import product

import pytest

from conformance.suite import fixture, served_product
from contacts_mcp.tools import TOOLS
from support.hosts import LEGACY, MODERN
from support.node import only_when_asked
from support.processes import HttpServer, wait_until
from typescript.host import Kind, typescript_host

KINDS = [
    Kind(*each)
    for each in product(("sdk1", "sdk2"), ("http", "sse"), (LEGACY, MODERN))
    if each[0] == "sdk2" or each[2] == LEGACY
]
LEGACY_KINDS = [kind for kind in KINDS if kind.era == LEGACY]
DELETE = {"action": "accept", "content": {"decision": "delete"}}

pytestmark = only_when_asked
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    with served_product(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def origin(served: HttpServer) -> str:
    return served.url


@pytest.fixture(scope="module")
def reporting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a slow tool."""
    with fixture(tmp_path_factory.mktemp("reporting")) as server:
        yield server.url


@each_kind
async def test_host_lists_tools_and_reads_a_created_contact(origin: str, kind: Kind) -> None:
    async with typescript_host(kind, origin) as host:
        listed = await host.tools()
        ola = await host.create()
        read = await host.call("get_contact", **ola)

    assert [tool.name for tool in TOOLS] == [tool["name"] for tool in listed]
    assert read["name"] == "Ola Nordmann"
    assert host.hello["server"]["name"] == "wayscloud-contacts"
    assert host.hello["revision"] == (MODERN if kind.era == MODERN else "2025-11-25")


@each_kind
async def test_confirmed_deletion_removes_the_contact(origin: str, kind: Kind) -> None:
    """The person is asked once, by name."""
    async with typescript_host(kind, origin) as host:
        ola = await host.create()

        assert await host.call("delete_contact", answer=DELETE, **ola)

        (question,) = host.seen["asked"]
        assert "Ola Nordmann" in question
        assert not await host.has(ola)


@each_kind
async def test_erasure_needs_the_typed_name(origin: str, kind: Kind) -> None:
    async with typescript_host(kind, origin) as host:
        ola = await host.create()

        def typed(name: str) -> dict[str, object]:
            return {"action": "accept", "content": {"typed": name}}

        wrong = await host.declined("gdpr_delete_contact", reason="request", answer=typed("Kari Nordmann"), **ola)
        erased = await host.call("gdpr_delete_contact", reason="request", answer=typed("Ola Nordmann"), **ola)

        assert "nothing was changed" in wrong
        assert erased
        assert not await host.has(ola)


@each_kind
@pytest.mark.parametrize(
    "answer", [{"action": "decline"}, {"action": "accept", "content": {"decision": "keep"}}], ids=["decline", "keep"]
)
async def test_declined_deletion_keeps_the_contact(origin: str, kind: Kind, answer: dict[str, object]) -> None:
    async with typescript_host(kind, origin) as host:
        ola = await host.create()

        reason = await host.declined("delete_contact", answer=answer, **ola)

        assert reason.startswith("the person declined")
        assert await host.has(ola)


@each_kind
async def test_host_without_forms_deletes_nothing(origin: str, kind: Kind) -> None:
    async with typescript_host(kind, origin, asks=False) as host:
        ola = await host.create()

        line = await host.error("delete_contact", **ola)

        assert line.startswith("refused: ")
        assert await host.has(ola)


@each_kind
async def test_progress_arrives_in_order_before_the_answer(reporting: str, kind: Kind) -> None:
    async with typescript_host(kind, reporting) as host:
        result = await host.call("test_tool_with_progress")

    assert host.seen["progress"] == [0, 50, 100]
    assert result == {"text": "Done."}


@pytest.mark.parametrize("kind", LEGACY_KINDS, ids=str)
async def test_yes_after_the_host_hung_up_changes_nothing(served: HttpServer, kind: Kind) -> None:
    """The call is cancelled while the person reads the question."""
    async with typescript_host(kind, served.url) as host:
        ola = await host.create()

        await host.raw("delete_contact", answer=DELETE, hang_up=True, **ola)

        assert "hung up" in host.seen["thrown"]
        assert host.seen["asked"]
        assert await recorded(served, "delete_contact", ola) == "not_run"
        assert await host.has(ola)


async def recorded(served: HttpServer, tool: str, ola: dict[str, str]) -> str:
    """How a call ended, from the trail: the host no longer waits for it."""
    call = {"tool": tool, **ola}.items()
    await wait_until(lambda: any(call <= line.items() for line in served.trail))
    return next(line["outcome"] for line in served.trail if call <= line.items())
