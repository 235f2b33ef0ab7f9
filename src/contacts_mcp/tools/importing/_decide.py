"""What each row comes to: a new contact, a change of one that is there, or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from contacts_mcp.contract import Contact
from contacts_mcp.matching import ContactIndex, email_key, phone_key
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._tags import retagged
from contacts_mcp.tools.importing._draft import Draft
from contacts_mcp.tools.steps import SHOWN_IN_LISTS, Filter, JobClient, Progress, chosen, complete, in_turns

OnMatch = Literal["skip", "update", "create"]
What = Literal["new", "update", "unchanged", "duplicate", "invalid", "ambiguous"]

_LINES = ("name", "company_name", "phone_number", "email", "notes")
_FULL = frozenset({*SHOWN_IN_LISTS, "company_name", "notes"})


@dataclass(frozen=True, slots=True)
class Options:
    """How rows are matched; `region` is of national numbers."""

    on_match: OnMatch
    region: str | None


@dataclass(slots=True)
class Decision:
    """What a row comes to. `id` is the contact's that it is about, `values` what an update sets.

    `overwrites` is what is lost by that, `first` the row of which a duplicate says the same.
    """

    draft: Draft
    what: What
    id: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    overwrites: dict[str, Any] = field(default_factory=dict)
    first: int | None = None
    detail: str = ""

    def step(self) -> list[Any]:
        """What of it a plan's fingerprint depends on."""
        says = self.draft.said if self.what == "new" else self.values
        return [self.draft.row, self.what, self.id, says, list(self.draft.tags), self.overwrites]


async def decide(backend: Backend, pace: JobClient, drafts: Sequence[Draft], options: Options) -> list[Decision]:
    """Decide on every row, in their order. A contact is matched by number or address, never by its name alone."""
    usable, decisions = await _within_file(drafts)
    known = await _Directory.read(backend, pace, usable, options)
    async for draft in in_turns(usable):
        decisions[draft.row] = _decided(draft, known, options)
    return [decisions[draft.row] for draft in drafts]


async def _within_file(drafts: Sequence[Draft]) -> tuple[list[Draft], dict[int, Decision]]:
    """The rows that can be used, and the decisions on the others: those that repeat an earlier one, or are wrong."""
    index = ContactIndex()
    seen: dict[int, int] = {}
    usable: list[Draft] = []
    decisions: dict[int, Decision] = {}
    async for draft in in_turns(drafts):
        if draft.problem:
            decisions[draft.row] = Decision(draft, "invalid", detail=draft.problem)
            continue
        # Two records of an export are two, however alike they are: merging them is another decision.
        content = hash((draft.id, *_content(draft)))  # a number instead of the values, of which there are many
        first = seen.get(content)
        if first is None and draft.id is None and _has_key(draft):
            ids = index.find(draft.name, draft.phone_keys, draft.email_keys).ids
            first = int(ids[0]) if ids else None
        if first is not None:
            decisions[draft.row] = Decision(draft, "duplicate", first=first, detail=f"says the same as row {first}")
            continue
        usable.append(draft)
        seen[content] = draft.row
        for phone, email in _pairs(draft):
            index.add(str(draft.row), draft.name, phone, email)
    return usable, decisions


def _has_key(draft: Draft) -> bool:
    return bool(draft.phone_keys or draft.email_keys)


def _pairs(draft: Draft) -> Iterable[tuple[str, str]]:
    """Every number and address of a row, in as many pairs as it takes."""
    for place in range(max(len(draft.phone_keys), len(draft.email_keys))):
        yield (
            draft.phone_keys[place] if place < len(draft.phone_keys) else "",
            draft.email_keys[place] if place < len(draft.email_keys) else "",
        )


class _Directory:
    """Those contacts of the directory that a row may be about."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.named: dict[str, list[str]] = {}
        self.index = ContactIndex()

    @classmethod
    async def read(cls, backend: Backend, pace: JobClient, drafts: Sequence[Draft], options: Options) -> "_Directory":
        """Go through the whole directory once, and keep what could match."""
        known = cls()
        looked_for = {key for draft in drafts for key in (*draft.phone_keys, *draft.email_keys, draft.id) if key}
        names = {_line(draft.name) for draft in drafts if options.on_match == "create" or not _has_key(draft)}
        unclear: list[str] = []
        fields = _FULL if await backend.supports("scan") else SHOWN_IN_LISTS
        async for page in chosen(backend, pace, Filter(), fields, Progress(backend.report, "contacts compared")):
            for contact in page:
                phone, email = phone_key(contact.phone_number, options.region), email_key(contact.email)
                by_name = _line(contact.name) in names
                if by_name or looked_for & {phone, email, contact.id}:
                    known._keep(contact, phone, email)
                    unclear += [contact.id] if by_name or options.on_match == "update" else []
        if fields != _FULL:
            known.contacts |= {contact.id: contact for contact in await complete(pace, unclear)}
        return known

    def _keep(self, contact: Contact, phone: str, email: str) -> None:
        self.contacts[contact.id] = contact
        self.named.setdefault(_line(contact.name), []).append(contact.id)
        if phone or email:
            self.index.add(contact.id, contact.name or "", phone, email)

    def same_as(self, draft: Draft) -> str | None:
        """A contact that is what the row would make."""
        for contact_id in self.named.get(_line(draft.name), ()):
            if contact_id in self.contacts and _is_content(draft, self.contacts[contact_id]):
                return contact_id
        return None


def _decided(draft: Draft, known: _Directory, options: Options) -> Decision:
    # What is there to the letter is never made again, whatever is asked for: so an import can be repeated.
    if same := known.same_as(draft):
        return Decision(draft, "unchanged", same, detail="is there already")
    if draft.id in known.contacts:
        return _matched(draft, known.contacts[draft.id], options, "has this id")
    if options.on_match == "create":
        return Decision(draft, "new")
    ids = known.index.find(draft.name, draft.phone_keys, draft.email_keys).ids
    if len(ids) > 1:
        return Decision(draft, "ambiguous", detail=f"fits {len(ids)} contacts")
    if not ids or ids[0] not in known.contacts:
        return Decision(draft, "new")
    return _matched(draft, known.contacts[ids[0]], options, "has this number or address")


def _matched(draft: Draft, contact: Contact, options: Options, why: str) -> Decision:
    if options.on_match != "update":
        return Decision(draft, "unchanged", contact.id, detail=f"{why}; left as it is")
    values = _changes(draft, contact, options.region)
    if not values:
        return Decision(draft, "unchanged", contact.id, detail=f"{why}; says nothing new")
    lost = {name: getattr(contact, name) for name in values if name != "tags"}
    overwrites = {name: value for name, value in lost.items() if value}
    return Decision(draft, "update", contact.id, values, overwrites, detail=why)


def _changes(draft: Draft, contact: Contact, region: str | None) -> dict[str, Any]:
    """What an update sets: no blank clears anything, tags are united, and another number of the row's is no change."""
    said = draft.said.items()
    values = {name: value for name, value in said if not _says(draft, name, getattr(contact, name), region)}
    tags = retagged(contact.tags, draft.tags)
    return values if tags == list(contact.tags) else {**values, "tags": tags}


def _says(draft: Draft, name: str, value: str | None, region: str | None) -> bool:
    """Whether what the contact has is what the row says."""
    if name == "phone_number":
        return bool(value) and (phone_key(value, region) in draft.phone_keys or value == draft.phone_number)
    if name == "email":
        return email_key(value) in draft.email_keys
    return _line(value) == _line(getattr(draft, name))


def _content(draft: Draft) -> tuple[Any, ...]:
    return (draft.type or "person", *(_line(getattr(draft, name)) for name in _LINES), _tags(draft.tags))


def _is_content(draft: Draft, contact: Contact) -> bool:
    has = (contact.type or "person", *(_line(getattr(contact, name)) for name in _LINES), _tags(contact.tags))
    return has == _content(draft)


def _tags(tags: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str.casefold, tags))


def _line(value: str | None) -> str:
    """A value without what services tidy away: spaces around and between."""
    return " ".join(value.split()) if value else ""
