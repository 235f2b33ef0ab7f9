"""Long jobs: progress, cancellation, counts, write budgets, downloads and permissions."""

import json
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import anyio
import httpx
import pytest
from mcp import Client
from mcp_types import Implementation

from contacts_mcp.app import Embedded, build_app, connect
from contacts_mcp.contract import AddGroupMembers, BatchContacts, CreateContact, GetContact, NotFound, RateLimited, Risk
from contacts_mcp.folder import Folder
from contacts_mcp.private_folder import PrivateFolder
from contacts_mcp.server import Caller
from contacts_mcp.settings import load_settings
from contacts_mcp.tools import (
    NO_PATHS_OVER_NETWORK,
    Backend,
    Download,
    Downloads,
    SharedDownloads,
    WriteBudget,
    WriteBudgets,
)
from contacts_mcp.tools._downloads import MAX_DOWNLOAD_BYTES
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._write_budget import WriteBudgetExceeded
from support.hosts import MISSING_ID, MODERN, Host, each_era, host, host_of_service, identify_callers, server_over
from support.processes import wait_until
from support.services import UnreliableService
from support.texts import read_results


def write(folder: Path, count: int) -> str:
    lines = ["name,phone", *(f"Person{number} Berg,+4790{number:06d}" for number in range(count))]
    (folder / "people.csv").write_text("\n".join(lines))
    return "people.csv"


@pytest.mark.slow
@each_era
async def test_import_reports_progress_with_counts_and_units(tmp_path, files, era, monkeypatch):
    """A long import reports how many rows are done, and of how many."""
    monkeypatch.setattr("contacts_mcp.tools._turns.REPORT_INTERVAL_SECONDS", 0.0)
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with host(tmp_path / "contacts.db", era, files=files) as directory:
        given = {"path": write(files, 1_200)}
        plan = await directory.client.call_tool("import_contacts", given, progress_callback=hear)
        assert plan.structured_content
        assert "rows read: 1,200" in [message for _, _, message in told]
        told.clear()
        arguments = {**given, "apply": True, "plan": plan.structured_content["plan"]}
        await directory.client.call_tool("import_contacts", arguments, progress_callback=hear)

    messages = [message for _, _, message in told]
    assert messages[-1] == "rows written: 1,200 of 1,200"
    assert all(before < after for (before, *_), (after, *_) in pairwise(told))
    assert told[-1][0] == told[-1][1]


@each_era
async def test_cancelled_import_finishes_the_rows_under_way_and_lists_every_result(files, era):
    """No other write begins, and the result file is exact."""
    service, begun = UnreliableService(), anyio.Event()

    async def respond_slowly(request: httpx.Request) -> httpx.Response:
        answer = await service.respond(request)
        if request.method == "POST":
            if service.seen["POST"] >= 10:
                begun.set()
            await anyio.sleep(0.02)
        return answer

    async with host_of_service(respond_slowly, era, files=Folder(files)) as platform:
        given = {"path": write(files, 400)}
        plan = await platform.call("import_contacts", **given)
        async with anyio.create_task_group() as tasks:
            arguments = {**given, "apply": True, "plan": plan["plan"]}
            tasks.start_soon(platform.client.call_tool, "import_contacts", arguments)
            await begun.wait()
            tasks.cancel_scope.cancel()
        await wait_until((files / "people.csv.result.csv").exists)

        results = read_results(files, "people.csv")
        created = {row["id"] for row in results if row["outcome"] == "created"}
        assert created == set(service.service.contacts)
        assert 10 <= len(created) < 400
        assert {row["outcome"] for row in results} == {"created", "not_created"}
        again = await platform.call("import_contacts", **given)
        assert (again["unchanged"], again["new_contacts"]) == (len(created), 400 - len(created))


async def test_all_calls_of_a_job_wait_for_the_rate_limit():
    """No call is lost."""
    sent, limited, done, until = [], [], [], 0.0

    async def send(call: Any, _report: Any = None) -> Any:
        nonlocal until
        now = time.monotonic()
        sent.append(now)
        if len(sent) == 5:
            until = now + 0.3
        if now < until:
            limited.append(now)
            raise RateLimited("slow down", retry_after=until - now)
        return call.contact_id

    pace = JobClient(Backend(SimpleNamespace(send=send, extensions=AsyncMock(return_value=frozenset()))))

    async def work(number: int) -> None:
        done.append(await pace.send(GetContact(contact_id=f"{number:08d}{MISSING_ID[8:]}")))

    await pace.map_concurrently(range(40), work)

    assert len(done) == 40
    assert 1 <= len(limited) <= 8


@pytest.mark.parametrize(
    ("call", "changes"),
    [
        (GetContact(contact_id=MISSING_ID), 0),
        (CreateContact(name="x"), 1),
        (AddGroupMembers(group_id=MISSING_ID, contact_ids=[MISSING_ID] * 3), 3),
        (BatchContacts(creates=[CreateContact(name="x")] * 2), 2),
    ],
)
def test_write_budget_counts_the_changes_of_an_hour(call, changes):
    """Reads cost nothing, and a limit of 0 means no limit."""
    now = [0.0]
    budget = WriteBudget(5, lambda: now[0])
    budget.require(5)
    budget.spend(call)

    with pytest.raises(
        WriteBudgetExceeded, match=f"this call makes 6 changes, but only {5 - changes} of 5 per hour are left"
    ):
        budget.require(6)
    now[0] = 3_700.0
    budget.require(5)
    WriteBudget(0).require(10**9)


async def test_write_budget_stops_every_tool_for_one_caller(tmp_path):
    """Endpoint tools use the same budget as workflow tools; each caller has a separate one."""
    async with host(tmp_path / "contacts.db", write_budget=2) as directory:
        for number in range(2):
            await directory.call("create_contact", name=f"x{number}")
        line = await directory.error("create_contact", name="x3")
        await directory.call("list_contacts")

    assert line.startswith("write_budget: this call makes 1 changes, but only 0 of 2 per hour are left; ")
    budgets = WriteBudgets(1)
    budgets.for_caller("ada").spend(CreateContact(name="x"))
    budgets.for_caller("bob").spend(CreateContact(name="x"))


def make_download(size: int = 1) -> Download:
    return Download("x.csv", "text/csv", size, lambda: b"x")


async def is_kept(downloads: Downloads, uri: str, owner: str) -> bool:
    try:
        return (await downloads.fetch(uri.rpartition("/")[2], owner)).read() == b"x"
    except NotFound:
        return False


@pytest.fixture(params=["memory", "folder"])
def make_downloads(request, tmp_path):
    """Make a store that reads this clock."""

    def make(clock=time.time):
        if request.param == "memory":
            return Downloads(clock)
        return SharedDownloads(PrivateFolder(tmp_path / "exports"), "scope", None, clock)

    return make


async def test_download_is_fetched_only_by_its_owner_within_15_minutes(make_downloads):
    """Another caller and a late request get the same error."""
    now = [time.time()]
    downloads = make_downloads(lambda: now[0])
    uri = await downloads.keep(make_download(), "ada")

    assert await is_kept(downloads, uri, "ada")
    assert not await is_kept(downloads, uri, "bob")
    now[0] += 905
    assert not await is_kept(downloads, uri, "ada")


async def test_oldest_downloads_of_a_caller_are_dropped_and_no_others(make_downloads):
    downloads = make_downloads()
    other = await downloads.keep(make_download(), "bob")
    kept = [await downloads.keep(make_download(), "ada") for _ in range(40)]

    assert [await is_kept(downloads, uri, "ada") for uri in kept] == [False] * 8 + [True] * 32
    assert await is_kept(downloads, other, "bob")


async def test_large_downloads_of_a_caller_drop_only_their_own():
    downloads = Downloads()
    other = await downloads.keep(make_download(1024), "bob")
    kept = [await downloads.keep(make_download(MAX_DOWNLOAD_BYTES), "ada") for _ in range(6)]

    assert [await is_kept(downloads, uri, "ada") for uri in kept] == [False] * 2 + [True] * 4
    assert await is_kept(downloads, other, "bob")


async def test_full_store_drops_downloads_of_the_caller_with_the_most():
    downloads = Downloads()
    small = [await downloads.keep(make_download(1024), f"small {number}") for number in range(50)]
    large = [await downloads.keep(make_download(MAX_DOWNLOAD_BYTES), f"large {n // 2}") for n in range(20)]

    assert all([await is_kept(downloads, uri, f"small {number}") for number, uri in enumerate(small)])
    assert sum([await is_kept(downloads, uri, f"large {n // 2}") for n, uri in enumerate(large)]) == 7


async def test_paths_are_refused_over_a_network(tmp_path):
    """Even if the operator has configured a folder."""
    (tmp_path / "files").mkdir()
    write(tmp_path / "files", 1)
    settings = load_settings(files=tmp_path / "files")
    app = build_app(settings, Embedded(tmp_path / "contacts.db", "test"), paths=False)
    async with Client(app.server, mode=MODERN) as client:
        remote = Host(client)
        refused = [
            await remote.error("import_contacts", path="people.csv"),
            await remote.error("export_contacts", path="out.csv"),
        ]
        exported = await remote.call("export_contacts")

    assert all(line.startswith(f"invalid: path: cannot be used here: {NO_PATHS_OVER_NETWORK}") for line in refused)
    assert exported["uri"].startswith("contacts://exports/")
    assert not list((tmp_path / "files").glob("out*"))


async def test_caller_without_the_destroy_scope_cannot_overwrite(tmp_path, files):
    """A caller who may only write can plan and make small changes."""
    connection = connect(Embedded(tmp_path / "contacts.db", "test"))
    caller = Caller("ada", frozenset({Risk.READ, Risk.WRITE}))
    async with connection.lifespan():
        server = server_over(connection, backend_for=lambda _: Backend(connection, files=Folder(files)))
        identify_callers(server, {"ada": caller})
        async with Client(server, mode=MODERN, client_info=Implementation(name="ada", version="1")) as client:
            ada = Host(client)
            listed = {tool.name for tool in (await client.list_tools()).tools}
            await ada.call("create_contact", name="Ola", company_name="Old")
            plan = await ada.call("update_matching_contacts", set_company_name="New")
            line = await ada.error("update_matching_contacts", set_company_name="New", apply=True, plan=plan["plan"])

    assert {"update_matching_contacts", "import_contacts"} <= listed
    assert not {"merge_contacts", "delete_contact"} & listed
    assert line.startswith("permission_denied: this call would do more than you may do here")


async def test_audit_record_counts_what_an_import_did(tmp_path, files, caplog):
    """The record has counts and no names; a plan leaves no record."""
    caplog.set_level("INFO", "contacts_mcp.trail")
    async with host(tmp_path / "contacts.db", files=files) as directory:
        given = {"path": write(files, 3)}
        plan = await directory.call("import_contacts", **given)
        await directory.call("import_contacts", **given, apply=True, plan=plan["plan"])

    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "contacts_mcp.trail"]
    assert (line["tool"], line["outcome"], line["counts"]) == ("import_contacts", "done", {"created": 3})
    assert "Berg" not in str(line)
