"""Rows of a planned import are kept for its application, and never longer than they are right."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from contacts_mcp.contract import calls
from contacts_mcp.formats import read_contacts
from contacts_mcp.tools import Backend, PlannedFiles
from contacts_mcp.tools import _import_contacts as module
from support.hosts import Host

ID = "a1b2c3d4-5678-9abc-def0-123456789abc"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The content of each file that was read, in order."""
    read: list[bytes] = []

    def read_and_note(data: bytes, **options: Any) -> Any:
        read.append(data)
        return read_contacts(data, **options)

    monkeypatch.setattr(module, "read_contacts", read_and_note)
    return read


async def test_file_is_read_once_for_its_plan_and_application(
    directory: Host, save: Callable[..., str], reads: list[bytes]
) -> None:
    path = save("name,phone", "Ola,91234567", "Ola,91234567", "Kari,", name="a.csv")
    plan = await directory.call("import_contacts", path=path)
    done = await directory.call("import_contacts", path=path, apply=True, plan=plan["plan"])
    assert (done["new_contacts"], done["duplicates"], len(reads)) == (2, 1, 1)


@pytest.mark.parametrize("other", [{"tags": ["vip"]}, {"default_region": "SE"}, {"mapping": ["phone=notes"]}])
async def test_file_is_read_again_with_other_arguments(
    directory: Host, save: Callable[..., str], reads: list[bytes], other: dict[str, Any]
) -> None:
    path = save("name,phone", "Ola,91234567")
    for given in ({}, other):
        await directory.call("import_contacts", path=path, on_match="create", **given)
    assert len(reads) >= 2


async def test_changed_file_is_read_again_and_its_old_plan_refused(directory: Host, save: Callable[..., str]) -> None:
    plan = await directory.call("import_contacts", path=save("name,phone", "Ola,91234567"))
    save("name,phone", "Kari,91234567")
    error = await directory.error("import_contacts", path="people.csv", apply=True, plan=plan["plan"])
    assert "the plan no longer fits" in error


async def test_plan_of_kept_rows_compares_them_with_the_directory_as_it_is_now(
    directory: Host, save: Callable[..., str], reads: list[bytes]
) -> None:
    path = save("name,phone", "Ola Nordmann,91234567")
    other = await directory.call("create_contact", type="person", name="Kari Hansen", phone_number="+4791234567")
    shared = await directory.call("import_contacts", path=path)
    await directory.call("update_contact", contact_id=other["id"], phone_number="+4798765432")
    alone = await directory.call("import_contacts", path=path)
    assert other["id"] in shared["sharing"][0]
    assert "sharing" not in alone
    assert len(reads) == 1


class Rows(SimpleNamespace):
    drafts: list[int]


async def test_rows_are_kept_for_their_owner_only() -> None:
    files, rows = PlannedFiles(), Rows(drafts=[1])
    files.keep("ola", "digest", rows)
    assert files.find("ola", "digest") is rows
    assert files.find("kari", "digest") is None


async def test_rows_of_the_oldest_file_are_dropped_if_all_are_too_many() -> None:
    files = PlannedFiles()
    for name in ("first", "second", "third"):
        files.keep("ola", name, Rows(drafts=[0] * 60_000))
    files.keep("ola", "too large", Rows(drafts=[0] * 200_000))
    assert [bool(files.find("ola", name)) for name in ("first", "second", "third", "too large")] == [
        False, True, True, False,
    ]  # fmt: skip


async def test_erasure_drops_the_rows_of_all_files() -> None:
    class Service:
        async def send(self, _call: object, _report: object = None) -> None: ...

    backend = Backend(Service())  # type: ignore[arg-type]
    backend.planned_files.keep("ola", "digest", Rows(drafts=[1]))
    await backend.send(calls.GdprDeleteContact(contact_id=ID, reason="asked"))
    assert backend.planned_files.find("ola", "digest") is None
