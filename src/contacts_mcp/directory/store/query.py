"""A filter, and what it asks for.

Each word of a search has to match a whole word of name, company or e-mail, the last one the beginning of a word. Words
that look like a phone number, taken together, may match a fragment of the contact's number instead: only digits count,
and leading zeros of `00` stand for `+`. Notes are not searched. A search is never a pattern: `%` and `_` are just
characters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import not_

from sqlalchemy import Connection

from contacts_mcp.directory.store import spelling
from contacts_mcp.directory.store.phones import length_of
from contacts_mcp.directory.store.words import HEAD, head_of, split, tag_key, trimmed
from contacts_mcp.text import digits

_PHONE = re.compile(r"[+\d().\-/]*\d[+\d().\-/]*")


@dataclass(frozen=True, slots=True)
class Sought:
    """What a contact has to have among its terms: one of some, or one with a beginning."""

    kind: str
    exact: tuple[str, ...]
    beginning: str = ""

    @property
    def head(self) -> str:
        """What a word of the contact surely begins with; empty where that is not known."""
        if self.kind != "word" or len(self.exact) + bool(self.beginning) > 1:
            return ""
        return head_of(self.exact[0]) if self.exact else self.beginning[:HEAD] if len(self.beginning) >= HEAD else ""


@dataclass(frozen=True, slots=True)
class Query:
    """What contacts a list is about. `number` may be met by a phone number or, as words, by all of `numeric`."""

    type: str | None
    sought: tuple[Sought, ...]
    number: str
    numeric: tuple[Sought, ...]
    impossible: bool = False

    @property
    def is_lookup(self) -> bool:
        """Whether it asks for a long number, a word or two alone: there is one good way to each, whatever it is."""
        if self.type or self.impossible:
            return False
        if self.number:
            return length_of(self.number) == "long" and len(self.numeric) == 1 and not self.sought
        if [len(each.exact) for each in self.sought] not in ([0], [1, 0]):
            return False
        return all(each.kind == "word" for each in self.sought) and len(self.sought[-1].beginning) > HEAD

    def misspelt(self, connection: Connection, tenant: int) -> "Query | None":
        """The same, with each word standing for those it may be a misspelling of as well; None where there are none."""
        tolerant = tuple(_tolerant(connection, tenant, each) for each in self.sought)
        return None if tolerant == self.sought else replace(self, sought=tolerant)


def read(type: str | None = None, search: str = "", tags: Sequence[str] = ()) -> Query:  # noqa: A002 - the field's name
    """Read a filter, all of which has to match; what is blank of it does not filter."""
    tagged = tuple(Sought("tag", (tag_key(tag.strip()),)) for tag in tags if tag.strip())
    words = split(search)
    if not words:
        return Query(type, tagged, "", (), impossible=bool(search.strip()))
    last = len(words) - 1
    sought = [
        Sought("word", (), trimmed(word)) if place == last else Sought("word", (trimmed(word),))
        for place, word in enumerate(words)
    ]
    numeric = [bool(_PHONE.fullmatch(word)) for word in words]
    number = digits("".join(compress(words, numeric)))
    return Query(
        type,
        tuple(dict.fromkeys([*compress(sought, map(not_, numeric)), *tagged])),
        number.removeprefix("00") or number,
        tuple(dict.fromkeys(compress(sought, numeric))),
    )


def _tolerant(connection: Connection, tenant: int, sought: Sought) -> Sought:
    if sought.kind != "word":
        return sought
    word = sought.beginning or sought.exact[0]
    return replace(sought, exact=(*sought.exact, *spelling.alike(connection, tenant, word)))
