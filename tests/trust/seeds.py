"""Keys and people that nobody could write by chance, and every spelling in which they could be found again."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

PERSON = {
    "name": "Zäphodine Quellwasser",
    "company_name": "Öresundsbrygga Fjellverk",
    "phone_number": "+4791283746",
    "email": "zq.sampled@example.org",
    "notes": "Prefers the violet entrance",
    "tags": ["blåbærfolk"],
}
"""What the directory is told of somebody."""
OTHER = {**PERSON, "name": "Zäphodine Quellwassér", "email": "zq.sampled.too@example.org"}
PERSONAL = {
    "name": "Zäphodine",
    "surname": "Quellwass",
    "company": "Öresundsbrygga",
    "number": "91283746",
    "address": "zq.sampled",
    "note": "violet entrance",
    "tag": "blåbærfolk",
}
"""Pieces of it, each of which gives the person away."""


def secret_of(name: str) -> str:
    """A secret for one purpose, of forty letters and digits."""
    return f"Sd{name.replace('_', '')}q7Xk2Vn9Rw4Tz8Lp3Hc6Jy5Mb1Gf0Ds".ljust(40, "Z")[:40]


def pieces(secret: str) -> tuple[str, str]:
    """The halves of a secret: a log may cut it at either end."""
    half = len(secret) // 2
    return secret[:half], secret[half:]


def _spellings(text: str) -> Iterator[bytes]:
    """A text as it is, escaped as JSON or Python, quoted for URLs, in hexadecimal and in base64 at every offset."""
    raw = text.encode()
    yield from (raw, raw.hex().encode(), raw.hex().upper().encode())
    yield from (json.dumps(text)[1:-1].encode(), ascii(text)[1:-1].encode(), repr(raw)[2:-1].encode())
    yield from (quote(text, safe="").encode(), quote_plus(text).encode())
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        whole = encoded[-(-before * 4 // 3) : len(encoded) - 4]  # the letters that no neighbour has a part in
        yield from (whole, whole.translate(bytes.maketrans(b"+/", b"-_")))


def found(where: Mapping[str, bytes], seeds: Mapping[str, str]) -> list[str]:
    """Which seeds are in which of the texts, in small letters or large."""
    spelt = {
        name: set(_spellings(text)) | {text.lower().encode(), text.upper().encode()} for name, text in seeds.items()
    }
    return [
        f"{name} in {place}: {_around(text, spelling)}"
        for place, text in where.items()
        for name, spellings in spelt.items()
        for spelling in spellings
        if spelling in text
    ]


def _around(text: bytes, spelling: bytes) -> str:
    """The place of a find, with what stands before and after it."""
    at = text.index(spelling)
    return repr(text[max(0, at - 80) : at + 80])


def files_below(folder: Path, besides: Iterable[str]) -> dict[str, bytes]:
    """Every file in a folder, by its path, but those whose path there begins with one of `besides`."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in paths.items() if not name.startswith(tuple(besides))}
