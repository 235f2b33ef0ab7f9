"""Hosts that see the panel's tools, over the embedded directory and over a service without extensions."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import Implementation

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import Call, Risk
from contacts_mcp.directory import EXTENSIONS, UNDO
from contacts_mcp.folder import Folder
from contacts_mcp.server import Caller
from contacts_mcp.tools import PANEL_TOOLS, TOOLS, Backend, KeptListings, PlannedFiles
from support.hosts import MODERN, Host, Person, enter_in_one_task, host_of_service, identify_callers, server_over
from support.services import UnreliableService


@dataclass
class Sent:
    """A client that keeps the names of the calls that were sent."""

    api: ContactsClient
    calls: list[str] = field(default_factory=list)

    async def send(self, call: Call[Any], report: Any = None) -> Any:
        self.calls.append(type(call).__name__)
        return await self.api.send(call, report)

    async def extensions(self) -> frozenset[str]:
        return await self.api.extensions()

    async def scopes(self) -> frozenset[str] | None:
        return await self.api.scopes()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folder for files."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def person() -> Person:
    """The person who agrees to every change."""
    return Person(content={"decision": "change"})


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Sent]:
    """A client of the embedded directory."""
    async with enter_in_one_task(ContactsClient.for_directory(tmp_path / "contacts.db")) as client:
        yield Sent(client)


@pytest.fixture
def connect(api: Sent, files: Path, person: Person) -> Callable[..., AbstractAsyncContextManager[Host]]:
    """Connect a host over the embedded directory, as a caller of this name."""
    listings, planned_files = KeptListings(), PlannedFiles()

    def backend_for(caller: Caller) -> Backend:
        return Backend(
            api,
            "NO",
            files=Folder(files),
            owner=caller.principal,
            known_extensions=[*EXTENSIONS, UNDO],
            listings=listings,
            planned_files=planned_files,
        )

    @asynccontextmanager
    async def connecting(name: str = "ola") -> AsyncIterator[Host]:
        server = server_over(tools=TOOLS + PANEL_TOOLS, backend_for=backend_for)
        identify_callers(server, {name: Caller(name, frozenset(Risk))})
        info = Implementation(name=name, version="1")
        async with Client(server, mode=MODERN, client_info=info, elicitation_callback=person, cache=None) as client:
            yield Host(client)

    return connecting


@pytest.fixture
async def directory(connect: Callable[..., AbstractAsyncContextManager[Host]]) -> AsyncIterator[Host]:
    """A host over the embedded directory."""
    async with enter_in_one_task(connect()) as connected:
        yield connected


@pytest.fixture
async def platform(files: Path, person: Person) -> AsyncIterator[Host]:
    """A host over a service without extensions."""
    offered: dict[str, Any] = {"known_extensions": (), "listings": KeptListings(), "files": Folder(files)}
    tools = {"tools": TOOLS + PANEL_TOOLS}
    async with enter_in_one_task(
        host_of_service(UnreliableService().respond, MODERN, person, server=tools, default_region="NO", **offered)
    ) as connected:
        yield connected


@pytest.fixture(params=["embedded", "platform"])
def either(request: pytest.FixtureRequest) -> Host:
    """A host over each kind of service."""
    name = "directory" if request.param == "embedded" else "platform"
    return request.getfixturevalue(name)
