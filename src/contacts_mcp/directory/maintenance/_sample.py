"""Made-up contacts, as unevenly spread as real ones: a few names are had by many, and most by few."""

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from contacts_mcp.text import fold

_GIVEN = (
    "Anne Jan Inger Per Kari Bjørn Marit Ole Ingrid Lars Liv Kjell Eva Knut Anna Arne Maria Svein Ida Thomas Hilde "
    "Geir Berit Tor Nina Morten Silje Terje Marianne Odd Astrid Erik Elisabeth Martin Kristin Andreas Bente Tore "
    "Heidi John Randi Jon Solveig Rune Camilla Trond Tone Harald Hanne Nils Karin Olav Gerd Magnus Turid Gunnar "
    "Ragnhild Stian Åse Henrik Wenche Øyvind Elin Roger Sissel Frode Julie Jonas Mona Espen Grete Daniel Anita Håkon "
    "Åshild Sigurd Emma Noah Nora Jakob Sofie Emil Frida Oskar Ella Filip Maja Lucas Thea Aksel Selma Mathias Amalie "
    "Kasper Vilde Sven Astrid Göran Birgitta Åke Ulla Søren Mette Jørgen Lone François Hélène Jürgen Käthe Łukasz "
    "Zofia José Lucía Ahmed Fatima Mohamed Amina Wei Mei Priya Arjun Olena Dmytro Aino Väinö Siiri Þór Guðrún Siobhán "
    "Conor"
).split()
_PATRONS = (
    "Hans Johan Ol Lars Anders Peder Nils Kristian Jens Jakob Karl Erik Olav Mikkel Hendrik Gunder Eilert Iver Tor "
    "Mads Sivert Knut Simon Rasmus Halvor Arne Jon Ander Svend Torstein"
).split()
_PLACES = (
    "Nord Sør Øst Vest Berg Lund Dal Vik Strand Haug Bakke Solberg Hag Eid Moe Hol Sand Stein Fjell Skog Bjerk Gran "
    "Furu Lind Ask Aas Rød Hvit Svart Lang Kvern Mølle Prest Kirke Konge Ny Gammel Stor Lille Ulv Bjørn Rev Elg Ørn "
    "Falk Hest Lam Sau Korn Byg Havre Rug Eng Myr Tjern Elve Foss Hav Øy Holm Nes Tang"
).split()
_ENDINGS = (
    "heim stad set rud land by gård dal vik nes berg haug bakken moen lien eng åsen hagen tveit bø sund strand øy "
    "vold mo hus fjord holt skar kleiv"
).split()
_TRADES = (
    "Bygg Regnskap Transport Eiendom Konsult Elektro Bakeri Frisør Data Invest Rør Maskin Design Bil Mat"
).split()
_FORMS = ("AS ASA ANS DA AB ApS GmbH Ltd").split()
_TAGS = (
    "customer newsletter lead supplier vip partner oslo bergen trondheim stavanger press member volunteer sponsor "
    "2023 2024 2025 inactive board donor student teacher wholesale retail trial renewal event-spring event-autumn "
    "beta needs-call invoice-by-post speaks-english"
).split()
_MOBILES = (("+47", "41", 6), ("+47", "9", 7), ("+46", "70", 7), ("+45", "2", 7), ("+49", "151", 8), ("+44", "7400", 6))
_NOTES = (
    "Prefers e-mail. Calls are fine after four o'clock.",
    "Met at the trade fair; interested in the yearly plan.",
    "Invoice goes to the accounting office, not to the address here.",
    "Moved last year. The old number is no longer in use.",
)


def sample_contacts(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Made-up contacts as they are stored, the same ones for the same seed.

    Addresses end in `example.com` and the like. Numbers are valid, so one of them may be somebody's: write to none.
    """
    chance = random.Random(seed)  # noqa: S311 - no secrets
    given, families = _Uneven(_GIVEN), _Uneven(_families())
    tags = _Uneven(_TAGS)
    for number in range(count):
        is_company = chance.random() < 0.08  # noqa: PLR2004
        first, last = given.one(chance), families.one(chance)
        company = f"{families.one(chance)} {chance.choice(_TRADES)} {chance.choice(_FORMS)}"
        name = company if is_company else f"{first} {_middle(chance, given)}{last}"
        yield {
            "type": "company" if is_company else "person",
            "name": name,
            "company_name": company if not is_company and chance.random() < 0.3 else None,  # noqa: PLR2004
            "phone_number": _number(chance) if chance.random() < 0.9 else None,  # noqa: PLR2004
            "email": _address(chance, first, last, number) if chance.random() < 0.8 else None,  # noqa: PLR2004
            "tags": sorted({tags.one(chance) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))}),
            "notes": chance.choice(_NOTES) if chance.random() < 0.2 else None,  # noqa: PLR2004
        }


class _Uneven:
    """Chooses the first of some values often, and each later one less often."""

    def __init__(self, values: Sequence[str]) -> None:
        self._values = values
        self._weights = list(accumulate(1 / (place + 12) for place in range(len(values))))

    def one(self, chance: random.Random) -> str:
        return chance.choices(self._values, cum_weights=self._weights)[0]


def _families() -> list[str]:
    """Family names, the common ones first: those of fathers, of places, and those with an ending."""
    fathers = [f"{father}{'' if father.endswith('s') else 's'}en" for father in _PATRONS]
    return [*fathers, *_PLACES, *(f"{place}{ending}" for ending in _ENDINGS for place in _PLACES)]


def _middle(chance: random.Random, given: _Uneven) -> str:
    return f"{given.one(chance)} " if chance.random() < 0.15 else ""  # noqa: PLR2004


def _number(chance: random.Random) -> str:
    country, beginning, length = chance.choices(_MOBILES, weights=(8, 8, 2, 2, 1, 1))[0]
    return f"{country}{beginning}{chance.randrange(10**length):0{length}}"


def _address(chance: random.Random, first: str, last: str, number: int) -> str:
    local = f"{fold(first)}.{fold(last)}{number % 9973 if chance.random() < 0.7 else ''}"  # noqa: PLR2004
    return f"{local}@{chance.choice(('example.com', 'example.org', 'example.net', 'mail.example.com'))}"
