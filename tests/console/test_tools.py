"""What the tools of the console show and do on this computer."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from console.conftest import Start
from console.pages import Computer, Page
from contacts_mcp.app import build_app, choose_backend, open_shared_state
from contacts_mcp.directory import Directory
from contacts_mcp.server import Ways
from contacts_mcp.settings import load_settings
from support.hosts import LEGACY, Host


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits a moment for a person instead of 45 seconds, and the page of this computer opens."""
    monkeypatch.setattr("contacts_mcp.app._server.Ways", lambda *args, **more: Ways(*args, **more, hold_seconds=0.05))
    monkeypatch.setattr("contacts_mcp.app._pages.has_browser", lambda: True)
    monkeypatch.setattr("contacts_mcp.approval_page._loopback.open_in_browser", opened)


async def opened(_address: str) -> bool:
    return True


@pytest.fixture
async def page(computer: Computer) -> Page:
    return await computer.enter()


class Assistant:
    """The server that a host on the same computer starts, for the same directory."""

    def __init__(self, home: Path) -> None:
        settings = load_settings(directory=home / "contacts.db", audit=str(home / "audit.jsonl"))
        backend = choose_backend(settings, home)
        state, _ = open_shared_state(settings, backend)
        self.server = build_app(settings, backend, shared_state=state).server


async def ask_to_delete(home: Path, **values: Any) -> str:
    """Let an assistant try to delete a contact; the contact's id."""
    async with Client(Assistant(home).server, mode=LEGACY, raise_exceptions=False) as client:
        model = Host(client)
        ola = await model.call("create_contact", name="Ola Nordmann", **values)
        await model.declined("delete_contact", contact_id=ola["id"])
        return str(ola["id"])


async def repeat_deletion(home: Path, contact_id: str) -> dict[str, Any]:
    async with Client(Assistant(home).server, mode=LEGACY, raise_exceptions=False) as client:
        return await Host(client).call("delete_contact", contact_id=contact_id)


async def test_person_approves_what_an_assistant_on_this_computer_asks(page: Page, tmp_path: Path) -> None:
    ola = await ask_to_delete(tmp_path, email="ola@example.com")
    (waiting,) = (await page.call("list_approvals"))["approvals"]
    assert (waiting["tool"], waiting["is_own"]) == ("delete_contact", True)
    assert waiting["prompt"]["verb"] == "Delete"
    assert '"Ola Nordmann"' in waiting["prompt"]["label"]
    assert waiting["prompt"]["yes"] == "delete"

    assert await page.call("decide_approval", id=waiting["id"], agree=True) == {"is_approved": True, "waiting": 0}

    done = await repeat_deletion(tmp_path, ola)
    assert (done["consent"], done.get("done", True)) == ("person", True)
    records = (await page.call("read_audit_trail", tool="delete_contact", outcome="done"))["records"]
    assert [(each["consent"], each["approver"]) for each in records] == [("page", "this computer")]


async def test_person_keeps(page: Page, tmp_path: Path) -> None:
    ola = await ask_to_delete(tmp_path)
    (waiting,) = (await page.call("list_approvals"))["approvals"]

    assert await page.call("decide_approval", id=waiting["id"], agree=False) == {"is_approved": False, "waiting": 0}

    assert "the person declined" in (await repeat_deletion(tmp_path, ola))["reason"]
    assert (await page.error("decide_approval", id=waiting["id"], agree=True)).startswith("outdated")


async def test_erasure_needs_the_right_name(page: Page, tmp_path: Path) -> None:
    async with Client(Assistant(tmp_path).server, mode=LEGACY, raise_exceptions=False) as client:
        model = Host(client)
        ola = await model.call("create_contact", name="Ola Nordmann")
        erasure = {"contact_id": ola["id"], "reason": "request"}
        await model.declined("gdpr_delete_contact", **erasure)
        (waiting,) = (await page.call("list_approvals"))["approvals"]
        assert waiting["prompt"]["phrase"] == "Ola Nordmann"

        for typed in ("", "Ola"):
            assert "refused" in await page.error("decide_approval", id=waiting["id"], agree=True, typed=typed)
        assert "not part of the question" in await page.error(
            "decide_approval", id=waiting["id"], agree=True, typed="Ola Nordmann", also=["something"]
        )
        await page.call("decide_approval", id=waiting["id"], agree=True, typed="ola  nordmann".title())

        assert (await model.call("gdpr_delete_contact", **erasure))["erased"]
    receipts = await page.call("list_receipts")
    assert receipts["total"] == 1
    assert receipts["receipts"][0]["contact_id"] == ola["id"]
    assert "Nordmann" not in json.dumps(receipts)


async def test_question_whose_target_has_changed_cannot_be_approved(page: Page, tmp_path: Path) -> None:
    ola = await ask_to_delete(tmp_path)
    await page.call("update_contact", contact_id=ola, name="Ola Nordmann Berg")

    (waiting,) = (await page.call("list_approvals"))["approvals"]
    assert "prompt" not in waiting
    assert waiting["problem"] == "the target was changed after the assistant asked"
    assert (await page.error("decide_approval", id=waiting["id"], agree=True)).startswith("outdated")


async def test_settings_without_pages_leave_decisions_to_other_ways(start: Start) -> None:
    page = await (await start(approval=["form"])).enter()

    assert "decide_approval" not in await page.tools()
    assert "No decisions are taken" in (await page.call("list_approvals"))["reason"]


async def test_trail_is_filtered_and_paged(page: Page) -> None:
    ids = [(await page.call("create_contact", name=f"Name {number}"))["id"] for number in range(5)]
    await page.call("update_contact", contact_id=ids[0], name="Other")

    first = await page.call("read_audit_trail", limit=4)
    assert [each["seq"] for each in first["records"]] == [6, 5, 4, 3]
    rest = await page.call("read_audit_trail", limit=4, before=first["next"])
    assert [each["seq"] for each in rest["records"]] == [2, 1]
    assert "next" not in rest
    assert first["sees_all"]

    assert len((await page.call("read_audit_trail", tool="create_contact"))["records"]) == 5
    assert len((await page.call("read_audit_trail", record_id=f" {ids[0].upper()} "))["records"]) == 2
    assert (await page.call("read_audit_trail", outcome="failed"))["records"] == []


async def test_verification_finds_a_changed_record(page: Page, tmp_path: Path) -> None:
    for number in range(3):
        await page.call("create_contact", name=f"Name {number}")
    report = await page.call("verify_audit_trail")
    assert (report["is_unbroken"], report["records"], report["last"]) == (True, 3, 3)

    trail = tmp_path / "audit.jsonl"
    trail.write_bytes(trail.read_bytes().replace(b'"done"', b'"none"', 1))

    report = await page.call("verify_audit_trail")
    assert (report["is_unbroken"], report["faults"]) == (False, ["record 1 was changed"])


async def test_trail_that_is_in_no_file(start: Start) -> None:
    page = await (await start(audit="stderr")).enter()

    line = await page.error("read_audit_trail")
    assert line.startswith("no_trail: this server writes its audit trail to no file")
    assert "CONTACTS_MCP_AUDIT" in line


async def test_receipts_are_paged(page: Page, tmp_path: Path) -> None:
    ids = [(await page.call("create_contact", name=f"Name {number}"))["id"] for number in range(3)]
    async with Directory(tmp_path / "contacts.db") as directory:
        for each in ids:
            await directory.maintenance.erase_contacts([each], "Article 17")

    first = await page.call("list_receipts", limit=2)
    assert [each["number"] for each in first["receipts"]] == [3, 2]
    assert (first["total"], first["next"]) == (3, 2)
    rest = await page.call("list_receipts", limit=2, before=2)
    assert [each["contact_id"] for each in rest["receipts"]] == [ids[0]]
    assert rest["receipts"][0]["reason"] == "Article 17"


async def test_backups_are_the_files_of_the_configured_folder(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for number, name in enumerate(("old.db", "new.db")):
        (folder / name).write_bytes(b"x" * (number + 1))
        os.utime(folder / name, (1e9 + number, 1e9 + number))
    (folder / ".new.db.1.partial").touch()
    (folder / "folder").mkdir()
    (folder / "link").symlink_to(tmp_path / "contacts.db")
    page = await (await start(backups=folder)).enter()

    listed = (await page.call("list_backups"))["backups"]
    assert [(each["name"], each["bytes"]) for each in listed] == [("new.db", 2), ("old.db", 1)]


async def test_backups_without_a_folder_say_what_to_set(start: Start, tmp_path: Path) -> None:
    page = await (await start()).enter()
    assert "CONTACTS_MCP_BACKUPS" in (await page.call("list_backups"))["reason"]

    page = await (await start(backups=tmp_path / "nothing")).enter()
    reason = (await page.call("list_backups"))["reason"]
    assert reason == "The folder of backups cannot be read: No such file or directory."


async def test_invalid_arguments_are_named_without_their_values(page: Page) -> None:
    line = await page.error("read_audit_trail", limit=1_000, secret="Ola")

    assert line.startswith("invalid: limit: ")
    assert "secret: Extra inputs are not permitted" in line
    assert "Ola" not in line
    assert "1000" not in line
