"""What is sought as conditions: on the terms of contacts, and on contacts that something else has found.

A part is the shape of what is sought, without its values, so that there is one statement for all of that shape.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select

from contacts_mcp.directory.database.tables import contacts, terms
from contacts_mcp.directory.store.bulk import padded
from contacts_mcp.directory.store.query import Sought
from contacts_mcp.directory.store.words import HEAD, head_of

TENANT: BindParameter[int] = bindparam("tenant")

_AFTER_ANY = "\x7f"  # sorts after every character a word can have


@dataclass(frozen=True, slots=True)
class Part:
    """The shape of a Sought: how many exact terms there are (two stand for any number), and how a beginning is met."""

    name: str
    kind: str
    exact: int
    beginning: Literal["", "a head", "heads", "words"]

    @property
    def ordered(self) -> bool:
        """Whether the terms hold each contact once, and in order."""
        return not self.beginning if self.exact == 1 else not self.exact and self.beginning == "a head"

    def among_terms(self) -> list[ColumnElement[bool]]:
        """The conditions on `contact_terms`, each of which is enough: apart, an index answers them."""
        ways = [self._is_exact()] if self.exact else []
        if self.beginning:
            ways.append(self._is_head() if self.beginning == "a head" else self._begins())
        return ways

    def samples(self) -> Iterator[tuple[int, ColumnElement[bool], bool]]:
        """Ways to contacts, conditions that hold for all on a way, and whether an index has these in their order."""
        if self.exact:
            yield 0, self._is_exact(), self.exact == 1
        if self.beginning in {"a head", "words"}:
            yield 1, self._is_head(), True
        if self.beginning in {"heads", "words"}:
            yield 1, self._begins(), False

    def of_contact(self, seq: ColumnElement[int]) -> ColumnElement[bool]:
        """The condition on the contact with that `seq`. Its row is looked at where its terms leave that open."""
        has = select(terms.c.contact_seq).where(terms.c.tenant == TENANT, terms.c.contact_seq == seq)
        ways: list[ColumnElement[bool]] = [has.where(self._is_exact()).exists()] if self.exact else []
        begins = self._in_row("start")
        if self.beginning == "heads":
            ways.append(begins)
        elif self.beginning:
            head = has.where(self._is_head()).exists()
            # Most who have no such word were passed over by their signature, unless another word would do as well.
            words = and_(head, begins) if self.exact else begins
            ways.append(head if self.beginning == "a head" else words)
        return or_(*ways)

    def of_row(self) -> ColumnElement[bool]:
        """The condition on the row of a contact that one word is sought in, whole or by its beginning."""
        return self._in_row("whole" if self.exact else "start")

    def _in_row(self, pattern: Literal["whole", "start"]) -> ColumnElement[bool]:
        return contacts.c.words.like(bindparam(f"{self.name}_{pattern}"), escape="/")

    def _begins(self) -> ColumnElement[bool]:  # a range, not LIKE: no character is a wildcard
        kind = "word" if self.beginning == "words" else "head"
        from_: BindParameter[str] = bindparam(f"{self.name}_from")
        to: BindParameter[str] = bindparam(f"{self.name}_to")
        return and_(terms.c.kind == kind, terms.c.term >= from_, terms.c.term < to)

    def _is_head(self) -> ColumnElement[bool]:
        return and_(terms.c.kind == "head", terms.c.term == bindparam(f"{self.name}_head"))

    def _is_exact(self) -> ColumnElement[bool]:
        of_kind = terms.c.kind == self.kind
        if self.exact == 1:
            return and_(of_kind, terms.c.term == bindparam(self.name))
        return and_(of_kind, terms.c.term.in_(bindparam(self.name, expanding=True)))


def part_of(name: str, sought: Sought) -> Part:
    """The shape of what is sought, whose parameters begin with `name`."""
    return Part(name, sought.kind, min(len(sought.exact), 2), _way_to(sought.beginning))


def _way_to(beginning: str) -> Literal["", "a head", "heads", "words"]:
    if len(beginning) == HEAD:
        return "a head"
    if len(beginning) > HEAD:
        return "words"
    return "heads" if beginning else ""


def values_of(part: Part, sought: Sought) -> Iterator[tuple[str, Any]]:
    """Its parameters."""
    if part.exact:
        yield part.name, sought.exact[0] if part.exact == 1 else padded(sought.exact)
        yield f"{part.name}_whole", f"% {_plain(sought.exact[0])} %"
    if part.beginning:
        yield f"{part.name}_head", head_of(sought.beginning)
        yield f"{part.name}_from", sought.beginning
        yield f"{part.name}_to", sought.beginning + _AFTER_ANY
        yield f"{part.name}_start", f"% {_plain(sought.beginning)}%"


def _plain(text: str) -> str:
    """A text as a pattern of itself alone."""
    return re.sub("([%_/])", r"/\1", text)
