"""The expected content of a directory, kept as plain Python dictionaries, and the made-up people in it.

People are identified by their e-mail address and groups by the last word of their name. Neither ever changes, so a
model from before a change can be compared with one from after it, and with what the server returns.
"""

import random
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Fields = dict[str, Any]
FIELDS = ("type", "name", "company_name", "phone_number", "email", "tags", "notes")
ROW_FIELDS = ("type", "name", "phone_number", "email", "tags")
MEMBER_FIELDS = ("name", "phone_number")

TAGS = ("vip", "lead", "oslo")
_FIRST_NAMES = "Anna Bertil Carolina Dorthea Egon Fjodor Gunnhild Hilde Ivar Jorunn".split()
_LAST_NAMES = "Berg Dahl Eide Foss Hagen Lund Moen Nilsen Strand Vik".split()
_WORDS = "north south harbour office autumn spring choir board".split()


@dataclass
class Model:
    """People by e-mail address and groups by key, in the order of their creation. Changes return a new model."""

    people: dict[str, Fields] = field(default_factory=dict)
    groups: dict[str, Fields] = field(default_factory=dict)

    def with_person(self, email: str, **changes: Any) -> "Model":
        empty = {**dict.fromkeys(FIELDS), "type": "person", "tags": []}
        fields = {**empty, **self.people.get(email, {}), **changes, "email": email}
        return deepcopy(Model({**self.people, email: fields}, self.groups))

    def without_person(self, email: str) -> "Model":
        after = deepcopy(self)
        del after.people[email]
        for group in after.groups.values():
            group["members"] = [member for member in group["members"] if member != email]
        return after

    def with_group(self, key: str, **changes: Any) -> "Model":
        fields = {"description": None, "members": [], **self.groups.get(key, {}), **changes}
        return deepcopy(Model(self.people, {**self.groups, key: fields}))

    def without_group(self, key: str) -> "Model":
        return deepcopy(Model(self.people, {name: group for name, group in self.groups.items() if name != key}))

    def matching(self, tags: Iterable[str] = (), type: str | None = None) -> list[str]:  # noqa: A002 - a field
        """The e-mail addresses of the people with all of these tags and this type."""
        wanted = set(tags)
        return [
            email for email, each in self.people.items() if wanted <= set(each["tags"]) and type in (None, each["type"])
        ]


def without_empty(fields: Fields, names: Iterable[str] = FIELDS) -> Fields:
    return {name: fields[name] for name in names if fields[name] is not None}


def retag(tags: list[str], add: str, remove: str) -> list[str]:
    return [tag for tag in dict.fromkeys([*tags, add]) if tag != remove]


def group_key(name: str) -> str:
    return name.rsplit(maxsplit=1)[-1]


class PersonFactory:
    """Makes up people for one caller, the same in every run; no two share an e-mail address or a number."""

    def __init__(self, number: int) -> None:
        self.tag = f"caller{number}"
        self.random = random.Random(number)
        self._number = number
        self._serial = 0

    def person(self, **given: Any) -> Fields:
        serial, pick = self.serial(), self.random.choice
        mobile = f"+479{self._number}{serial % 1_000_000:06}"
        return {
            "type": pick(["person", "person", "company"]),
            "name": f"{pick(_FIRST_NAMES)} {pick(_LAST_NAMES)}",
            "company_name": pick([None, self.company()]),
            "phone_number": pick([None, mobile, mobile]),
            "email": f"p{serial}.{self.tag}@mail.example",
            "tags": [self.tag, *self.random.sample(TAGS, pick((0, 1, 2)))],
            "notes": pick([None, " ".join(self.random.choices(_WORDS, k=pick((1, 30))))]),
            **given,
        }

    def company(self) -> str:
        return f"{self.word().title()} AS"

    def word(self) -> str:
        return self.random.choice(_WORDS)

    def serial(self) -> int:
        self._serial += 1
        return self._serial
