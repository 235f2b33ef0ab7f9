"""Callers without READ: no tool, resource or completion shows them what others stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation, InputRequiredResult, PromptReference

from contacts_mcp.app import Embedded, connect
from contacts_mcp.contract import AddGroupMembers, CreateContact, CreateContactGroup, Risk
from contacts_mcp.directory import EXTENSIONS
from contacts_mcp.guard import Guard, GuardMode
from contacts_mcp.prompts import PROMPTS
from contacts_mcp.resources import CONTACT_URI, GROUP_URI, Completions, ResourceCatalog
from contacts_mcp.server import Caller
from contacts_mcp.tools import TOOLS, Backend, WriteBudget
from endpoint_cases import CASES
from support.hosts import MODERN, Host, Person, identify_callers, server_over, text_of, with_ids

MARK = "Sekret"
STORED = {
    "name": f"{MARK} Nordmann",
    "company_name": f"{MARK} Fjell",
    "phone_number": "+4790717233",
    "email": f"{MARK.lower()}@example.com",
    "tags": [f"{MARK} tag"],
    "notes": f"{MARK} note",
}
FRAGMENTS = (MARK, MARK.lower(), "717233")
WRITE, DELETE = frozenset({Risk.WRITE}), frozenset({Risk.DESTROY, Risk.ERASE})
CALLERS = {"reader": Caller("reader"), "writer": Caller("writer", WRITE), "deleter": Caller("deleter", DELETE)}
CALLERS["both"] = Caller("both", WRITE | DELETE)
CONFIRMED = [tool.name for tool in TOOLS if tool.risk is Risk.WRITE]
NEEDS_READ = "shows stored data, which needs the scope contacts:read; nothing was changed"


@asynccontextmanager
async def _scene(folder: Path, guard: Guard) -> AsyncIterator[tuple[Any, dict[str, str]]]:
    """A server with a directory that others have filled, and the ids of two contacts and two groups."""
    connection = connect(Embedded(folder / "contacts.db", "test"))
    async with connection.lifespan():
        server = server_over(
            backend_for=lambda _: Backend(connection, budget=WriteBudget(0), known_extensions=EXTENSIONS),
            guard=guard,
            resources=ResourceCatalog(TOOLS),
            prompts=PROMPTS,
            completions=Completions(TOOLS),
        )
        identify_callers(server, CALLERS)
        ids = {name: (await connection.send(CreateContact(**STORED))).id for name in ("ola", "kari")}
        for name in ("customers", "suppliers"):
            group = await connection.send(CreateContactGroup(name=f"{MARK} group", description=f"{MARK} words"))
            ids[name] = group.id
        await connection.send(AddGroupMembers(group_id=ids["customers"], contact_ids=[ids["ola"]]))
        yield server, ids


@asynccontextmanager
async def _connected(server: Any, name: str, person: Person | None = None) -> AsyncIterator[Host]:
    info = Implementation(name=name, version="1")
    async with Client(server, mode=MODERN, client_info=info, elicitation_callback=person) as client:
        yield Host(client)


def _calls(ids: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Calls of every tool that changes something, with and without what is stored."""
    ola, kari, group = (
        {name: ids[each]} for name, each in (("contact_id", "ola"), ("contact_id", "kari"), ("group_id", "customers"))
    )
    apply = {"apply": True, "plan": "0123456789abcdef"}
    content = f"id,name,company_name\n{ids['ola']},Test,Test\n"
    return {
        **{case.tool: [with_ids(case.arguments, ids)] for case in CASES if case.risk is not Risk.READ},
        "create_contact": [{"name": "Test"}, {"name": "Test", "phone_number": "90 71 72 33"}],
        "update_contact": [
            {**ola, "company_name": "Test"},
            {**ola, "add_tags": ["test"]},
            {**ola, "clear_fields": ["company_name"]},
            {"contact": STORED["name"], "notes": "test"},
            {"contact": FRAGMENTS[2], "notes": "test"},
        ],
        "delete_contact": [kari],
        "gdpr_delete_contact": [{**kari, "reason": "request"}],
        "remove_group_member": [{**group, **ola}, {**group, **ola}, {"group": f"{MARK} group", **ola}],
        "import_contacts": [{"content": content, "on_match": "update", **more} for more in ({}, apply)],
        "merge_contacts": [{"keep_id": ids["ola"], "merge_ids": [ids["kari"]]}],
        "update_matching_contacts": [{"set_company_name": "Test", **more} for more in ({}, apply)],
        "add_matching_to_group": [{**group, **more} for more in ({}, apply)],
        "restore_contact": [kari, ola, {"contact": STORED["name"]}],
    }


@pytest.mark.parametrize("caller", ["writer", "deleter", "both"])
@pytest.mark.parametrize(
    ("mode", "confirm"),
    [(GuardMode.ASK, ()), (GuardMode.ASK, CONFIRMED), (GuardMode.TWO_STEP, CONFIRMED), (GuardMode.BLOCK, ())],
    ids=["ask", "confirm", "two-step", "block"],
)
async def test_caller_without_read_sees_nothing_that_is_stored(tmp_path, caller, mode, confirm):
    """Neither in answers and errors nor in questions, whatever the caller may change."""
    person = Person(content={"decision": "keep"})
    shown: list[str] = []
    async with _scene(tmp_path, Guard(mode, confirm)) as (server, ids):
        calls = _calls(ids)
        assert calls.keys() == {tool.name for tool in TOOLS if tool.risk is not Risk.READ}
        async with _connected(server, caller, None if mode is GuardMode.TWO_STEP else person) as host:
            shown += [tool.model_dump_json() for tool in (await host.client.list_tools()).tools]
            for tool, given in calls.items():
                for arguments in given:
                    result = await host.client.session.call_tool(tool, arguments, allow_input_required=True)
                    assert not isinstance(result, InputRequiredResult) or tool.startswith("create_")
                    shown.append(result.model_dump_json())
            shown += [text_of(await host.raw(tool.name)) for tool in TOOLS if tool.risk is Risk.READ]

    shown += [asked.message for asked in person.asked]
    assert not [text for text in shown for fragment in FRAGMENTS if fragment in text]


async def test_refusal_names_the_missing_scope_and_nothing_is_changed(tmp_path):
    async with _scene(tmp_path, Guard()) as (server, ids):
        async with _connected(server, "both", Person(content={"decision": "delete"})) as host:
            listed = {tool.name for tool in (await host.client.list_tools()).tools}
            for tool in ("import_contacts", "merge_contacts", "update_matching_contacts", "add_matching_to_group"):
                assert NEEDS_READ in await host.error(tool, **_calls(ids)[tool][0])
                assert tool not in listed
            for tool in ("delete_contact", "gdpr_delete_contact", "delete_contact_group"):
                assert NEEDS_READ in await host.error(tool, **_calls(ids)[tool][0])
        async with _connected(server, "reader") as reader:
            assert (await reader.call("list_contacts"))["total"] == 2


async def test_writer_gets_back_only_what_the_call_said(tmp_path):
    async with _scene(tmp_path, Guard()) as (server, ids), _connected(server, "writer") as host:
        updated = await host.call("update_contact", contact_id=ids["ola"], company_name=STORED["company_name"])
        renamed = await host.call("update_contact_group", group_id=ids["customers"], name="Test")

    assert updated == {"id": ids["ola"], "changed": [{"field": "company_name"}]}, (
        "whether it differed, and from what, would tell what is stored"
    )
    assert renamed == {"id": ids["customers"], "name": "Test"}


async def test_writer_reads_no_resource_and_gets_no_completion(tmp_path):
    async with _scene(tmp_path, Guard()) as (server, ids), _connected(server, "writer") as host:
        assert (await host.client.list_resources()).resources == []
        for uri in (CONTACT_URI.format(id=ids["ola"]), GROUP_URI.format(id=ids["customers"])):
            with pytest.raises(MCPError) as failed:
                await host.client.read_resource(uri)
            assert MARK not in str(failed.value)
        ref = PromptReference(name="add_person")
        for argument in ("tag", "group"):
            found = await host.client.session.complete(ref, {"name": argument, "value": MARK[:3]})
            assert found.completion.values == []
