"""Every call that a person has to agree to, over a small directory: what a yes is, and what is beside the point."""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import (
    AddGroupMembers,
    CreateContact,
    CreateContactGroup,
    RemoveGroupMember,
    UpdateContact,
)
from contacts_mcp.directory.database import metadata, nonces

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """Who is in the directory, by id."""

    ola: str
    kari: str
    per: str
    all: str
    """A group with Ola in it."""
    few: str
    """A group with Kari in it."""


async def set_up(api: ContactsClient) -> Scene:
    """Fill an empty directory."""
    ola, kari, per = [
        (await api.send(CreateContact(name=name, type="person", company_name="Fjell", tags=[tag], email=email))).id
        for name, tag, email in (
            ("Ola Nordmann", "vip", "ola@example.com"),
            ("Kari Nordmann", "vip", "kari@example.com"),
            ("Per Hansen", "other", "per@example.com"),
        )
    ]
    groups = [(await api.send(CreateContactGroup(name=name))).id for name in ("All", "Few")]
    for group, member in zip(groups, (ola, kari), strict=True):
        await api.send(AddGroupMembers(group_id=group, contact_ids=[member]))
    return Scene(ola, kari, per, *groups)


@dataclass(frozen=True)
class GuardedCall:
    """A tool, arguments that a person is asked about, and what it takes.

    `other` is the same about something else; `disturb` changes what it is about, where that is there already. A call
    that `plans` first takes its plan's fingerprint along.
    """

    tool: str
    arguments: Callable[[Scene], Arguments]
    other: Callable[[Scene], Arguments]
    disturb: Callable[[ContactsClient, Scene], Awaitable[object]] | None
    yes: Arguments
    plans: bool = False

    @property
    def field(self) -> str:
        """The field of the form."""
        return next(iter(self.yes))

    @property
    def word(self) -> str:
        """What has to be in it."""
        return str(self.yes[self.field])

    def __str__(self) -> str:
        return self.tool


def _rename(who: str) -> Callable[[ContactsClient, Scene], Awaitable[object]]:
    return lambda api, scene: api.send(UpdateContact(contact_id=getattr(scene, who), name="Somebody Else"))


async def _swap_members(api: ContactsClient, scene: Scene) -> None:
    await api.send(RemoveGroupMember(group_id=scene.all, contact_id=scene.ola))
    await api.send(AddGroupMembers(group_id=scene.all, contact_ids=[scene.per]))


async def _move(api: ContactsClient, scene: Scene) -> None:
    await api.send(UpdateContact(contact_id=scene.kari, company_name="Dal"))


def _file(*names: str) -> str:
    rows = [f"{name},{name.split()[0].lower()}@example.com,Vidde" for name in names]
    return "\n".join(["name,email,company_name", *rows])


DELETE, CHANGE = {"decision": "delete"}, {"decision": "change"}
CALLS = (
    GuardedCall(
        "delete_contact",
        lambda scene: {"contact_id": scene.ola},
        lambda scene: {"contact_id": scene.kari},
        _rename("ola"),
        DELETE,
    ),
    GuardedCall(
        "delete_contact_group",
        lambda scene: {"group_id": scene.all},
        lambda scene: {"group_id": scene.few},
        _swap_members,
        DELETE,
    ),
    GuardedCall(
        "gdpr_delete_contact",
        lambda scene: {"contact_id": scene.ola, "reason": "Bedt om på café"},
        lambda scene: {"contact_id": scene.kari, "reason": "Bedt om på café"},
        _rename("ola"),
        {"typed": "Ola Nordmann"},
    ),
    GuardedCall(
        "merge_contacts",
        lambda scene: {"keep_id": scene.ola, "merge_ids": [scene.kari, scene.per]},
        lambda scene: {"keep_id": scene.kari, "merge_ids": [scene.ola, scene.per]},
        _rename("per"),
        {"decision": "merge"},
    ),
    GuardedCall(
        "update_matching_contacts",
        lambda scene: {"tags": ["vip"], "set_company_name": "Vidde"},
        lambda scene: {"tags": ["other"], "set_company_name": "Vidde"},
        _move,
        CHANGE,
        plans=True,
    ),
    GuardedCall(
        "import_contacts",
        lambda scene: {"content": _file("Ola Nordmann", "Kari Nordmann"), "on_match": "update"},
        lambda scene: {"content": _file("Per Hansen"), "on_match": "update"},
        _move,
        CHANGE,
        plans=True,
    ),
    GuardedCall(
        "update_contact",
        lambda scene: {"contact_id": scene.ola, "notes": "på café"},
        lambda scene: {"contact_id": scene.kari, "notes": "på café"},
        _rename("ola"),
        CHANGE,
    ),
    GuardedCall(
        "remove_group_member",
        lambda scene: {"group_id": scene.all, "contact_id": scene.ola},
        lambda scene: {"group_id": scene.few, "contact_id": scene.kari},
        _rename("ola"),
        CHANGE,
    ),
    GuardedCall("create_contact_group", lambda _: {"name": "New"}, lambda _: {"name": "Newer"}, None, CHANGE),
)
CONFIRMED = ("update_contact", "remove_group_member", "create_contact_group")
"""Writing tools that the operator has put under the guard."""

_KEPT = [table.name for table in metadata.sorted_tables if table is not nonces]


def contents(path: Path) -> dict[str, list[Any]]:
    """Every row of every table of a directory, but for which answers were used."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return {table: sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in _KEPT}
    finally:
        database.close()
