"""The directory as its users see it: over HTTP, in process, on a file of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from contacts_mcp.directory import Directory


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a directory on `path`; both are closed at the end."""
    async with (
        Directory(path) as directory,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://directory") as client,
    ):
        yield client


@pytest.fixture
def path(tmp_path):
    return tmp_path / "contacts.db"


@pytest.fixture
async def http(path):
    async with serving(path) as client:
        yield client


@pytest.fixture
def open_directory():
    return serving


@pytest.fixture
def create(http):
    """Create a contact and return it in full."""

    async def create(name="Ola Nordmann", **fields):
        answer = await http.post("/v1/contacts", json={"name": name, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return create


@pytest.fixture
def create_group(http):
    async def create_group(name="VIP", **fields):
        answer = await http.post("/v1/contacts/groups", json={"name": name, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return create_group


@pytest.fixture
def listed(http):
    """The ids a list with these parameters holds, in its order."""

    async def listed(**params):
        answer = await http.get("/v1/contacts", params=params)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["contacts"]]

    return listed
