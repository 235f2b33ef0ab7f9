"""Made-up people and words, the same in every run."""

import random
from typing import Any

from trust.endurance.book import LogFields, person

TAGS = ("vip", "lead", "oslo")
_FIRST = "Anna Bertil Carolina Dorthea Egon Fjodor Gunnhild Hilde Ivar Jorunn".split()
_LAST = "Berg Dahl Eide Foss Hagen Lund Moen Nilsen Strand Vik".split()
_WORDS = "north south harbour office autumn spring choir board".split()


class Cast:
    """Makes people up for the lane of this number, none of whom has another's address or number."""

    def __init__(self, number: int) -> None:
        self.tag = f"lane{number}"
        self.random = random.Random(number)
        self._number = number
        self._serial = 0

    def somebody(self, **given: Any) -> LogFields:
        """A new contact, with what is given."""
        serial, pick = self.number(), self.random.choice
        mobile = f"+479{self._number}{serial % 1_000_000:06}"
        made_up = {
            "type": pick(["person", "person", "company"]),
            "name": f"{pick(_FIRST)} {pick(_LAST)}",
            "company_name": pick([None, self.company()]),
            "phone_number": pick([None, mobile, mobile]),
            "email": f"p{serial}.{self.tag}@mail.example",
            "tags": [self.tag, *self.random.sample(TAGS, pick((0, 1, 2)))],
            "notes": pick([None, " ".join(self.random.choices(_WORDS, k=pick((1, 30))))]),
        }
        return person(**{**made_up, **given})

    def company(self) -> str:
        return f"{self.word().title()} AS"

    def word(self) -> str:
        return self.random.choice(_WORDS)

    def number(self) -> int:
        """The next of the numbers that are used once."""
        self._serial += 1
        return self._serial
