"""Records that are written to mislead: sanitized and shortened in answers, unchanged in the directory."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference
from pydantic import BaseModel

from contacts_mcp.text import sanitize
from support.hosts import LEGACY, MODERN, Host, Person, each_era, enter_in_one_task, host, host_of_service, text_of
from support.texts import HIDING, MARK, TEXTS, UNSEEN, unseen_in
from support.trust_summary import Tried
from trust.outcomes import CLUSTERS, NAMES, UNDO, arguments_by_call

NOTE = "Trillian"
"""Part of every note, and of no other field."""
MAX_ANSWER_LENGTH = 45_000
MAX_TEXT_LENGTH = 12_100
"""Characters of a note when it is shown; it is the longest value."""
MAX_QUESTION_LENGTH = 3_000


@dataclass(frozen=True)
class Kept:
    """A contact as given and as stored: equal except for white space."""

    given: dict[str, Any]

    @property
    def row(self) -> tuple[str, str, str, str]:
        line = {name: " ".join(self.given[name].split()) for name in ("name", "company_name")}
        return line["name"], line["company_name"], self.given["phone_number"].strip(), self.given["notes"].strip()

    @property
    def tag(self) -> str:
        return " ".join(self.given["tags"][0].split())


def storable(text: str) -> str:
    return text.replace("\0", "")


RECORDS = [
    Kept(
        {
            "name": storable(text)[:250] + str(number),
            "company_name": storable(text)[:250],
            "phone_number": storable(text)[:60],
            "tags": [storable(text)[:60]],
            "notes": (f"{NOTE} {storable(text)}\n" * 2_000)[:9_999],
        }
    )
    for number, text in enumerate(TEXTS)
]


@dataclass(frozen=True)
class World:
    """A host over a directory of such records, and the person who is asked about them."""

    host: Host
    person: Person
    file: Path
    contacts: list[str]
    group: str


@pytest_asyncio.fixture(params=[LEGACY, MODERN])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    files, file, person = tmp_path / "files", tmp_path / "contacts.db", Person(action="decline")
    files.mkdir()
    async with enter_in_one_task(host(file, request.param, person, files=files, write_budget=0)) as connected:
        contacts = [(await connected.call("create_contact", **kept.given))["id"] for kept in RECORDS]
        for kept in RECORDS:
            about = {"name": kept.given["name"], "description": storable(kept.given["notes"])[:1_000].replace(NOTE, "")}
            group = await connected.call("create_contact_group", **about)
        await connected.call("add_group_members", group_id=group["id"], contact_ids=contacts)
        yield World(connected, person, file, contacts, group["id"])


async def test_hostile_text_is_stored_unchanged(world: World, tried: Tried) -> None:
    """Text is sanitized when it is shown, not when it is stored."""
    with sqlite3.connect(world.file) as looking:
        rows = looking.execute("SELECT name, company_name, phone_number, notes, tags FROM contacts ORDER BY seq")
        found = rows.fetchall()
    looking.close()

    assert [row[:4] for row in found] == [kept.row for kept in RECORDS]
    assert [json.loads(row[4]) for row in found] == [[kept.tag] for kept in RECORDS]
    tried("bad inputs tried", len(RECORDS))


async def test_model_reads_only_visible_bounded_text(world: World, tried: Tried) -> None:
    """Covers answers of every tool that reads or plans, resources, completions and prompts."""
    count = 0
    async for what, shown in everything(world):
        assert_harmless(what, shown)
        count += 1

    tried("bad inputs tried", count)


async def everything(world: World) -> AsyncIterator[tuple[str, Any]]:
    """All calls that show such records, or get such values."""
    for contact in world.contacts:
        yield "get_contact", await answer(world.host, "get_contact", contact_id=contact)
        found = await world.host.client.read_resource(f"contacts://contacts/{contact}")
        yield "resource of a contact", found.model_dump(mode="json")
    for tool in ("list_contacts", "list_contact_groups", "find_duplicate_contacts"):
        yield tool, await answer(world.host, tool)
    for tool in ("get_contact_group", "list_group_members", "check_group_audience"):
        yield tool, await answer(world.host, tool, group_id=world.group)
    for number, kept in enumerate(RECORDS):
        async for seen in about(world, number, kept):
            yield seen
    yield "resources", (await world.host.client.list_resources()).model_dump(mode="json")
    members = await world.host.client.read_resource(f"contacts://groups/{world.group}/members")
    yield "resource of a group", members.model_dump(mode="json")


async def about(world: World, number: int, kept: Kept) -> AsyncIterator[tuple[str, Any]]:
    tag, name, client = kept.given["tags"][0], kept.given["name"], world.host.client
    yield "find_contacts", await answer(world.host, "find_contacts", query=name)
    yield "search", await answer(world.host, "list_contacts", search=name, tags=[tag])
    yield "matching", await answer(world.host, "update_matching_contacts", tags=[tag], set_company_name=name)
    yield "joining", await answer(world.host, "add_matching_to_group", tags=[tag], group_id=world.group)
    yield "no tool", text_of(await world.host.raw(name))
    yield "update", await answer(world.host, "update_contact", contact_id=world.contacts[number], add_tags=[name[:60]])
    rows = f"{quoted(name)},Phone,{quoted(tag)}\n{quoted(name)},{quoted(tag)},{quoted(kept.given['notes'])}\n"
    yield "import", await answer(world.host, "import_contacts", content=rows, mapping=[f"{name.strip()}=name"])
    cards = f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nTEL:{tag}\nCATEGORIES:{tag}\nEND:VCARD\n"
    yield "import of cards", await answer(world.host, "import_contacts", content=cards)
    for reference, argument in COMPLETED:
        for typed in ("", name[:5]):
            given = {"name": argument, "value": typed}
            yield "completion", await or_error(client.complete(reference, given))
    for prompt in (await client.list_prompts()).prompts:
        given = {each.name: name for each in prompt.arguments or ()}
        yield prompt.name, await or_error(client.get_prompt(prompt.name, given))
        yield "prompt's argument", await or_error(client.get_prompt(prompt.name, {name: name}))
    yield "no address", await or_error(client.read_resource(f"contacts://contacts/{name}"))


COMPLETED = [
    (PromptReference(name="prepare_sms_audience"), "tag"),
    (PromptReference(name="prepare_sms_audience"), "group"),
    (ResourceTemplateReference(uri="contacts://groups/{id}"), "id"),
]


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


async def answer(connected: Host, tool: str, **arguments: Any) -> dict[str, Any]:
    return (await connected.raw(tool, **arguments)).model_dump(mode="json")


async def or_error(asking: Awaitable[BaseModel]) -> Any:
    """The answer, or the message of the protocol error."""
    try:
        return (await asking).model_dump(mode="json")
    except MCPError as error:
        return error.error.message


def assert_harmless(what: str, shown: Any) -> None:
    """Assert that it has no invisible or overlong text and no internal error."""
    assert not unseen_in(shown), what
    written = json.dumps(shown, ensure_ascii=False)
    assert "internal_error" not in written, what
    if isinstance(shown, dict) and "content" in shown:
        (text,) = (block["text"] for block in shown["content"] if block["type"] == "text")
        assert len(text) <= MAX_ANSWER_LENGTH, what
        if not shown["is_error"]:
            assert json.loads(text) == shown["structured_content"], what
            assert max(map(len, re.findall(r'"(?:[^"\\]|\\.)*"', text)), default=0) <= MAX_TEXT_LENGTH * 2, what


async def test_hostile_text_stays_inside_the_quotes_of_a_question(world: World, tried: Tried) -> None:
    """It starts no line, ends no quotation and hides nothing. Notes are never shown."""
    asked = 0
    for number, contact in enumerate(world.contacts):
        for tool, arguments in (
            ("delete_contact", {"contact_id": contact}),
            ("gdpr_delete_contact", {"contact_id": contact, "reason": "asked for"}),
            ("merge_contacts", {"keep_id": contact, "merge_ids": [world.contacts[number - 1]]}),
        ):
            await world.host.raw(tool, **arguments)
            asked += 1
    await world.host.raw("delete_contact_group", group_id=world.group)
    everybody = await world.host.call("update_matching_contacts", set_company_name="Company")
    await world.host.raw("update_matching_contacts", set_company_name="Company", apply=True, plan=everybody["plan"])

    assert len(world.person.asked) >= asked * 2 / 3  # notes that do not fit together are refused without a question
    for params in world.person.asked:
        assert_is_plain(params.message)
        assert not unseen_in(params.model_dump(mode="json"))
    tried("bad inputs tried", len(world.person.asked))


def assert_is_plain(question: str) -> None:
    assert MARK not in re.sub(r'"[^"\n]*"', "", question)
    assert question.count('"') % 2 == 0
    assert NOTE not in question
    assert len(question) <= MAX_QUESTION_LENGTH


@each_era
async def test_hostile_text_stays_inside_the_quotes_of_a_preview(tmp_path: Path, era: str, tried: Tried) -> None:
    """In two-step mode the model shows the preview to the person."""
    async with host(tmp_path / "contacts.db", era, guard="two-step", confirm=["update_contact"]) as connected:
        for kept in RECORDS:
            contact = (await connected.call("create_contact", **kept.given))["id"]
            preview = await connected.call("delete_contact", contact_id=contact)
            assert not unseen_in(preview)
            assert_is_plain(preview["question"])
            change = {"name": kept.given["name"][:100], "tags": kept.given["tags"], "notes": kept.given["notes"]}
            assert_is_plain((await connected.call("update_contact", contact_id=contact, **change))["question"])

    tried("bad inputs tried", len(RECORDS) * 2)


def test_every_invisible_character_is_sanitized(tried: Tried) -> None:
    left = {character for character in UNSEEN if sanitize(f"a{character}b", 10) != "ab"}

    assert not left, sorted(f"U+{ord(character):04X}" for character in left)
    tried("bad inputs tried", len(UNSEEN))


ID = "a1b2c3d4-5678-9abc-def0-{:012d}"
LARGE = [f"{MARK}{'x' * 1_000_000}", f"{MARK}{chr(0xE0041) * 80_000}", MARK + "\u202e\u0301" * 80_000, "\ud800" * 9]


def record(text: str, number: int) -> dict[str, Any]:
    """A contact or a group with hostile values in all fields except its id."""
    hostile = dict.fromkeys(("type", "company_name", "phone_number", "email", "description", text), text)
    lists = {"tags": [text, f"{text}2"], "notes": f"{NOTE}{text}", "member_count": 3}
    return {"id": ID.format(number), "name": f"{text}{number}", **hostile, **lists}


def service_of(text: str) -> Callable[[httpx.Request], httpx.Response]:
    """A service whose records are all hostile."""

    rows = [record(text, number) for number in range(2)]
    one = json.dumps({**rows[0], "added": 1})
    lists = {name: json.dumps({name: rows, "total": 3, text: text}) for name in ("contacts", "groups", "members")}

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/v1/directory"):
            return httpx.Response(404, content=json.dumps({"error": {"code": text[:99], "message": text[:1_000]}}))
        is_one = re.search(r"/[0-9a-f]{8}-[0-9a-f-]{27}$", request.url.path) or request.method == "POST"
        return httpx.Response(200, content=one if is_one else lists[request.url.path.rpartition("/")[2]])

    return respond


_BY_CALL = arguments_by_call({name: ID.format(number % 2) for number, name in enumerate(NAMES)})
CALLS = {
    **{tool: arguments for tool, arguments in _BY_CALL.items() if tool not in (CLUSTERS, UNDO)},
    "find_contacts": {"query": MARK},
    "import_contacts": {"content": f"name\n{MARK}\n", "on_match": "update"},
    "update_matching_contacts": {"set_company_name": "Company"},
    "add_matching_to_group": {"group_id": ID.format(0)},
    "merge_contacts": {"keep_id": ID.format(0), "merge_ids": [ID.format(1)]},
    "export_contacts": {},
    "list_contacts": {},
}
"""Arguments by tool."""


@each_era
@pytest.mark.parametrize("text", [*TEXTS, *LARGE], ids=lambda text: ascii(text[:12]))
async def test_hostile_records_of_a_service_are_sanitized(era: str, text: str, tried: Tried) -> None:
    """Includes records that the API does not allow: a name of a megabyte, surrogates, wrong types."""
    person = Person(action="decline")
    async with host_of_service(service_of(text), era, person) as connected:
        for tool, arguments in CALLS.items():
            assert_harmless(tool, await answer(connected, tool, **arguments))

    for params in person.asked:
        assert_is_plain(params.message)
    tried("bad inputs tried", len(CALLS))


def complaints(text: str) -> Iterator[httpx.Response]:
    """Errors in every shape, and in none."""
    headers = {"Retry-After": ascii(text)[:500], "X-Request-ID": ascii(text)[:500]}
    for status in (400, 404, 418, 422, 500):
        for body in (
            {"error": {"code": text, "message": text, "details": {"field": text, "expected": text}}},
            {"detail": text},
            {"detail": [{"loc": ["body", text], "msg": text, "input": text}] * 7},
            {"error": text, "message": [text]},
            [text],
        ):
            yield httpx.Response(status, content=json.dumps(body), headers=headers)
        yield httpx.Response(status, content=text.encode("utf-8", "replace"), headers=headers)


@pytest.mark.parametrize("text", [*TEXTS, LARGE[2][:20_000]], ids=lambda text: ascii(text[:12]))
async def test_hostile_error_of_a_service_becomes_one_line(text: str, tried: Tried) -> None:
    """Its text is quoted and shortened."""
    wanted = iter(complaints(text))
    answered: list[httpx.Response] = []
    async with host_of_service(lambda _: answered[-1]) as connected:
        for number, response in enumerate(wanted):
            answered.append(response)
            line = await connected.error("update_contact", contact_id=ID.format(number), name="Ola")
            assert not unseen_in(line)
            assert "\n" not in line
            assert len(line) <= 1_100
            assert not line.startswith("internal_error")

    tried("bad inputs tried", len(answered))


def test_search_finds_every_hiding_text() -> None:
    assert all(unseen_in(text) for text in HIDING[:-1])
