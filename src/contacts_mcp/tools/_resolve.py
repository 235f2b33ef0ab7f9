"""Look up the records that a call names: each name must match exactly one, or nothing is done."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from contacts_mcp.contract import (
    Contact,
    ContactPage,
    ContactsError,
    Group,
    ListContactGroups,
    ListContacts,
    ListDeletedContacts,
    NotFound,
    PermissionDenied,
    PersonRecord,
)
from contacts_mcp.matching import exact_search_texts, is_exact_match, rank_contacts
from contacts_mcp.text import fold, quote
from contacts_mcp.tools._habits import is_all
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._references import CREATE_GROUP, GROUP, MAX_NAME_LENGTH, Named, ParsedArguments
from contacts_mcp.tools._select import fetch_full
from contacts_mcp.tools._tool import Backend
from contacts_mcp.wording import count, local_time

_MAX_ROWS = 100  # contacts that one search returns; a name that more contacts match is too common
_MAX_CANDIDATES = 5
_MAX_SHOWN_LENGTH, _MAX_SHOWN_TAGS = 40, 3
_MAX_LIST_LENGTH = 700  # of the candidates in an error, which is one line
_NOTHING_DONE = "nothing was changed"


class Ambiguous(ContactsError):
    """A name matches several records. The message lists them."""

    code = "ambiguous"


async def resolve_names(
    backend: Backend, parsed: ParsedArguments, *, only_reads: bool = False, among_deleted: bool = False
) -> BaseModel:
    """Return the arguments with the ids of the records that the call names; contacts can be `among_deleted` ones.

    Unless the call `only_reads`, the errors say that nothing was changed.

    Raises:
        Ambiguous: several records have the name.
        NotFound: no record has it; the message lists similar ones.
        PermissionDenied: the caller may not read, and what a name matches would tell what is stored.
        ContactsError: the records cannot be read.
    """
    if not parsed.named:
        return parsed.arguments
    if not backend.may_read:
        by_name, by_id = parsed.named[0].reference.by_name, parsed.named[0].reference.by_id
        message = f"a search by {by_name} shows stored data, which needs the scope contacts:read"
        raise PermissionDenied(message, advice=f"{_NOTHING_DONE}; give {by_id}, or request this scope, too")
    found: dict[str, str | list[str]] = {}
    among = _DELETED if among_deleted else _LIVE
    advise = _advise_reader if only_reads else _advise_writer
    for each in parsed.named:
        if each.reference is GROUP:
            found |= await _find_group(backend, parsed, each, advise)
        else:
            found |= await _find_contacts(backend, each, among, advise)
    return parsed.with_ids(found)


_Advise = Callable[[str], str]
"""Returns the advice of an error from what to do next."""


def _advise_writer(next_step: str) -> str:
    return f"{_NOTHING_DONE}; {next_step}"


def _advise_reader(next_step: str) -> str:
    return next_step


class _Found(NamedTuple):
    """The contacts that a search returned, and whether these are all that it finds."""

    contacts: Sequence[Contact]
    is_complete: bool


class _Among(NamedTuple):
    """The contacts among which a name is looked up.

    Attributes:
        noun: one of these contacts, in an error.
        search: searches them.
        advice: what to do if none is similar.
    """

    noun: str
    search: Callable[[Backend, str], Awaitable[_Found]]
    advice: str


class _Match(NamedTuple):
    """What a name matches.

    Attributes:
        exact: the contacts that it matches exactly.
        similar: the best of the others that were found.
        is_complete: whether every contact that matches exactly was found.
    """

    name: str
    exact: Sequence[Contact]
    similar: Sequence[Contact]
    is_complete: bool

    @property
    def is_clear(self) -> bool:
        return len(self.exact) == 1 and self.is_complete


async def _search_live(backend: Backend, text: str) -> _Found:
    page = await backend.send(ListContacts(search=text, per_page=_MAX_ROWS))
    return _Found(page.contacts, _is_complete(page))


async def _search_deleted(backend: Backend, text: str) -> _Found:
    page = await backend.send(ListDeletedContacts(search=text, limit=_MAX_ROWS))
    return _Found(page.contacts, page.next is None)


_LIVE = _Among("contact", _search_live, "find_contacts also finds misspelled names")
_DELETED = _Among("deleted contact", _search_deleted, "list_deleted_contacts lists what can be restored")


async def _find_contacts(backend: Backend, named: Named, among: _Among, advise: _Advise) -> dict[str, str | list[str]]:
    """Return the argument with the ids of the contacts that the names, numbers or addresses match exactly."""

    async def match(name: str) -> _Match:
        return await _match_contacts(backend, name, among)

    client = JobClient(backend)
    matches = await client.map_concurrently(named.names, match)
    if unclear := [each for each in matches if not each.is_clear]:
        raise await _unclear_error(client, named, unclear, among, advise)
    for each in matches:
        backend.known.add(each.exact[0])
    return {named.reference.by_id: named.with_ids({each.name: each.exact[0].id for each in matches})}


async def _match_contacts(backend: Backend, name: str, among: _Among) -> _Match:
    """Search for a contact, by other words only if the first search finds none that matches exactly."""
    region = backend.default_region
    found: dict[str, Contact] = {}
    is_complete = True
    for text in exact_search_texts(name, region):
        contacts, is_complete = await among.search(backend, text)
        found |= {each.id: each for each in contacts}
        if any(is_exact_match(name, each, region) for each in found.values()):
            break
    exact = [each for each in found.values() if is_exact_match(name, each, region)]
    similar = [each.contact for each in rank_contacts(name, found.values(), region) if each.contact not in exact]
    return _Match(name, exact, similar, is_complete)


def _is_complete(page: ContactPage) -> bool:
    """Whether a page has all contacts that the search finds."""
    rows = len(page.contacts)
    return rows < _MAX_ROWS if page.total is None else rows >= page.total


async def _unclear_error(
    client: JobClient, named: Named, unclear: Sequence[_Match], among: _Among, advise: _Advise
) -> ContactsError:
    """Return the error about names that do not match exactly one contact, with the candidates of each."""
    limit = max(1, _MAX_CANDIDATES // len(unclear))
    shown = {each.name: (each.exact or each.similar)[:limit] for each in unclear}
    rows = {contact.id: contact for contacts in shown.values() for contact in contacts}
    ids = [each.id for each in rows.values() if not isinstance(each, PersonRecord)]  # these rows are full
    try:
        full = {each.id: each for each in await fetch_full(client, ids[:_MAX_CANDIDATES])}
    except ContactsError:  # rows of a list do not show the company, but are better than no candidate
        full = {}
    room = _MAX_LIST_LENGTH // len(unclear)
    parts = [
        _describe_match(each, [full.get(row.id, row) for row in shown[each.name]], room, among.noun) for each in unclear
    ]
    kind = Ambiguous if any(each.exact for each in unclear) else NotFound
    has_candidates = any(shown.values())
    advice = (
        f"choose by the person's words, or ask; then call again with {named.reference.by_id}"
        if has_candidates
        else among.advice
    )
    return kind("; ".join(parts), advice=advise(advice))


def _describe_match(match: _Match, shown: Sequence[Contact], room: int, noun: str) -> str:
    name = _shown(match.name)
    if not match.is_complete and len(match.exact) <= 1:
        claim = f"too many {noun}s match {name} to be sure which one is meant"
    elif match.exact:
        claim = f"{count(len(match.exact), noun)} match {name}"
    else:
        claim = f"no {noun} matches {name}{' exactly, only similar ones' if shown else ''}"
    listed: list[str] = []
    for each in shown:
        line = _describe_contact(each)
        room -= len(line)
        if listed and room < 0:
            break
        listed.append(line)
    if not listed:
        return claim
    return f"{claim}: {', '.join(listed)}{_and_more(len(match.exact or match.similar) - len(listed))}"


def _describe_contact(contact: Contact) -> str:
    """Describe a contact by all that tells it from others of its name."""
    values = (contact.name, contact.phone_number, contact.email, contact.company_name)
    tags = [_shown(tag) for tag in contact.tags[:_MAX_SHOWN_TAGS]]
    known = [*(_shown(value) for value in values if value), *([f"tags {' '.join(tags)}"] if tags else [])]
    if isinstance(contact, PersonRecord) and contact.deleted_at:
        known.append(f"deleted {local_time(contact.deleted_at)}")
    return f"{contact.id} ({', '.join(known)})"


async def _find_group(backend: Backend, parsed: ParsedArguments, named: Named, advise: _Advise) -> dict[str, str]:
    """Return the argument with the id of the group with a name; case and surrounding space make no difference.

    If no group has the name and one is to be created, that is the argument with the name.
    """
    (name,) = named.names
    groups = (await backend.send(ListContactGroups())).groups
    same = [group for group in groups if _group_key(group.name) == _group_key(name)]
    if len(same) == 1:
        backend.known.add(same[0])
        return {GROUP.by_id: same[0].id}
    if same:
        listed = ", ".join(f"{group.id} {_describe_group(group)}" for group in same[:_MAX_CANDIDATES])
        raise Ambiguous(
            f"{count(len(same), 'group')} are named {_shown(name)}: {listed}{_and_more(len(same) - _MAX_CANDIDATES)}",
            advice=advise("choose by the person's words, or ask; then call again with its group_id"),
        )
    if parsed.may_create_group:
        return {GROUP.by_name: " ".join(name.split())}
    is_everything = is_all(name) and not parsed.model.model_fields[GROUP.by_id].is_required()
    advice = "leave group out for all contacts" if is_everything else "call again with the name that is meant"
    if CREATE_GROUP in parsed.model.model_fields:
        advice += f", or with {CREATE_GROUP}: true for a new group"
    raise NotFound(f"no group is named {_shown(name)}; {_describe_nearest(name, groups)}", advice=advise(advice))


def _group_key(name: str | None) -> str:
    return " ".join((name or "").split()).casefold()


def _describe_nearest(name: str, groups: Sequence[Group]) -> str:
    """Describe the groups with the most similar names."""
    if not groups:
        return "there are no groups yet, and create_contact_group creates one"
    from rapidfuzz import process

    keys = [fold((group.name or "")[:MAX_NAME_LENGTH]) for group in groups]
    nearest = [groups[index] for _, _, index in process.extract(fold(name), keys, limit=_MAX_CANDIDATES)]
    return f"the nearest names are {', '.join(map(_describe_group, nearest))}{_and_more(len(groups) - _MAX_CANDIDATES)}"


def _describe_group(group: Group) -> str:
    members = "" if group.member_count is None else f" ({count(group.member_count, 'member')})"
    return f"{_shown(group.name)}{members}"


def _shown(text: str | None) -> str:
    return quote(text or "", _MAX_SHOWN_LENGTH)


def _and_more(number: int) -> str:
    return f" and {number:,} more" if number > 0 else ""
