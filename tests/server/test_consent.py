"""`consent` in the answers of guarded changes: a model can report whether a person agreed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.contract import Risk
from contacts_mcp.guard import CONSENT_WORDS, Consent
from contacts_mcp.tools import TOOLS
from support.hosts import Host, Person, each_era, host, with_ids

OLA, KARI = "Ola Nordmann", "Kari Moe"
GUARDED: Mapping[str, dict[str, Any]] = {
    "delete_contact": {"contact_id": OLA},
    "delete_contact_group": {"group_id": "Customers"},
    "gdpr_delete_contact": {"contact_id": OLA, "reason": "request"},
    "merge_contacts": {"keep_id": OLA, "merge_ids": [KARI]},
    "update_matching_contacts": {"search": "Ola", "set_company_name": "Fjord AS"},
    "import_contacts": {"content": "name,phone\nOla Nordmann Berg,+4790000001\n", "on_match": "update"},
    "add_matching_to_group": {"group_id": "Customers"},
    "update_contact": {"contact_id": OLA, "notes": "changed"},
}
"""Calls that need consent: one fills a group beyond a small budget, one is named by the operator."""

UNASKED: Mapping[str, dict[str, Any]] = {
    "update_matching_contacts": {"search": "Ola", "add_tags": ["fair"]},
    "import_contacts": {"content": "name,phone\nPer Hansen,+4790000003\n"},
    "add_matching_to_group": {"group_id": "Customers", "search": "Ola"},
}
"""Changes for which the guard asks no person: nothing is overwritten, and few contacts change."""


async def create_records(directory: Host) -> dict[str, str]:
    """Create two contacts and a group; return their ids by name."""
    values = {OLA: {"phone_number": "+4790000001", "company_name": "Old AS"}, KARI: {"phone_number": "+4790000002"}}
    contacts = {name: (await directory.call("create_contact", name=name, **values[name]))["id"] for name in values}
    return {**contacts, "Customers": (await directory.call("create_contact_group", name="Customers"))["id"]}


async def change(directory: Host, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool; if it shows a plan first, apply that."""
    first = await directory.call(tool, **arguments)
    if "plan" not in first:
        return first
    assert "consent" not in first
    return await directory.call(tool, **arguments, apply=True, plan=first["plan"])


def person_who_agrees_to(tool: str) -> Person:
    (wording,) = [each.wording for each in TOOLS if each.name == tool]
    word = wording.yes if wording else "delete" if tool.startswith("delete") else "change"
    return Person(content={"typed": OLA} if tool == "gdpr_delete_contact" else {"decision": word})


@each_era
@pytest.mark.parametrize("tool", GUARDED)
async def test_change_that_a_person_agreed_to_says_so(tmp_path: Path, era: str, tool: str) -> None:
    person = person_who_agrees_to(tool)
    async with host(tmp_path / "contacts.db", era, person, confirm="update_contact", write_budget=4) as directory:
        ids = await create_records(directory)

        answer = await change(directory, tool, with_ids(GUARDED[tool], ids))

    assert len(person.asked) == 1
    assert answer["consent"] == "person"


@pytest.mark.parametrize("tool", UNASKED)
async def test_change_that_needs_no_consent_says_so(tmp_path: Path, tool: str) -> None:
    """The plan before it says nothing: no decision was made yet."""
    person = Person()
    async with host(tmp_path / "contacts.db", person=person) as directory:
        ids = await create_records(directory)

        answer = await change(directory, tool, with_ids(UNASKED[tool], ids))

    assert not person.asked
    assert (answer["applied"], answer["consent"]) == (True, "not needed")


@pytest.mark.parametrize("tool", [tool for tool in GUARDED if tool != "add_matching_to_group"])
async def test_change_by_a_token_says_that_no_consent_was_verified(tmp_path: Path, tool: str) -> None:
    """A model could return the token by itself. A token does not replace a form if the budget is exceeded."""
    async with host(tmp_path / "contacts.db", guard="two-step", confirm="update_contact") as directory:
        ids = await create_records(directory)
        arguments = with_ids(GUARDED[tool], ids)
        preview = await change(directory, tool, arguments)
        assert "consent" not in preview
        if "plan" in (plan := await directory.call(tool, **arguments)):
            arguments |= {"apply": True, "plan": plan["plan"]}

        answer = await directory.call(tool, **arguments, confirmation_token=preview["confirmation_token"])

    assert answer["consent"] == "not verified"


async def test_answer_without_a_guarded_change_says_nothing_of_consent(tmp_path: Path) -> None:
    """A read, an ordinary change, a no, and a repeated erasure, which changes nothing."""
    person = Person(content={"typed": OLA})
    async with host(tmp_path / "contacts.db", person=person) as directory:
        ids = await create_records(directory)
        ola = {"contact_id": ids[OLA]}
        await directory.call("gdpr_delete_contact", **ola, reason="request")
        answers = [
            await directory.call("get_contact", contact_id=ids[KARI]),
            await directory.call("update_contact", contact_id=ids[KARI], notes="changed"),
            await directory.call("delete_contact", contact_id=ids[KARI]),
            await directory.call("gdpr_delete_contact", **ola, reason="request"),
        ]

    assert (answers[2]["done"], answers[3]["erased"]) == (False, True)
    assert not [answer for answer in answers if "consent" in answer]


def test_each_kind_of_consent_has_a_word_in_the_schema_of_each_changing_tool() -> None:
    assert CONSENT_WORDS.keys() == set(Consent)
    for tool in TOOLS:
        schema = tool.output_schema["properties"].get("consent")
        assert (schema is None) == (tool.risk is Risk.READ), tool.name
        assert schema is None or set(schema["enum"]) == set(CONSENT_WORDS.values())
