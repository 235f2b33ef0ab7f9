"""The directory over HTTP, in process: on each engine for a test with `location`, on a file for one with `path`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from contacts_mcp.directory import Directory, Location, parse_location
from support.processes import address_of
from support.quick import place_directory


@asynccontextmanager
async def serving(location: Location) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client of the directory at `location`; close both at the end."""
    async with (
        Directory(location) as directory,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://directory") as client,
    ):
        yield client


@pytest.fixture
def path(tmp_path):
    return tmp_path / "contacts.db"


@pytest.fixture(scope="session")
def prepared(postgres):
    """The name of a database with its tables: copying it is faster than creating them."""
    url = postgres.create_database()

    async def prepare():
        async with serving(parse_location(url)) as client:
            assert (await client.get("/v1/contacts")).status_code == 200

    asyncio.run(prepare())
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture
def database(postgres, prepared):
    """A new, prepared PostgreSQL database."""
    url = postgres.create_database(prepared)
    yield parse_location(url)
    postgres.drop_database(url)


@pytest.fixture
def sql(postgres, database):
    """Run a statement on the PostgreSQL database as its administrator, and return the output."""
    return partial(postgres.sql, database=address_of(database))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def location(request):
    """The location of an empty directory, on each engine."""
    return request.getfixturevalue({"sqlite": "path", "postgresql": "database"}.get(request.param, request.param))


@pytest.fixture
async def http(location):
    async with serving(place_directory(location) if isinstance(location, Path) else location) as client:
        yield client


@pytest.fixture
def open_directory():
    return serving


def creator(http, path, default):
    async def create(name=default, **fields):
        answer = await http.post(path, json={"name": name, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return create


@pytest.fixture
def create(http):
    """Create a contact and return it in full."""
    return creator(http, "/v1/contacts", "Ola Nordmann")


@pytest.fixture
def create_group(http):
    return creator(http, "/v1/contacts/groups", "VIP")


@pytest.fixture
def listed(http):
    """Return the ids in a list with these parameters, in its order."""

    async def listed(**params):
        answer = await http.get("/v1/contacts", params=params)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["contacts"]]

    return listed
