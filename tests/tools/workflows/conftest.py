"""Hosts with a folder for files, over the embedded directory and over a service without extensions."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
import stamina

from contacts_mcp.folder import Folder
from support.hosts import MODERN, Host, Person, enter_in_one_task, host, host_of_service
from support.services import UnreliableService


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries do not wait."""

    monkeypatch.setattr(stamina._core, "_smart_sleep", AsyncMock())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folder for files."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def person() -> Person:
    """The person who is asked; declines unless a test changes the answer."""
    return Person(content={"decision": "keep"})


@pytest.fixture
async def directory(tmp_path: Path, files: Path, person: Person) -> AsyncIterator[Host]:
    """The embedded directory, with its extensions."""
    async with enter_in_one_task(
        host(tmp_path / "contacts.db", MODERN, person, files=files, default_region="NO")
    ) as connected:
        yield connected


@pytest.fixture
def unsteady() -> UnreliableService:
    """A service without extensions that fails when a test wants it to."""
    return UnreliableService()


@pytest.fixture
async def platform(unsteady: UnreliableService, files: Path, person: Person) -> AsyncIterator[Host]:
    """A host over that service."""
    async with enter_in_one_task(
        host_of_service(unsteady.respond, MODERN, person, default_region="NO", files=Folder(files))
    ) as connected:
        yield connected


@pytest.fixture(params=["embedded", "platform"])
def either(request: pytest.FixtureRequest) -> Host:
    """A host over each kind of service, since workflow tools must behave the same on both."""
    return request.getfixturevalue("directory" if request.param == "embedded" else "platform")


@pytest.fixture
def save(files: Path) -> Callable[..., str]:
    """Write rows under a header as CSV into the folder; the file's name."""

    def write(header: str, *rows: str, name: str = "people.csv") -> str:
        (files / name).write_text("\n".join([header, *rows]) + "\n")
        return name

    return write
