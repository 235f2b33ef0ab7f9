"""Invented people, the same ones for the same seed."""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

_CONSONANTS, _VOWELS = "bdfghjklmnprstv", "aeiouøåy"
_WITH_PHONE, _WITH_EMAIL = 0.9, 0.7
HEADER = ("First Name", "Last Name", "Organization Name", "Labels", "E-mail 1 - Value", "Phone 1 - Value", "Notes")


def people(count: int, seed: int = 7) -> Iterator[tuple[str, ...]]:
    """Rows under HEADER: most with number and address, some of them twice with a slip, names that many share."""
    chance = random.Random(seed)
    first, last, firms = (_names(chance, number) for number in (300, 500, 2_000))
    for number in range(count):
        given, family = chance.choice(first), chance.choice(last)
        phone = f"9{number:07d}" if chance.random() < _WITH_PHONE else ""
        email = f"{number}@{chance.choice(firms).lower()}.example.com".encode("ascii", "ignore").decode()
        tag = f"tag{number % 2}"
        yield (
            given,
            family,
            chance.choice(firms),
            tag,
            email if chance.random() < _WITH_EMAIL else "",
            phone,
            f"Note {number}",
        )


def write(path: Path, count: int) -> None:
    """The people as a file such as Google exports."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(people(count))


def _names(chance: random.Random, count: int) -> list[str]:
    def syllable() -> str:
        return chance.choice(_CONSONANTS) + chance.choice(_VOWELS)

    return ["".join(syllable() for _ in range(chance.choice((2, 3)))).capitalize() for _ in range(count)]
