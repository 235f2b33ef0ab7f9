"""Made-up contacts with realistic frequencies: few names are common, most are rare."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any

from contacts_mcp.directory.database import OWNER, Database
from contacts_mcp.directory.store import create_contacts
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
_FATHERS = (
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
_BATCH_CONTACTS = 2_000


async def add_samples(database: Database, count: int, seed: int, report: Callable[[int], None]) -> None:
    """Create made-up contacts for the owner. `report` gets the number of contacts created so far."""
    samples, created = sample_contacts(count, seed), 0
    while batch := list(islice(samples, _BATCH_CONTACTS)):
        await database.write(create_contacts, OWNER, batch)
        created += len(batch)
        report(created)


def sample_contacts(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Generate made-up contacts as they are stored. The same seed gives the same contacts.

    E-mail addresses are in domains such as `example.com`. Phone numbers are valid and may be real: do not use them.
    """
    rng = random.Random(seed)  # noqa: S311 - no secrets
    given, families = _Weighted(_GIVEN), _Weighted(_families())
    tags = _Weighted(_TAGS)
    for number in range(count):
        is_company = rng.random() < 0.08  # noqa: PLR2004
        first, last = given.choose(rng), families.choose(rng)
        company = f"{families.choose(rng)} {rng.choice(_TRADES)} {rng.choice(_FORMS)}"
        name = company if is_company else f"{first} {_middle(rng, given)}{last}"
        yield {
            "type": "company" if is_company else "person",
            "name": name,
            "company_name": company if not is_company and rng.random() < 0.3 else None,  # noqa: PLR2004
            "phone_number": _number(rng) if rng.random() < 0.9 else None,  # noqa: PLR2004
            "email": _address(rng, first, last, number) if rng.random() < 0.8 else None,  # noqa: PLR2004
            "tags": sorted({tags.choose(rng) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))}),
            "notes": rng.choice(_NOTES) if rng.random() < 0.2 else None,  # noqa: PLR2004
        }


class _Weighted:
    """Chooses earlier values more often than later ones."""

    def __init__(self, values: Sequence[str]) -> None:
        self._values = values
        self._weights = list(accumulate(1 / (rank + 12) for rank in range(len(values))))

    def choose(self, rng: random.Random) -> str:
        return rng.choices(self._values, cum_weights=self._weights)[0]


def _families() -> list[str]:
    """Family names, the most common first: from fathers' names, from places, and from places with an ending."""
    fathers = [f"{father}{'' if father.endswith('s') else 's'}en" for father in _FATHERS]
    return [*fathers, *_PLACES, *(f"{place}{ending}" for ending in _ENDINGS for place in _PLACES)]


def _middle(rng: random.Random, given: _Weighted) -> str:
    return f"{given.choose(rng)} " if rng.random() < 0.15 else ""  # noqa: PLR2004


def _number(rng: random.Random) -> str:
    country, beginning, length = rng.choices(_MOBILES, weights=(8, 8, 2, 2, 1, 1))[0]
    return f"{country}{beginning}{rng.randrange(10**length):0{length}}"


def _address(rng: random.Random, first: str, last: str, number: int) -> str:
    local = f"{fold(first)}.{fold(last)}{number % 9973 if rng.random() < 0.7 else ''}"  # noqa: PLR2004
    return f"{local}@{rng.choice(('example.com', 'example.org', 'example.net', 'mail.example.com'))}"
