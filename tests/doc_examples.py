"""One call of each tool on an embedded directory with fixed data, for docs/tools.md."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mcp import Client
from mcp_types import ElicitRequestFormParams, ElicitResult

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.settings import load_settings
from endpoint_cases import CONTACTS, GROUPS, cases_not_in
from support.hosts import with_ids

CSV = "First Name,Last Name,Mobile Phone,E-mail Address\nIngrid,Moe,900 00 003,ingrid@example.com\n"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"20\d\d-\d\d-\d\d([T\u00a0 ])\d\d:\d\d(:\d\d)?")
_FINGERPRINT = re.compile(r'("plan": ?)"[^"]*"')
_EXPORT_NAME = re.compile(r"contacts-\d{8}-\d{6}-\w+")


@dataclass(frozen=True)
class Example:
    """A call, the question that a person was asked (if any), and the answer."""

    tool: str
    arguments: dict[str, Any]
    question: str
    answer: dict[str, Any]


Call = Callable[..., Awaitable[dict[str, Any]]]


def tool_examples() -> list[Example]:
    """Run every example, in the order in which they depend on each other."""
    return asyncio.run(_run())


def stable(text: str) -> str:
    """A text with ids, times and fingerprints that are the same in every run."""
    ids = {found: number for number, found in reversed(list(enumerate(_UUID.findall(text), 1)))}
    numbers = {found: number for number, found in enumerate(sorted(ids, key=ids.__getitem__), 1)}
    text = _UUID.sub(lambda found: f"{numbers[found[0]]:08d}-0000-4000-8000-000000000000", text)
    text = _TIME.sub(lambda found: f"2026-11-24{found[1]}09:00{':00' if found[2] else ''}", text)
    text = _EXPORT_NAME.sub("contacts-20261124-090000-000000", text)
    return _FINGERPRINT.sub(r'\1"5f0c2f6d9a415f0c"', text)


async def _run() -> list[Example]:
    examples: list[Example] = []
    questions: list[str] = []

    async def agree(context: object, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        questions.append(params.message)
        ((name, field),) = params.requested_schema["properties"].items()
        return ElicitResult(action="accept", content={name: field["enum"][-1] if "enum" in field else "Kari Nordmann"})

    with TemporaryDirectory() as folder:
        app = build_app(load_settings(), Embedded(Path(folder, "contacts.db"), "an example"))
        async with Client(app.server, mode="2026-07-28", elicitation_callback=agree) as client:

            async def call(tool: str, *, shown: bool = True, **arguments: Any) -> dict[str, Any]:
                questions.clear()
                result = await client.call_tool(tool, arguments)
                assert not result.is_error, result.content
                if shown:
                    examples.append(Example(tool, arguments, "".join(questions), result.structured_content))
                return result.structured_content

            await _contacts(call)
            await _groups(call)
            await _jobs(call)
            await _deletions(call)
            await _others(call, {example.tool for example in examples})
    return examples


async def _contacts(call: Call) -> None:
    ola = await call("create_contact", name="Ola Nordmann", phone_number="+4799999999", tags=["vip"])
    await call("create_contact", shown=False, name="Kari Nordmann", phone_number="+4790000001", tags=["oslo"])
    await call("create_contact", shown=False, name="Bjørn Håkonsen", phone_number="900 00 002", tags=["vip"])
    await call("list_contacts", tags=["vip"])
    await call("update_contact", contact_id=ola["id"], email="ola@example.com", add_tags=["oslo"])
    await call("get_contact", contact_id=ola["id"])
    await call("find_contacts", query="hakonsen bjorn")


async def _groups(call: Call) -> None:
    group = await call("create_contact_group", name="VIP customers")
    found = await call("list_contacts", shown=False, search="ola nordmann")
    ids = [contact["id"] for contact in found["contacts"]]
    await call("update_contact_group", group_id=group["id"], description="Invited to the launch")
    await call("add_group_members", group_id=group["id"], contact_ids=ids)
    await call("list_group_members", group_id=group["id"])
    await call("remove_group_member", group_id=group["id"], contact_id=ids[0])
    plan = await call("add_matching_to_group", group_id=group["id"], tags=["vip"])
    await call("add_matching_to_group", group_id=group["id"], tags=["vip"], apply=True, plan=plan["plan"])
    await call("get_contact_group", group_id=group["id"])
    await call("list_contact_groups")
    await call("check_group_audience", group_id=group["id"])


async def _jobs(call: Call) -> None:
    plan = await call("import_contacts", content=CSV, default_region="NO")
    await call("import_contacts", content=CSV, default_region="NO", apply=True, plan=plan["plan"])
    change = {"tags": ["vip"], "normalize_phones": True, "default_region": "NO"}
    plan = await call("update_matching_contacts", **change)
    await call("update_matching_contacts", **change, apply=True, plan=plan["plan"])
    await call("create_contact", shown=False, name="Nordmann, Ola", phone_number="+47 999 99 999", notes="Met in Oslo")
    found = await call("find_duplicate_contacts")
    keep, merged = (contact["id"] for contact in found["clusters"][0]["contacts"])
    await call("merge_contacts", keep_id=keep, merge_ids=[merged])
    await call("export_contacts", format="vcard", tags=["vip"])


async def _deletions(call: Call) -> None:
    kari = (await call("list_contacts", shown=False, search="kari"))["contacts"][0]["id"]
    await call("gdpr_delete_contact", contact_id=kari, reason="Request of 3 March")
    ingrid = (await call("list_contacts", shown=False, search="ingrid"))["contacts"][0]["id"]
    await call("delete_contact", contact_id=ingrid)
    await call("list_deleted_contacts", search="ingrid")
    await call("restore_contact", contact_id=ingrid)
    group = (await call("list_contact_groups", shown=False))["groups"][0]["id"]
    await call("delete_contact_group", group_id=group)


async def _others(call: Call, shown: set[str]) -> None:
    """The cases of all other endpoints, each with records of its own."""
    for case in cases_not_in(shown):
        names = {name: f"{name.title()} Nordmann" for name in CONTACTS} | {name: name.title() for name in GROUPS}
        tools = {**dict.fromkeys(CONTACTS, "create_contact"), **dict.fromkeys(GROUPS, "create_contact_group")}
        ids = {name: (await call(tools[name], shown=False, name=full))["id"] for name, full in names.items()}
        await call("add_group_members", shown=False, group_id=ids["customers"], contact_ids=[ids["ola"]])
        await call(case.tool, **with_ids(case.arguments, ids))
