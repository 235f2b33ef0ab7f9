"""A service that does not say which extensions it has may know merged records: nothing is erased or merged then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import AsyncMock

import httpx
import pytest
import stamina
from mcp import Client

from contacts_mcp.client import ContactsClient
from contacts_mcp.directory import Directory
from support.hosts import MODERN, Host, Person, host, server_over

pytestmark = pytest.mark.slow

REASON = {"reason": "Article 17 request"}

FAILURES = {
    "unreachable": httpx.ConnectError("away"),
    "too slow": httpx.ReadTimeout("late"),
    "rate limited": httpx.Response(429),
    "server fault": httpx.Response(500),
    "bad gateway": httpx.Response(502),
    "unavailable": httpx.Response(503),
    "gateway time-out": httpx.Response(504),
    "forbidden": httpx.Response(403),
    "a page": httpx.Response(200, text="<html>"),
}
each_failure = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())


class _UnansweredExtensions(httpx.ASGITransport):
    """A directory that fails while it is asked which extensions it has; `failure` may be removed later."""

    failure: httpx.Response | Exception | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.failure is None or request.url.path != "/v1/directory":
            return await super().handle_async_request(request)
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure


@pytest.fixture
def person() -> Person:
    return Person(content={"typed": "Ola Nordmann", "decision": "merge"})


@pytest.fixture
async def merged(tmp_path: Path, person: Person) -> tuple[str, str]:
    """The ids of a contact, and of the record that was merged into it, in contacts.db."""
    async with host(tmp_path / "contacts.db", MODERN, person) as directory:
        keep, other = [(await directory.create())["contact_id"] for _ in range(2)]
        await directory.call("merge_contacts", keep_id=keep, merge_ids=[other])
    person.asked.clear()
    return keep, other


@asynccontextmanager
async def failing_host(
    path: Path, person: Person, failure: httpx.Response | Exception
) -> AsyncIterator[tuple[Host, _UnansweredExtensions]]:
    async with Directory(path) as directory:
        service = _UnansweredExtensions(directory.app)
        service.failure = failure
        async with (
            ContactsClient(base_url="http://service", transport=service) as api,
            Client(server_over(api), mode=MODERN, elicitation_callback=person, raise_exceptions=False) as client,
        ):
            yield Host(client), service


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are repeated without waiting."""
    monkeypatch.setattr(stamina._core, "_smart_sleep", AsyncMock())


@each_failure
async def test_erasure_is_refused_until_the_directory_says_which_records_belong_to_the_person(
    tmp_path: Path, person: Person, merged: tuple[str, str], failure: httpx.Response | Exception
) -> None:
    """A question in the platform's words would not name the merged record, and the erasure would reach it unseen."""
    keep, other = merged
    async with failing_host(tmp_path / "contacts.db", person, failure) as (directory, service):
        line = await directory.error("gdpr_delete_contact", contact_id=keep, **REASON)
        questions, is_there = len(person.asked), await directory.has({"contact_id": keep})
        service.failure = None
        answer = await directory.call("gdpr_delete_contact", contact_id=keep, **REASON)

    assert line.startswith("records_unknown: the directory could not say which records belong to the person")
    assert "nothing was changed; try again" in line
    assert (questions, is_there) == (0, True)
    assert f"(id {other})" in person.question
    assert {each["id"] for each in answer["records"]} == {keep, other}


@each_failure
async def test_merge_is_refused_until_the_directory_says_whether_it_links_merged_records(
    tmp_path: Path, person: Person, failure: httpx.Response | Exception
) -> None:
    """Records that are deleted without a link would be missed by a later erasure of the kept contact."""
    path = tmp_path / "contacts.db"
    async with failing_host(path, person, failure) as (directory, service):
        keep, other = [(await directory.create())["contact_id"] for _ in range(2)]
        line = await directory.error("merge_contacts", keep_id=keep, merge_ids=[other])
        questions, is_there = len(person.asked), await directory.has({"contact_id": other})
        service.failure = None
        await directory.call("merge_contacts", keep_id=keep, merge_ids=[other])
        person.asked.clear()
        answer = await directory.call("gdpr_delete_contact", contact_id=keep, **REASON)

    assert line.startswith("records_unknown: ")
    assert "nothing was changed" in line
    assert (questions, is_there) == (0, True)
    assert {each["id"] for each in answer["records"]} == {keep, other}
