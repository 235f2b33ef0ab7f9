"""A file of invented people, such as Google exports it. The same seed gives the same people."""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

HEADER = ("First Name", "Last Name", "Organization Name", "Labels", "E-mail 1 - Value", "Phone 1 - Value", "Notes")
_CONSONANTS, _VOWELS = "bdfghjklmnprstv", "aeiouøåy"
_PHONE_SHARE, _EMAIL_SHARE = 0.9, 0.7


def iter_people(count: int, seed: int = 7) -> Iterator[tuple[str, ...]]:
    """Yield rows for HEADER. Most people have a phone number and an e-mail address; many share a name or a company."""
    rng = random.Random(seed)
    first_names, last_names, companies = (_invent_names(rng, number) for number in (300, 500, 2_000))
    for number in range(count):
        first_name, last_name = rng.choice(first_names), rng.choice(last_names)
        phone = f"9{number:07d}" if rng.random() < _PHONE_SHARE else ""
        email = f"{number}@{rng.choice(companies).lower()}.example.com".encode("ascii", "ignore").decode()
        company, tag = rng.choice(companies), f"tag{number % 2}"
        yield (
            first_name,
            last_name,
            company,
            tag,
            email if rng.random() < _EMAIL_SHARE else "",
            phone,
            f"Note {number}",
        )


def write_contact_file(path: Path, count: int) -> None:
    """Write the people as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(iter_people(count))


def _invent_names(rng: random.Random, count: int) -> list[str]:
    def syllable() -> str:
        return rng.choice(_CONSONANTS) + rng.choice(_VOWELS)

    return ["".join(syllable() for _ in range(rng.choice((2, 3)))).capitalize() for _ in range(count)]
