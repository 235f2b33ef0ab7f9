"""A call of every tool that goes all the way to its action, and the directory it is made in."""

from collections.abc import Mapping
from typing import Any

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import AddGroupMembers, CreateContact, CreateContactGroup
from contacts_mcp.tools import Tool
from support.hosts import Person

PRIVATE = "@private.example"
"""In all e-mail addresses and notes: in answers it may be, and nowhere else."""
_ERASED = "Ola Nordmann"
_PEOPLE: tuple[dict[str, Any], ...] = (
    {"name": _ERASED, "phone_number": "+4799999901", "tags": ["vip"], "company_name": "Fjord AS"},
    {"name": "Kari Nordmann", "phone_number": "+4799999902", "tags": ["vip"], "company_name": "Fjell AS"},
    {"name": "Liv Berg", "phone_number": "90 00 00 03", "tags": ["vip", "oslo"]},
    {"name": "Nils Dahl", "phone_number": "+4799999904"},
    {"name": "Per Hansen", "phone_number": "+4799999905"},
    {"name": "Per Hanssen", "phone_number": "+4799999905", "tags": ["oslo"]},
    {"name": "P Hansen", "phone_number": "+4799999906"},
    {"name": "Sol AS", "type": "company"},
)
_GROUPS = {"Customers": (_ERASED, "Per Hanssen", "Liv Berg"), "Suppliers": ("Nils Dahl",)}
NAMES = (*(person["name"] for person in _PEOPLE), *_GROUPS)
"""Whose ids a call may need."""
_FILE = f"""name,phone,email,notes
Eva Lund,+4799999911,eva{PRIVATE},new
Odd Vik,+4799999912,odd{PRIVATE},new
Kari Nordmann,+4799999902,another{PRIVATE},changed
"""


async def furnish(api: ContactsClient) -> Mapping[str, str]:
    """Make the people and the groups; ids by name."""
    ids: dict[str, str] = {}
    for person in _PEOPLE:
        word = person["name"].casefold().replace(" ", ".")
        call = CreateContact(**person, email=f"{word}{PRIVATE}", notes=f"about {word}{PRIVATE}")
        ids[person["name"]] = (await api.send(call)).id
    for name, members in _GROUPS.items():
        ids[name] = (await api.send(CreateContactGroup(name=name))).id
        await api.send(AddGroupMembers(group_id=ids[name], contact_ids=[ids[member] for member in members]))
    return ids


def calls(ids: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The arguments by tool; those of a tool that plans first are applied with its plan."""
    ola, kari = {"contact_id": ids[_ERASED]}, ids["Kari Nordmann"]
    customers, suppliers = {"group_id": ids["Customers"]}, {"group_id": ids["Suppliers"]}
    return {
        "list_contacts": {"search": "nordmann"},
        "create_contact": {"name": "Eva Lund", "email": f"eva{PRIVATE}", "tags": ["new"]},
        "get_contact": ola,
        "update_contact": {**ola, "notes": "changed", "add_tags": ["new"]},
        "delete_contact": ola,
        "gdpr_delete_contact": {**ola, "reason": "Article 17 request"},
        "list_contact_groups": {},
        "create_contact_group": {"name": "Partners", "description": "Who works with us"},
        "get_contact_group": customers,
        "update_contact_group": {**customers, "description": "Who buys"},
        "delete_contact_group": customers,
        "list_group_members": customers,
        "add_group_members": {**suppliers, "contact_ids": [ids[_ERASED], kari]},
        "remove_group_member": {**customers, **ola},
        "find_contacts": {"query": "kari normann"},
        "import_contacts": {"content": _FILE, "format": "csv", "on_match": "update", **suppliers},
        "export_contacts": {"tags": ["vip"]},
        "find_duplicate_contacts": {},
        "merge_contacts": {"keep_id": ids["Per Hansen"], "merge_ids": [ids["Per Hanssen"], ids["P Hansen"]]},
        "update_matching_contacts": {"tags": ["vip"], "set_notes": "changed"},
        "add_matching_to_group": {"tags": ["vip"], **suppliers},
        "check_group_audience": customers,
    }


def willing(tool: Tool) -> Person:
    """Somebody who says yes to what a tool asks, or types the name."""
    return Person(content={"decision": tool.wording.yes if tool.wording else "delete", "typed": _ERASED})
