"""Made-up contacts with realistic frequencies: few names are common, most are rare."""

import random
import tomllib
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from contacts_mcp.text import fold

_MOBILES = (("+47", "41", 6), ("+47", "9", 7), ("+46", "70", 7), ("+45", "2", 7), ("+49", "151", 8), ("+44", "7400", 6))
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")


def sample_contacts(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Generate made-up contacts as they are stored. The same seed gives the same contacts.

    E-mail addresses are in domains such as `example.com`. Phone numbers are valid and may be real: do not use them.
    """
    rng = random.Random(seed)  # noqa: S311 - no secrets
    words = _words()
    given, families, tags = _Weighted(words["given"]), _Weighted(_families(words)), _Weighted(words["tags"])
    for number in range(count):
        is_company = rng.random() < 0.08  # noqa: PLR2004
        first, last = given.choose(rng), families.choose(rng)
        company = f"{families.choose(rng)} {rng.choice(words['trades'])} {rng.choice(words['forms'])}"
        name = company if is_company else f"{first} {_middle(rng, given)}{last}"
        yield {
            "type": "company" if is_company else "person",
            "name": name,
            "company_name": company if not is_company and rng.random() < 0.3 else None,  # noqa: PLR2004
            "phone_number": _number(rng) if rng.random() < 0.9 else None,  # noqa: PLR2004
            "email": _address(rng, first, last, number) if rng.random() < 0.8 else None,  # noqa: PLR2004
            "tags": sorted({tags.choose(rng) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))}),
            "notes": rng.choice(words["notes"]) if rng.random() < 0.2 else None,  # noqa: PLR2004
        }


class _Weighted:
    """Chooses earlier values more often than later ones."""

    def __init__(self, values: Sequence[str]) -> None:
        self._values = values
        self._weights = list(accumulate(1 / (rank + 12) for rank in range(len(values))))

    def choose(self, rng: random.Random) -> str:
        return rng.choices(self._values, cum_weights=self._weights)[0]


def _words() -> dict[str, list[str]]:
    lists = tomllib.loads(Path(__file__).with_name("sample.toml").read_text(encoding="utf-8"))
    return {name: words.split() if isinstance(words, str) else words for name, words in lists.items()}


def _families(words: dict[str, list[str]]) -> list[str]:
    """Family names, the most common first: from fathers' names, from places, and from places with an ending."""
    fathers = [f"{father}{'' if father.endswith('s') else 's'}en" for father in words["fathers"]]
    places = words["places"]
    return [*fathers, *places, *(f"{place}{ending}" for ending in words["endings"] for place in places)]


def _middle(rng: random.Random, given: _Weighted) -> str:
    return f"{given.choose(rng)} " if rng.random() < 0.15 else ""  # noqa: PLR2004


def _number(rng: random.Random) -> str:
    country, beginning, length = rng.choices(_MOBILES, weights=(8, 8, 2, 2, 1, 1))[0]
    return f"{country}{beginning}{rng.randrange(10**length):0{length}}"


def _address(rng: random.Random, first: str, last: str, number: int) -> str:
    local = f"{fold(first)}.{fold(last)}{number % 9973 if rng.random() < 0.7 else ''}"  # noqa: PLR2004
    return f"{local}@{rng.choice(_DOMAINS)}"
