"""Calls that come to nothing: wrong ones, those that somebody says no to, and those that a host gives up on."""

import asyncio
from typing import Any

from harness import NOBODY
from trust.endurance.book import FIELDS, LogFields, shown
from trust.endurance.lane import Lane

_WRONG: tuple[tuple[str, str, LogFields], ...] = (
    ("unknown_tool", "drop_table", {}),
    ("not_found", "get_contact", {"contact_id": NOBODY}),
    ("not_found", "delete_contact", {"contact_id": NOBODY}),
    ("not_found", "update_contact_group", {"group_id": NOBODY, "name": "N"}),
    ("not_found", "check_group_audience", {"group_id": NOBODY}),
    ("invalid", "get_contact", {"contact_id": "7"}),
    ("invalid", "create_contact", {}),
    ("invalid", "create_contact", {"name": "A", "nickname": "B"}),
    ("invalid", "list_contacts", {"page": 0}),
    ("invalid", "update_contact", {"contact_id": NOBODY}),
    ("invalid", "gdpr_delete_contact", {"contact_id": NOBODY}),
    ("invalid", "add_matching_to_group", {"group_id": NOBODY, "apply": True}),
    ("invalid", "merge_contacts", {"keep_id": NOBODY, "merge_ids": [NOBODY]}),
    ("invalid", "import_contacts", {"content": ""}),
)
_LONG_READS = ("export_contacts", "find_duplicate_contacts", "list_contacts")
_PATIENCE = 0.012
"""Seconds, at most, that an impatient host waits: about as long as calls take."""
_MOST = 3
"""Contacts that are kept for calls which are given up on."""


async def call_wrongly(lane: Lane) -> None:
    code, tool, arguments = lane.random.choice(_WRONG)
    answer = await lane.call(tool, **arguments)
    assert answer.line.startswith(f"{code}:") or lane.kept_away(answer), answer.line


async def decline(lane: Lane) -> None:
    answer = await lane.call("delete_contact", agrees=False, contact_id=lane.ids[lane.one()])
    assert answer.line.startswith("refused:") or lane.kept_away(answer), answer.line


class Impatience:
    """Calls of a host that gives up on them, about contacts which are in no book: some are made all the same."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._there: dict[str, tuple[str, LogFields]] = {}
        self._possible: dict[str, list[LogFields | None]] = {}
        """What may be there of those whose calls were given up on."""

    def __len__(self) -> int:
        """How many contacts there are, once it is settled."""
        return len(self._there)

    async def give_up(self, lane: Lane) -> None:
        """Wait too short a time for an answer, of a read or of a change."""
        kind = lane.random.choice(["look", "create", "update", "delete"])
        if kind == "look":
            await self._call(lane.random.choice(_LONG_READS), tags=[lane.tag])
        elif kind == "create" or not self._there:
            fields = lane.cast.somebody(tags=[f"restless {lane.tag}"])
            self._possible[fields["email"]] = [None, fields]
            await self._call("create_contact", **shown(fields))
        else:
            email, (contact_id, fields) = lane.random.choice(list(self._there.items()))
            possible = self._possible.setdefault(email, [fields])
            if kind == "update":
                notes = f"note {lane.cast.number()}"
                possible += [{**each, "notes": notes} for each in possible if each]
                await self._call("update_contact", contact_id=contact_id, notes=notes)
            else:
                possible.append(None)
                await self._call("delete_contact", contact_id=contact_id)

    async def settle(self) -> None:
        """See what became of them, in good weather: each was made once or not at all."""
        for email, possible in self._possible.items():
            await self._settle(email, possible)
        self._possible.clear()
        while len(self._there) > _MOST:
            _, (contact_id, _) = self._there.popitem()
            assert await self._lane.erase(contact_id)

    async def _call(self, tool: str, **arguments: Any) -> None:
        try:
            await asyncio.wait_for(self._lane.host.call(tool, **arguments), self._lane.random.uniform(0.0, _PATIENCE))
        except TimeoutError:
            self._lane.done["given up"] += 1

    async def _settle(self, email: str, possible: list[LogFields | None]) -> None:
        contact_id, _ = self._there.pop(email, ("", None))
        listed = (await self._lane.look("list_contacts", search=email))["contacts"]
        rows = [row for row in listed if row.get("email") == email]
        if not rows:
            assert None in possible, email
            self._lane.deleted += [contact_id] if contact_id else []
            return
        (row,) = rows
        contact = await self._lane.look("get_contact", contact_id=row["id"])
        fields = {name: contact.get(name) for name in FIELDS}
        assert fields in possible, (fields, possible)
        self._there[email] = (row["id"], fields)
