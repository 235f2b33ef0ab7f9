"""The rows of a file: read, made ready, and matched to the contacts of the directory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Literal

import anyio.to_thread

from contacts_mcp import phones
from contacts_mcp.contract import MAX_TAGS, Contact, ContactType
from contacts_mcp.formats import ParsedFile, Row
from contacts_mcp.mail import is_email
from contacts_mcp.matching import ContactIndex, Match, email_key, is_same_number, main_number, person_name, phone_key
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._select import LIST_FIELDS, Filter, fetch_full, iter_contacts
from contacts_mcp.tools._turns import iterate_cooperatively
from contacts_mcp.tools._values import edit_tags
from contacts_mcp.wording import count

OnMatch = Literal["skip", "update", "create"]
Action = Literal["create", "update", "unchanged", "duplicate", "invalid", "ambiguous"]

DESTROYED_NUMBER = "has a number that a spreadsheet destroyed; it is not imported"
EXTENSION_IN_NOTES = "has a number with an extension, which is kept in the notes, unless the contact has others"
TOO_MANY_TAGS = f"has more than {MAX_TAGS} tags; the others are not imported"
INVALID_ADDRESS = "has an invalid e-mail address, which is not imported"

_TEXT_FIELDS = ("name", "company_name", "phone_number", "email", "notes")
_ALL_FIELDS = frozenset({*LIST_FIELDS, "company_name", "notes"})


@dataclass(slots=True)
class Draft:
    """A row as a contact; blank fields say nothing. It does not change: several plans of one file have it.

    Attributes:
        phone_keys: match keys of all numbers of the row; a contact has room for one of them.
        email_keys: match keys of all addresses of the row.
        extra_values: the numbers and addresses that a contact has no room for.
        has_notes: whether the notes have more than the number's extension.
        is_converted: whether the number was written in another form than E.164.
        unreachable: why SMS cannot reach the row; empty if it can.
        problem: why the row cannot be imported.
        notices: what was read differently than written, or left out.
    """

    row: int
    id: str | None
    type: ContactType | None
    name: str
    company_name: str
    phone_number: str
    email: str
    tags: tuple[str, ...]
    notes: str
    phone_keys: tuple[str, ...] = ()
    email_keys: tuple[str, ...] = ()
    extra_values: int = 0
    is_converted: bool = False
    unreachable: str = ""
    is_named: bool = True
    has_notes: bool = True
    problem: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def filled_fields(self) -> dict[str, Any]:
        """The fields that are not blank, without the tags."""
        return {name: value for name in ("type", *_TEXT_FIELDS) if (value := getattr(self, name))}

    @property
    def is_valid_number(self) -> bool:
        return self.unreachable in ("", "a landline")

    @property
    def person(self) -> str:
        """The name; empty if the row is named by its number or address."""
        return self.name if self.is_named else ""

    @property
    def has_key(self) -> bool:
        """Whether the row has a number or address to be matched by."""
        return bool(self.phone_keys or self.email_keys)


@dataclass(slots=True)
class Source:
    """The file or text that is imported, as it was understood, and its rows.

    Attributes:
        unique: the rows that can be imported and do not repeat an earlier one.
        first_rows: by row that repeats an earlier one, that row.
        sharing: by row, the earlier row that has the same number or address, but another person's name.
    """

    path: str | None
    parsed: ParsedFile
    drafts: list[Draft]
    unique: list[Draft] = field(default_factory=list)
    first_rows: dict[int, int] = field(default_factory=dict)
    sharing: dict[int, str] = field(default_factory=dict)

    @property
    def usable(self) -> list[Draft]:
        """The rows that can be imported."""
        return [draft for draft in self.drafts if not draft.problem]


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """How rows are matched to contacts; `region` is that of national numbers, of the call or of the settings."""

    on_match: OnMatch
    region: str | None
    is_region_given: bool = False


_NO_VALUES: Mapping[str, Any] = {}  # shared: most of many decisions have none


@dataclass(slots=True)
class Decision:
    """What an import does with a row.

    Attributes:
        id: the contact that the row matches.
        name: the name of that contact in the directory.
        values: the fields that an update sets.
        before: the values that these fields have before the update.
        first: the earlier row that a duplicate repeats.
        detail: the reason, for the result file.
        sharing: the earlier row or the contact that has the same number or address, but another person's name.
    """

    draft: Draft
    action: Action
    id: str | None = None
    name: str | None = None
    values: Mapping[str, Any] = field(default_factory=lambda: _NO_VALUES)
    before: Mapping[str, Any] = field(default_factory=lambda: _NO_VALUES)
    first: int | None = None
    detail: str = ""
    sharing: str = ""

    @property
    def overwrites(self) -> Mapping[str, Any]:
        """The non-empty fields that an update replaces, with their values; tags are only added."""
        return {name: value for name, value in self.before.items() if value and name != "tags"}

    def to_step(self) -> list[Any]:
        """The part of the decision that a plan's fingerprint depends on."""
        written = self.draft.filled_fields if self.action == "create" else self.values
        target = [self.id, self.name] if self.action == "update" else [self.id]
        return [self.draft.row, self.action, *target, written, list(self.draft.tags), self.before]


def to_draft(row: Row, region: str | None, tags: tuple[str, ...]) -> Draft:
    """Choose a row's number and address: the first mobile, else the first valid number, else the first as it is."""
    written = [phones.without_exponent(number) for number in (() if row.problem else row.phones)]
    read = [(number, phones.read(number, region)) for number in written if not phones.is_destroyed(number)]
    mobile = next((number.e164 for _, number in read if number and not number.fixed_line), None)
    numbers = [(raw, number.e164 if number else None) for raw, number in read]
    valid = [number for _, number in numbers if number]
    number = mobile or next(iter(valid), next((raw for raw, _ in numbers), ""))
    emails = [email for email in row.emails if is_email(email)]
    extension = next((phones.split_extension(raw)[1] for raw, each in numbers if each == number), "")
    notices = [*row.notices, *[DESTROYED_NUMBER] * (len(numbers) < len(written))]
    notices += [EXTENSION_IN_NOTES] * bool(extension)
    all_tags = tuple(edit_tags(row.tags, tags)) if row.tags else tags
    if len(all_tags) > MAX_TAGS:
        all_tags = tuple(edit_tags(row.tags[: MAX_TAGS - len(tags)], tags))
        notices.append(TOO_MANY_TAGS)
    return Draft(
        row=row.number,
        id=row.id,
        type=row.type,
        name=row.name,
        company_name=row.company_name,
        phone_number=number,
        email=emails[0] if emails else "",
        tags=all_tags,
        notes="\n".join(filter(None, [row.notes, extension and f"ext. {extension}"])),
        phone_keys=_distinct(_phone_key(raw, each, region) for raw, each in numbers),
        email_keys=_distinct(map(email_key, emails)),
        extra_values=_count_extra(valid or raw for raw, valid in numbers) + _count_extra(map(email_key, emails)),
        is_converted=number in valid and number not in written,
        unreachable="" if mobile else _why_unreachable(number, row, region, is_valid=bool(valid)),
        is_named=bool(person_name(row.name, *row.phones, *row.emails)),
        has_notes=bool(row.notes),
        problem=row.problem,
        notices=(*notices, *[INVALID_ADDRESS] * (len(emails) < len(row.emails))),
    )


def _phone_key(raw: str, valid: str | None, region: str | None) -> str:
    return valid if valid and not phones.split_extension(raw)[1] else phone_key(raw, region)


def _why_unreachable(number: str, row: Row, region: str | None, *, is_valid: bool) -> str:
    if is_valid:
        return "a landline"
    if number:
        return phones.describe_invalid(region)
    return "destroyed by a spreadsheet" if row.phones else "no number"


def _count_extra(values: Iterable[str]) -> int:
    return max(0, len({*values}) - 1)


def _distinct(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, keys)))


async def match_rows(client: JobClient, source: Source, options: MatchOptions) -> list[Decision]:
    """Decide what to do with each row, in order. A contact is matched by number or address, never only by its name."""
    matched = iter(await match_unique(client, source.unique, options))
    decisions: list[Decision] = []
    async for draft in iterate_cooperatively(source.drafts):
        decision = _decide_unmatched(draft, source) or next(matched)
        decision.sharing = source.sharing.get(draft.row) or decision.sharing
        decisions.append(decision)
    return decisions


async def match_unique(client: JobClient, drafts: Sequence[Draft], options: MatchOptions) -> list[Decision]:
    """Decide what to do with rows of which none repeats another."""
    known = await _KnownContacts.read(client, drafts, options)
    return [_decide(draft, known, options) async for draft in iterate_cooperatively(drafts)]


def _decide_unmatched(draft: Draft, source: Source) -> Decision | None:
    """Return the decision about a row that is not unique, or None."""
    if draft.problem:
        return Decision(draft, "invalid", detail=draft.problem)
    if first := source.first_rows.get(draft.row):
        return Decision(draft, "duplicate", first=first, detail=f"repeats row {first}")
    return None


async def find_repeated_rows(source: Source) -> None:
    """Separate the rows that repeat an earlier one, and find those that share a number or address with another."""
    index = ContactIndex()
    seen: dict[int, int] = {}
    unnamed: dict[str, int] = {}
    async for draft in iterate_cooperatively(source.drafts):
        if draft.problem:
            continue
        # Two rows with ids are two records of an export, however similar: merging them is another decision.
        content = hash((draft.id, *_content_of(draft)))  # a hash instead of the values saves memory
        first = seen.get(content)
        if first is None and draft.id is None and draft.has_key:
            first = _find_first(draft, source, index, unnamed)
        if first is not None:
            source.first_rows[draft.row] = first
            continue
        source.unique.append(draft)
        seen[content] = draft.row
        if draft.person:
            _add_keys(index, str(draft.row), draft)
        else:  # which must not swallow a row with a name
            unnamed |= dict.fromkeys((*draft.phone_keys, *draft.email_keys), draft.row)


def _find_first(draft: Draft, source: Source, index: ContactIndex, unnamed: Mapping[str, int]) -> int | None:
    """Return the earlier row of the same person, and note with which row of another one the draft shares."""
    match = index.find(draft.person, draft.phone_keys, draft.email_keys)
    sharing = [*match.sharing]
    if not match.ids:
        sharing += [str(unnamed[key]) for key in (*draft.phone_keys, *draft.email_keys) if key in unnamed]
    if sharing:
        source.sharing[draft.row] = f"row {sharing[0]}"
    if draft.person and match.ids and match.name_similarity < 1:
        _add_keys(index, match.ids[0], draft)
    return int(match.ids[0]) if match.ids else None


def _add_keys(index: ContactIndex, contact_id: str, draft: Draft) -> None:
    """Add a row to the index, or its name to what it matched, so that another person is not taken for the same."""
    for phone, email in zip_longest(draft.phone_keys, draft.email_keys, fillvalue=""):
        index.add(contact_id, draft.person, phone, email)


def _keys_and_names(drafts: Sequence[Draft], options: MatchOptions) -> tuple[set[str], set[str]]:
    """Return the keys that contacts may have to match rows, and the names of rows that only a name can match."""
    keys = {key for each in drafts for key in (*map(main_number, each.phone_keys), *each.email_keys, each.id) if key}
    names = {_line(draft.name) for draft in drafts if options.on_match == "create" or not draft.has_key}
    return keys, names


class _KnownContacts:
    """The contacts of the directory that a row may match."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.index = ContactIndex()
        self._ids_by_name: dict[str, list[str]] = {}

    @classmethod
    async def read(cls, client: JobClient, drafts: Sequence[Draft], options: MatchOptions) -> "_KnownContacts":
        """Read the whole directory once, and keep the contacts that could match."""
        known = cls()
        keys, names = await anyio.to_thread.run_sync(_keys_and_names, drafts, options)
        to_complete: list[str] = []
        fields = _ALL_FIELDS if await client.backend.supports("scan") else LIST_FIELDS
        async for page in iter_contacts(client, Filter(), fields, client.progress("contacts compared")):
            async for contact in iterate_cooperatively(page):
                phone, email = phone_key(contact.phone_number, options.region), email_key(contact.email)
                by_name = _line(contact.name) in names
                if by_name or keys & {main_number(phone), email, contact.id}:
                    known._add(contact, phone, email)
                    to_complete += [contact.id] if by_name or options.on_match == "update" else []
        if fields != _ALL_FIELDS:
            known.contacts |= {contact.id: contact for contact in await fetch_full(client, to_complete)}
        return known

    def _add(self, contact: Contact, phone: str, email: str) -> None:
        self.contacts[contact.id] = contact
        self._ids_by_name.setdefault(_line(contact.name), []).append(contact.id)
        if phone or email:
            name = person_name(contact.name, contact.phone_number, contact.email)
            self.index.add(contact.id, name, phone, email)

    def find_same(self, draft: Draft) -> str | None:
        """Find a contact whose fields equal the row's."""
        for contact_id in self._ids_by_name.get(_line(draft.name), ()):
            if contact_id in self.contacts and _content_of(self.contacts[contact_id]) == _content_of(draft):
                return contact_id
        return None


def _decide(draft: Draft, known: _KnownContacts, options: MatchOptions) -> Decision:
    # A contact that equals the row is never created again, even with on_match=create: so an import can be repeated.
    if same := known.find_same(draft):
        return Decision(draft, "unchanged", same, detail="is there already")
    if draft.id in known.contacts:
        return _decide_match(draft, known.contacts[draft.id], options, "has this id")
    if options.on_match == "create":
        return Decision(draft, "create")
    match = known.index.find(draft.person, draft.phone_keys, draft.email_keys)
    decision = _decide_by_keys(draft, match, known, options)
    decision.sharing = f"contact {match.sharing[0]}" if match.sharing else ""
    return decision


def _decide_by_keys(draft: Draft, match: Match, known: _KnownContacts, options: MatchOptions) -> Decision:
    ids = match.ids
    if len(ids) > 1:
        return Decision(draft, "ambiguous", detail=f"matches {count(len(ids), 'contact')}")
    if not ids or ids[0] not in known.contacts:
        return Decision(draft, "create")
    if draft.person and match.name_similarity < 1:
        _add_keys(known.index, ids[0], draft)
    return _decide_match(draft, known.contacts[ids[0]], options, "has this number or address")


def _decide_match(draft: Draft, contact: Contact, options: MatchOptions, why: str) -> Decision:
    if options.on_match != "update":
        return Decision(draft, "unchanged", contact.id, detail=f"{why}; left as it is")
    values = _changed_values(draft, contact, options.region)
    if len(values.get("tags", ())) > MAX_TAGS:
        return Decision(draft, "invalid", detail=f"{why}, but together they would have more than {MAX_TAGS} tags")
    if not values:
        return Decision(draft, "unchanged", contact.id, detail=f"{why}; nothing new in the row")
    before = {name: getattr(contact, name) for name in values}
    return Decision(draft, "update", contact.id, contact.name, values, before, detail=why)


def _changed_values(draft: Draft, contact: Contact, region: str | None) -> dict[str, Any]:
    """The values that an update sets: blank fields change nothing, and tags are combined."""
    filled = draft.filled_fields.items()
    values = {name: value for name, value in filled if not _has_value(draft, name, getattr(contact, name), region)}
    tags = edit_tags(contact.tags, draft.tags)
    return values if tags == list(contact.tags) else {**values, "tags": tags}


def _has_value(draft: Draft, name: str, value: str | None, region: str | None) -> bool:
    """Whether the contact's value is the row's, another of the row's, or a valid number instead of an invalid one."""
    if name == "phone_number":
        is_better = not draft.is_valid_number and bool(phones.normalize(value or "", region))
        return is_better or (
            bool(value) and (_has_number(draft, phone_key(value, region)) or value == draft.phone_number)
        )
    if (name == "name" and not draft.is_named) or (name == "notes" and not draft.has_notes):
        return bool(value)
    if name == "email":
        return bool(value) and (email_key(value) in draft.email_keys or value == draft.email)
    return _line(value) == _line(getattr(draft, name))


def _has_number(draft: Draft, key: str) -> bool:
    return any(is_same_number(key, each) for each in draft.phone_keys)


def _content_of(record: Draft | Contact) -> tuple[Any, ...]:
    """All fields of a record, for the comparison of a row with another row or a contact."""
    fields = (_line(getattr(record, name)) for name in _TEXT_FIELDS)
    return (record.type or "person", *fields, frozenset(map(str.casefold, record.tags)))


def _line(value: str | None) -> str:
    """A value without the extra spaces that services remove."""
    return " ".join(value.split()) if value else ""
