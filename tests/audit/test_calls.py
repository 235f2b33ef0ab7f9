"""What the audit trail records of calls, and that nothing is destroyed without a record."""

import asyncio
import json
import os
from typing import Any
from unittest.mock import Mock

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts_mcp.app import Embedded, Platform, build_app
from contacts_mcp.append_only_file import MAX_LINE_BYTES
from contacts_mcp.audit import TrailFile, summarize_callers, verify
from contacts_mcp.client import Credential
from contacts_mcp.contract import Risk, ValidationFailed
from contacts_mcp.middleware import CURRENT_REQUEST_ID, Refusal
from contacts_mcp.server import Caller
from contacts_mcp.server._recording import MAX_RECORDED_IDS
from contacts_mcp.settings import load_settings
from contacts_mcp.tools import TOOLS, parse_arguments
from contacts_mcp.transports.http.access import Issuer, OAuthAccess
from support.hosts import LEGACY, MISSING_ID, MODERN, Host, Person, deleted, each_era, host
from support.processes import wait_until
from support.services import CONTACT, CONTACT_ID, ScriptedServer, reply, reset

YES = {"decision": "delete", "typed": "Ola Nordmann"}
CREDENTIAL = Credential.key("wayscloud_pat_test1_NOT_TO_BE_SEEN", "test")
NO_SPACE = OSError(28, "No space left on device")
KEYS = ["seq", "time", "request", "caller", "tool", "risk", "contact_id", "consent", "consent_ms", "outcome"]


def brief(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["tool"], line["consent"], line["outcome"]


@each_era
async def test_each_kind_of_call_is_recorded(tmp_path, path, lines, era):
    """Writes and refusals leave one record, deletions and erasures one before and one after, reads none."""
    async with host(tmp_path / "contacts.db", era, Person(YES), audit=str(path)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        kari = await directory.call("create_contact", name="Kari Nordmann")
        await directory.call("get_contact", contact_id=ola["id"])
        await directory.error("get_contact", contact_id=MISSING_ID)
        await directory.error("update_contact", contact_id=MISSING_ID, name="Nobody")
        await directory.call("gdpr_delete_contact", contact_id=ola["id"], reason="asked for it")
        await directory.call("delete_contact", contact_id=kari["id"])
        await directory.error("delete_contact", contact_id="Ola Nordmann")
        await directory.error("no_such_tool_of_Nordmann")

    asked = [era == MODERN]
    assert [brief(line) for line in lines()] == [
        ("create_contact", "none_needed", "done"),
        ("create_contact", "none_needed", "done"),
        ("update_contact", "none_needed", "failed"),
        *[("gdpr_delete_contact", "asked", "asked")] * sum(asked),
        ("gdpr_delete_contact", "form_typed", "begun"),
        ("gdpr_delete_contact", "form_typed", "done"),
        *[("delete_contact", "asked", "asked")] * sum(asked),
        ("delete_contact", "form", "begun"),
        ("delete_contact", "form", "done"),
        ("delete_contact", "none", "failed"),
        ("_OTHER", "none", "refused"),
    ]
    assert verify([path]).faults == []
    by_outcome = {line["outcome"]: line for line in lines() if line["tool"] == "gdpr_delete_contact"}
    assert list(by_outcome["begun"]) == [*KEYS, "agreed_ids", "ms", "previous", "hash"]
    assert lines()[0]["created_ids"] == [ola["id"]]
    assert list(by_outcome["done"]) == [*KEYS, "erased_ids", "receipts", "begun", "ms", "previous", "hash"]
    assert (by_outcome["done"]["erased_ids"], by_outcome["done"]["receipts"]) == ([ola["id"]], [1])
    assert by_outcome["done"]["begun"] == by_outcome["begun"]["seq"]
    assert by_outcome["done"]["contact_id"] == ola["id"]
    failed = lines()[2]
    assert (failed["error"], failed["status"], failed["contact_id"]) == ("not_found", 404, MISSING_ID)


@each_era
@pytest.mark.parametrize(
    ("person", "more", "error"),
    [
        (Person(action="decline"), {}, "refused"),
        (Person({"decision": "keep"}), {}, "refused"),
        (Person(action="cancel"), {}, "refused"),
        (Person({}), {}, "refused"),
        (None, {}, "refused"),
        (Person(YES), {"guard": "block"}, "refused"),
    ],
    ids=["declined", "kept", "closed", "empty", "no form", "blocked"],
)
async def test_refusal_is_recorded(tmp_path, path, lines, era, person, more, error):
    """By a person, an incomplete form, a host that cannot ask or the operator; no record says that the call began."""
    async with host(tmp_path / "contacts.db", era, person, audit=str(path), **more) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        await directory.raw("delete_contact", contact_id=ola["id"])

    last = lines()[-1]
    assert (*brief(last), last["error"]) == ("delete_contact", "refused", "refused", error)
    assert not [line for line in lines() if line["outcome"] == "begun"]


async def test_two_step_token_is_recorded_as_unverified_consent(tmp_path, path, lines):
    """The preview is recorded as a question, and the token itself is not recorded."""
    async with host(tmp_path / "contacts.db", audit=str(path), guard="two-step") as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        preview = await directory.call("delete_contact", contact_id=ola["id"])
        token = preview["confirmation_token"]
        await directory.call("delete_contact", contact_id=ola["id"], confirmation_token=token)

    assert [(line["consent"], line["outcome"]) for line in lines()[1:]] == [
        ("asked", "asked"),
        ("two_step_not_verified", "begun"),
        ("two_step_not_verified", "done"),
    ]
    assert token not in path.read_text()


async def test_merge_is_recorded_like_a_deletion(tmp_path, path, lines):
    """The records have the risk of this call, the ids of all contacts, and at the end how many were merged."""
    async with host(tmp_path / "contacts.db", person=Person({"decision": "merge"}), audit=str(path)) as directory:
        ids = [(await directory.create())["contact_id"] for _ in range(3)]
        await directory.call("merge_contacts", keep_id=ids[0], merge_ids=ids[1:])

    begun, done = lines()[-2:]
    assert (begun["outcome"], begun["keep_id"], begun["merge_ids"]) == ("begun", ids[0], ids[1:])
    assert (done["outcome"], done["counts"]) == ("done", {"deleted": 2})


async def test_merge_of_clusters_is_recorded_with_the_contacts_of_all(tmp_path, path, lines):
    """Before it, every contact that the person agreed to."""
    async with host(tmp_path / "contacts.db", person=Person({"decision": "merge"}), audit=str(path)) as directory:
        ids = [(await directory.create())["contact_id"] for _ in range(4)]
        await directory.call("merge_contacts", clusters=[ids[:2], ids[2:]])

    begun, done = lines()[-2:]
    assert (begun["outcome"], begun["clusters"], begun["agreed_ids"]) == ("begun", [ids[:2], ids[2:]], ids)
    assert (done["outcome"], done["counts"]) == ("done", {"deleted": 2})


async def test_records_of_creations_name_what_was_created(tmp_path, path, lines):
    """A failed creation names nothing."""
    async with host(tmp_path / "contacts.db", audit=str(path)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        group = await directory.call("create_contact_group", name="Friends")
        await directory.error("create_contact", name="Kari", phone_number="nonsense" * 100)

    assert [line.get("created_ids") for line in lines()] == [[ola["id"]], [group["id"]], None]


async def import_people(directory: Host, number: int) -> list[str]:
    """Import people; their ids."""
    rows = "\n".join(["name,phone", *(f"Ola {each},9999{each:04}" for each in range(number))])
    await directory.apply("import_contacts", content=rows)
    listed = [await directory.call("list_contacts", per_page=100, page=page) for page in range(1, number // 100 + 2)]
    return [row["id"] for page in listed for row in page["contacts"]]


async def test_records_of_an_import_name_every_contact_that_was_created(tmp_path, path, lines):
    """Ids for which a record has no room are in further records, which name the first one and are counted in it."""
    number = 2 * MAX_RECORDED_IDS + 1
    async with host(tmp_path / "contacts.db", audit=str(path), default_region="NO") as directory:
        ids = await import_people(directory, number)

    first, *others = lines()
    assert (first["outcome"], first["counts"], first["parts"]) == ("done", {"created": number}, 2)
    assert [len(line["created_ids"]) for line in lines()] == [MAX_RECORDED_IDS, MAX_RECORDED_IDS, 1]
    assert sorted(each for line in lines() for each in line["created_ids"]) == sorted(ids)
    assert {(line["part_of"], line["request"], line["outcome"]) for line in others} == {
        (first["seq"], first["request"], "done")
    }
    assert max(map(len, path.read_bytes().splitlines())) < MAX_LINE_BYTES
    assert verify([path]).faults == []
    assert summarize_callers(lines())["local"].calls == {"import_contacts": {"done": 1}}


@pytest.mark.parametrize(("room", "shown", "total"), [(2, 2, None), (1, 1, 2)])
async def test_begun_record_has_the_contacts_that_the_person_agreed_to_change(
    tmp_path, path, lines, monkeypatch, room, shown, total
):
    """An import that overwrites, and adds to a group. If there are more ids than a record has room for, it says so."""
    monkeypatch.setattr("contacts_mcp.server._recording.MAX_RECORDED_IDS", room)
    person = Person({"decision": "change"})
    async with host(tmp_path / "contacts.db", MODERN, person, audit=str(path), default_region="NO") as directory:
        changed, joins, stays = [
            (await directory.call("create_contact", name=name, phone_number=phone, company_name="Old"))["id"]
            for name, phone in (("Ola", "+4799990001"), ("Kari", "+4799990002"), ("Eva", "+4799990003"))
        ]
        group = (await directory.call("create_contact_group", name="Choir"))["id"]
        await directory.call("add_group_members", group_id=group, contact_ids=[changed, stays])
        rows = "name,phone,company\nKari,99990002,Old\nOla,99990001,New\nEva,99990003,Old\nPer,99990004,Old"
        await directory.apply("import_contacts", content=rows, on_match="update", group_id=group)

    (begun,) = [line for line in lines() if line["outcome"] == "begun"]
    assert begun["agreed_ids"] == [changed, joins][:shown]
    assert begun.get("agreed_count") == total


async def test_disabled_tool_is_named_and_unknown_tool_is_not(tmp_path, path, lines):
    """A tool name that a client invents may contain personal data."""
    async with host(tmp_path / "contacts.db", audit=str(path), read_only=True) as directory:
        await directory.error("delete_contact", contact_id=MISSING_ID)
        await directory.error("delete Ola Nordmann")

    assert [(line["tool"], line["risk"], line["outcome"], line["error"]) for line in lines()] == [
        ("delete_contact", "destroy", "refused", "unknown_tool"),
        ("_OTHER", "unknown", "refused", "unknown_tool"),
    ]


async def test_call_outside_the_token_scope_is_recorded(path, lines):
    """Reads too; each known tool is named once, unknown tools are not."""
    app = build_app(load_settings(audit=str(path)), Embedded(path, "test"))
    risks = {"get_contact": Risk.READ, "delete_contact": Risk.DESTROY}
    issuer = Issuer("http://127.0.0.1:1", "https://a.example")
    access = OAuthAccess(
        issuer, resource="https://a.example", risk_of=risks.get, record_denied=app.recorder.record_rejected
    )
    served = CURRENT_REQUEST_ID.set("0123456789abcdef")
    body = [{"method": "tools/call", "params": {"name": name}} for name in (*risks, *risks, "Ola Nordmann")]
    with pytest.raises(Refusal):
        await access.authorize(Caller("oauth:x#y", frozenset({Risk.WRITE})), json.dumps(body).encode())
    CURRENT_REQUEST_ID.reset(served)

    recorded = [(line["tool"], line["caller"], line["request"], line["outcome"], line["error"]) for line in lines()]
    rest = ("oauth:x#y", "0123456789abcdef", "refused", "insufficient_scope")
    assert recorded == [("delete_contact", *rest), ("get_contact", *rest)]


@each_era
@pytest.mark.parametrize("tool", ["delete_contact", "gdpr_delete_contact"])
@pytest.mark.parametrize("broken", ["symlink", "fifo", "folder", "garbage", "no space"])
async def test_destructive_call_is_refused_if_the_trail_cannot_be_written(
    tmp_path, path, monkeypatch, era, tool, broken
):
    """Even after a person agreed: the contact is unchanged; other writes still work."""
    more = {"reason": "asked for it"} if tool == "gdpr_delete_contact" else {}
    async with host(tmp_path / "contacts.db", era, Person(YES), audit=str(path)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        if broken == "no space":
            monkeypatch.setattr(os, "fsync", Mock(side_effect=NO_SPACE))
        elif broken == "garbage":
            path.write_text("garbage\n")
        else:
            kept = path.rename(path.with_name("kept"))
            {"symlink": lambda: path.symlink_to(kept), "fifo": lambda: os.mkfifo(path), "folder": path.mkdir}[broken]()
        error = await directory.error(tool, contact_id=ola["id"], **more)
        after = await directory.call("get_contact", contact_id=ola["id"])
        await directory.call("update_contact", contact_id=ola["id"], name="Ola N")

    assert error == (
        "trail_unavailable: the audit trail cannot be written, so deletions and erasures are refused; "
        "nothing was changed; the operator has to repair the audit trail"
    )
    assert after == ola


async def test_log_has_the_reason_why_the_trail_cannot_be_written(tmp_path, path, caplog):
    """The log has the reason and the missing records, without personal data."""
    path.mkdir(parents=True)
    async with host(tmp_path / "contacts.db", person=Person(YES), audit=str(path)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        await directory.error("delete_contact", contact_id=ola["id"])

    reason = f"{path}: not a regular file"
    logged = [each.getMessage() for each in caplog.records if each.name == "contacts_mcp.server._recording"]
    assert any(
        line.startswith(f"the audit trail lacks a record: create_contact ended as done: {reason}") for line in logged
    )
    refused = "delete_contact was refused because the audit trail cannot be written"
    assert any(line.startswith(f"{refused}: {reason}") for line in logged)
    assert "Nordmann" not in caplog.text


@each_era
async def test_deletion_waits_for_its_begin_record_and_the_answer_for_its_end_record(
    tmp_path, path, lines, monkeypatch, era
):
    """`begun` is on the disk before the contact is deleted, and `done` before the caller gets the answer."""
    order: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            order.append(lines()[-1]["outcome"])

    async with host(tmp_path / "contacts.db", era, Person(YES), audit=str(path)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        monkeypatch.setattr(os, "fsync", noted)
        await directory.call("delete_contact", contact_id=ola["id"])
        order.append("answered")

    assert order == [*["asked"] * (era == MODERN), "begun", "done", "answered"]


async def test_answer_is_true_even_if_the_end_cannot_be_recorded(tmp_path, path, lines, monkeypatch, caplog):
    """The log reports the gap, the next deletion is refused, and `verify` lists the call as unfinished."""
    sync, left = os.fsync, [2]  # the question and the beginning

    def fails_at_the_end(descriptor: int) -> None:
        if not left[0]:
            raise NO_SPACE
        left[0] -= path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
        sync(descriptor)

    async with host(tmp_path / "contacts.db", person=Person(YES), audit=str(path)) as directory:
        ola, kari = [await directory.call("create_contact", name=name) for name in ("Ola Nordmann", "Kari Nordmann")]
        monkeypatch.setattr(os, "fsync", fails_at_the_end)
        done = await directory.call("delete_contact", contact_id=ola["id"])
        refused = await directory.error("delete_contact", contact_id=kari["id"])
        monkeypatch.undo()
        await directory.call("delete_contact", contact_id=kari["id"])

    assert done == deleted(ola["id"], "Ola Nordmann")
    assert refused.startswith("trail_unavailable")
    assert "the audit trail lacks the end of record 4: delete_contact ended as done" in caplog.text
    assert verify([path]).faults == []
    assert verify([path]).unfinished == [4]
    assert lines()[-1]["outcome"] == "done"


async def test_destructive_call_is_refused_if_the_disk_hangs(tmp_path, path, monkeypatch):
    """It waits only for the timeout, and other calls do not wait at all."""
    hanging = asyncio.Event()
    monkeypatch.setattr("contacts_mcp.audit._trail.WRITE_TIMEOUT_SECONDS", 0.2)

    async def never(_self: TrailFile, _fields: object, *, durable: bool) -> None:
        if durable:
            await hanging.wait()

    async with host(tmp_path / "contacts.db", person=Person(YES), audit=str(path)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        monkeypatch.setattr(TrailFile, "append", never)
        error = await directory.error("delete_contact", contact_id=ola["id"])
        after = await directory.call("get_contact", contact_id=ola["id"])

    assert error.startswith("trail_unavailable")
    assert after == ola


@pytest.mark.parametrize(
    ("answers", "outcome", "error", "status"),
    [
        ([reply(204)], "done", None, None),
        ([reply(403)], "failed", "permission_denied", 403),
        ([reply(500)], "unknown", "server_fault", 500),
        ([reset], "unknown", "outcome_unknown", None),
        ([reply(502)], "unknown", "outcome_unknown", 502),
    ],
    ids=["done", "forbidden", "failed", "lost", "gateway"],
)
async def test_answer_of_the_service_is_recorded(path, lines, answers, outcome, error, status):
    """An error of the service is no refusal of this server, and after a lost answer the outcome is unknown."""
    erased = {"contact_id": CONTACT_ID, "reason": "asked for it"}
    async with ScriptedServer() as service:
        read = (reply(200, CONTACT), reply(200, {"contacts": [], "total": 0}))  # the contact, and others of its name
        service.answers(reply(404), *read, *read, *answers, reply(404))
        async with host(Platform(CREDENTIAL, service.url), LEGACY, Person(YES), audit=str(path)) as directory:
            await directory.raw("gdpr_delete_contact", **erased)

    end = lines()[-1]
    assert (end["outcome"], end.get("error"), end.get("status")) == (outcome, error, status)
    assert end["begun"] == lines()[-2]["seq"]


async def test_end_of_a_cancelled_call_is_recorded(path, lines):
    """The host cancelled while the service was deleting, so the outcome is unknown."""
    asked, never = asyncio.Event(), asyncio.Event()

    async def hang(_writer: asyncio.StreamWriter) -> None:
        asked.set()
        await never.wait()

    async with ScriptedServer() as service:
        service.answers(reply(200, CONTACT), reply(200, CONTACT), hang)
        async with host(Platform(CREDENTIAL, service.url), LEGACY, Person(YES), audit=str(path)) as directory:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: directory.raw("delete_contact", contact_id=CONTACT_ID))
                await asked.wait()
                tasks.cancel_scope.cancel()
            await wait_until(lambda: lines()[-1]["outcome"] != "begun")

    assert [line["outcome"] for line in lines()] == ["begun", "unknown"]


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=5, max_size=30)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=NAMES, number=st.from_regex(r"\+47[49][0-9]{7}", fullmatch=True), note=NAMES, reason=NAMES)
async def test_records_hold_no_personal_data(tmp_path_factory, name, number, note, reason):
    """For any names and notes, in any argument of any tool."""
    folder = tmp_path_factory.mktemp("trail")
    name, note, reason = (f"Sekret{text}Sekret" for text in (name, note, reason))
    email = "sekret@example.com"
    person = Person({"decision": "delete", "typed": name})
    async with host(folder / "contacts.db", person=person, audit=str(folder / "audit.jsonl")) as directory:
        known = {"name": name, "phone_number": number, "email": email, "notes": note, "tags": [note]}
        ola = await directory.raw("create_contact", **known)
        ids = {"contact_id": (ola.structured_content or {}).get("id", MISSING_ID)}
        for tool in TOOLS:
            for arguments in (
                known,
                ids,
                {**ids, "reason": reason},
                dict.fromkeys(tool.target_args, name),
                {"name": name},
            ):
                await directory.raw(tool.name, **arguments)
        await directory.raw(name, **known)

    written = (folder / "audit.jsonl").read_text().casefold()
    assert written.count("\n") > 50
    assert "sekret" not in written
    assert number[1:] not in written


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.target_args], ids=lambda tool: tool.name)
def test_arguments_that_are_recorded_hold_only_ids(tool):
    """A text is refused, or looked up as a name: then the id that was found takes its place."""
    for aim in tool.target_args:
        for text in ("Ola Nordmann", f"{MISSING_ID} Ola", "+4799999999"):
            value = {"merge_ids": [text], "clusters": [[MISSING_ID, text]]}.get(aim, text)
            others = [] if aim == "clusters" else [name for name in tool.target_args if name != "clusters"]
            given = {name: [MISSING_ID] if "merge_ids" in name else MISSING_ID for name in others}
            assert recorded(tool, {**given, aim: value}, aim) in (None, MISSING_ID)


def recorded(tool, arguments, aim):
    """What the trail would have of an argument; None if the call is refused."""
    try:
        return getattr(parse_arguments(tool.arguments, tool.input_schema, arguments).arguments, aim)
    except ValidationFailed:
        return None
