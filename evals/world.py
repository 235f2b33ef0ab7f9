"""The directories that the tasks start from: made-up people, the same in every run."""

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import AddGroupMembers, CreateContact, CreateContactGroup

_SEED = 19
_OTHERS = 90
_FIRST_NAMES = (
    "Anne",
    "Arne",
    "Berit",
    "Dag",
    "Egil",
    "Elin",
    "Frode",
    "Gro",
    "Hanne",
    "Ivar",
    "Jorunn",
    "Knut",
    "Mona",
)
_LAST_NAMES = ("Berg", "Dahl", "Eide", "Foss", "Gran", "Haug", "Iversen", "Jensen", "Lund", "Myhre", "Nygård", "Olsen")
_TOWNS = ("oslo", "bergen", "trondheim")

Members = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class World:
    """The contacts of a directory by a key that tasks use, and the keys in each group by its name."""

    contacts: Mapping[str, CreateContact] = field(default_factory=dict)
    groups: Members = field(default_factory=dict)

    def plus(self, contacts: Mapping[str, CreateContact], groups: Members | None = None) -> "World":
        """Return this world with more contacts and groups."""
        return World({**self.contacts, **contacts}, {**self.groups, **(groups or {})})

    def tagged(self, tag: str) -> list[str]:
        """Return the keys of the contacts with a tag."""
        return [key for key, contact in self.contacts.items() if tag in (contact.tags or ())]


def person(name: str, phone: str | None = None, email: str | None = None, *tags: str, **more: Any) -> CreateContact:
    """Return a contact; `more` may be `company_name`, `notes` and `type`."""
    return CreateContact(name=name, phone_number=phone, email=email, tags=list(tags) or None, **more)


def _other_people() -> dict[str, CreateContact]:
    """Return contacts of whom no task speaks by name."""
    draw = random.Random(_SEED)  # noqa: S311 - test data
    pairs = draw.sample([(first, last) for first in _FIRST_NAMES for last in _LAST_NAMES], _OTHERS)
    others = {}
    for number, (first, last) in enumerate(pairs):
        tags = [_TOWNS[number % 3], *(["newsletter"] if number % 4 else []), *(["lead"] if number % 5 == 0 else [])]
        address = f"person{number:02d}@example.org"
        others[f"other{number:02d}"] = person(f"{first} {last}", f"+47412{number:05d}", address, *tags)
    return others


_NAMED = {
    "ola_oslo": person("Ola Nordmann", "+4799999999", "ola@example.com", "vip", "oslo", company_name="Acme AS"),
    "ola_bergen": person("Ola Nordmann", "+4790011222", "ola.nordmann@example.net", "bergen"),
    "kari": person("Kari Nordmann", "+4790000001", "kari@example.com", "oslo", "choir"),
    "kari_nordmo": person("Kari Nordmo", "+4790000011", "kari.nordmo@example.com", "oslo"),
    "bjorn": person("Bjørn Håkonsen", "+4790000002", None, "vip", notes="Prefers calls in the morning."),
    "soren": person("Søren Kjær", None, "soren@example.dk", "supplier", company_name="Kjær Bageri"),
    "silje": person("Silje Kristoffersen", "+4790712345", "silje@example.com", "volunteer"),
    "ingrid": person("Ingrid Moe", "+4790000004", "ingrid@example.com", "vip", notes="Door code 4471. Has a dog."),
    "grete": person("Grete Vik", "+4790000005", "grete@example.com", "volunteer"),
    "trude": person("Trude Lie", "+4790000006", "trude@example.com", "fjord", company_name="Fjord Consulting"),
    "jonas": person("Jonas Aune", "+4790000007", "jonas@example.com", "fjord", company_name="Fjord Consulting"),
    "fjord": person("Fjord Consulting", None, "post@example.no", "customer", type="company"),
    "per": person("Per Aas", "+4790000008", "per.aas@example.com", "choir"),
    "eva": person("Eva Strand", "22 33 51 03", None, "choir"),
    "tor": person("Tor Vang", None, "tor@example.com", "choir"),
    "liv": person("Liv Hansen", "+4790000009", None, "choir"),
    "leif": person("Leif Hansen", "+4790000009", None, "choir"),
}

BASE = World(
    {**_other_people(), **_NAMED},
    {"Choir": ("kari", "per", "eva", "tor", "liv", "leif"), "Board": ("ola_oslo", "silje", "ingrid")},
)
"""The directory of most tasks."""


class Seeder:
    """Makes directories of worlds. The contacts of BASE are written once, to a file that is copied."""

    def __init__(self, folder: Path) -> None:
        self._base = folder / "base.db"
        self._ids: dict[str, str] = {}

    async def make(self, world: World, path: Path) -> dict[str, str]:
        """Make a directory in a new file, and return the id of each key."""
        if not self._ids:
            self._ids = await _write(self._base, World(BASE.contacts), {})
        known = self._ids if BASE.contacts.items() <= world.contacts.items() else {}
        if known:
            shutil.copyfile(self._base, path)
        return await _write(path, world, known)


async def _write(path: Path, world: World, known: Mapping[str, str]) -> dict[str, str]:
    ids = dict(known)
    async with ContactsClient.for_directory(path) as client:
        for key, contact in world.contacts.items():
            if key not in ids:
                ids[key] = (await client.send(contact)).id
        for name, members in world.groups.items():
            group = await client.send(CreateContactGroup(name=name))
            if members:
                await client.send(AddGroupMembers(group_id=group.id, contact_ids=[ids[key] for key in members]))
    return ids
