"""A call that waits reports progress, so that the host does not take it for one that hangs."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from contacts_mcp.client import ContactsClient
from contacts_mcp.server import _progress
from contacts_mcp.server._progress import CallProgress
from support.hosts import LEGACY, MODERN, Host, Person, each_era, host, host_of_service, server_over
from support.processes import API_KEY, HttpServer, clean_environment
from support.services import ApiKeyRouter, serve_app
from transports.http.clients import connected

GROUPS = {"groups": []}


class Ear:
    """Hears the progress of a call; `enough` is set after some reports."""

    def __init__(self, wanted: int = 3) -> None:
        self.heard: list[tuple[float, float | None, str | None]] = []
        self.wanted = wanted
        self.enough = anyio.Event()

    async def __call__(self, *report: Any) -> None:
        self.heard.append(report)
        if len(self.heard) >= self.wanted:
            self.enough.set()

    @property
    def values(self) -> list[float]:
        return [value for value, _, _ in self.heard]

    @property
    def messages(self) -> set[str | None]:
        return {message for _, _, message in self.heard}


def are_increasing(values: list[float]) -> bool:
    return all(before < after for before, after in pairwise(values))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reminders do not wait."""
    monkeypatch.setattr(_progress, "REMINDER_INTERVAL_SECONDS", 0.001)


@pytest.mark.usefixtures("impatient")
@each_era
async def test_call_that_waits_for_a_slow_service_reports_progress(era: str) -> None:
    ear = Ear()

    async def answer_late(_: httpx.Request) -> httpx.Response:
        await ear.enough.wait()
        return httpx.Response(200, json=GROUPS)

    async with host_of_service(answer_late, era) as connected_host:
        result = await connected_host.client.call_tool("list_contact_groups", {}, progress_callback=ear)

    assert result.structured_content["total"] == 0
    assert ear.messages == {"waiting for the contact directory"}
    assert are_increasing(ear.values)


@pytest.mark.usefixtures("impatient")
async def test_call_that_waits_for_a_person_says_so(tmp_path: Path) -> None:
    """In the legacy era the call waits; in the modern era the question is its result."""
    ear = Ear()
    person = Person({"decision": "keep"}, meanwhile=ear.enough.wait)
    async with host(tmp_path / "contacts.db", LEGACY, person) as directory:
        contact = await directory.create()
        await directory.client.call_tool("delete_contact", contact, progress_callback=ear)

    assert "waiting for the person's answer" in ear.messages
    assert are_increasing(ear.values)


@pytest.mark.usefixtures("impatient")
async def test_call_without_a_token_sends_no_progress() -> None:
    received: list[Any] = []
    asked = anyio.Event()

    async def hear(message: Any) -> None:
        received.append(message)

    async def answer_late(_: httpx.Request) -> httpx.Response:
        asked.set()
        for _turn in range(100):
            await anyio.lowlevel.checkpoint()
        return httpx.Response(200, json=GROUPS)

    async with (
        ContactsClient(base_url="http://service", transport=httpx.MockTransport(answer_late)) as api,
        Client(server_over(api), mode=LEGACY, message_handler=hear) as client,
    ):
        await client.call_tool("list_contact_groups", {})

    assert asked.is_set()
    assert received == []


@pytest.mark.usefixtures("impatient")
async def test_no_progress_follows_the_end_of_a_call() -> None:
    ear, late = Ear(1), Ear()

    async def answer_late(_: httpx.Request) -> httpx.Response:
        await (late if ear.enough.is_set() else ear).enough.wait()
        return httpx.Response(200, json=GROUPS)

    async with host_of_service(answer_late, MODERN) as connected_host:
        await connected_host.client.call_tool("list_contact_groups", {}, progress_callback=ear)
        count = len(ear.heard)
        await connected_host.client.call_tool("list_contact_groups", {}, progress_callback=late)

    assert len(ear.heard) == count


async def test_progress_of_a_job_with_several_parts_never_falls() -> None:
    ear = Ear()
    progress = CallProgress(ear, lambda: "the contact directory")
    for report in (
        (1, 2, "read"),
        (2, 2, "read"),
        (1, 3, "written"),
        (1, 3, "written"),
        (3, 3, "written"),
        (5, None, "x"),
    ):
        await progress.report(*report)

    assert ear.heard == [
        (1, 2, "read: 1 of 2"),
        (2, 2, "read: 2 of 2"),
        (3, 5, "written: 1 of 3"),
        (5, 5, "written: 3 of 3"),
        (10, None, "x: 5"),
    ]


@asynccontextmanager
async def stdio_host(era: str, folder: Path, settings: dict[str, str]) -> AsyncIterator[Host]:
    environment = clean_environment(folder, **settings)
    server = StdioServerParameters(command=sys.executable, args=["-m", "contacts_mcp", "serve"], env=environment)
    with (folder / f"{era}.log").open("w") as errors:
        async with Client(stdio_client(server, errlog=errors), mode=era) as client:
            yield Host(client)


@pytest.mark.system
@pytest.mark.slow
async def test_every_transport_carries_reminders(tmp_path: Path) -> None:
    """The service answers a search only after each host has heard a reminder, with the real interval."""
    kinds = [(transport, era) for transport in ("stdio", "http", "sse") for era in (LEGACY, MODERN)]
    ears = {kind: Ear(1) for kind in kinds}

    async def answer_late(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"].endswith("groups"):
            for ear in ears.values():
                await ear.enough.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"groups": []}'})

    async def call(opening: AbstractAsyncContextManager[Host], ear: Ear) -> None:
        async with opening as opened:
            await opened.client.call_tool("list_contact_groups", {}, progress_callback=ear)

    async with serve_app(ApiKeyRouter.for_key(API_KEY, answer_late)) as service:
        settings = {"WAYSCLOUD_API_URL": service.url, "WAYSCLOUD_API_KEY": API_KEY}
        with HttpServer(tmp_path, **settings) as network, anyio.fail_after(60):
            async with anyio.create_task_group() as calls:
                for (transport, era), ear in ears.items():
                    if transport == "stdio":
                        calls.start_soon(call, stdio_host(era, tmp_path, settings), ear)
                    else:
                        calls.start_soon(call, connected(network.url, transport, era), ear)

    for kind, ear in ears.items():
        assert ear.messages == {"waiting for the contact directory"}, kind
