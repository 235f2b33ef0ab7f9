"""Look up the records that a call names: each name must match exactly one, or nothing is done."""

from collections.abc import Sequence

from pydantic import BaseModel

from contacts_mcp.contract import ContactsError, Group, ListContactGroups, NotFound, PermissionDenied
from contacts_mcp.text import fold, quote
from contacts_mcp.tools._references import MAX_NAME_LENGTH, Named, ParsedArguments
from contacts_mcp.tools._tool import Backend
from contacts_mcp.wording import count

_MAX_CANDIDATES = 5
_MAX_SHOWN_LENGTH = 40


class Ambiguous(ContactsError):
    """A name matches several records. The message lists them."""

    code = "ambiguous"


async def resolve_names(backend: Backend, parsed: ParsedArguments) -> BaseModel:
    """Return the arguments with the ids of the records that the call names.

    Raises:
        Ambiguous: several records have the name.
        NotFound: no record has it; the message lists similar ones.
        PermissionDenied: the caller may not read, and what a name matches would tell what is stored.
        ContactsError: the records cannot be read.
    """
    if not parsed.names:
        return parsed.arguments
    if not backend.may_read:
        by_name, by_id = parsed.names[0].reference.by_name, parsed.names[0].reference.by_id
        message = f"a search by {by_name} shows stored data, which needs the scope contacts:read"
        raise PermissionDenied(message, advice=f"nothing was changed; give {by_id}, or request this scope, too")
    return parsed.with_ids({each.reference.by_id: await _find_group(backend, each) for each in parsed.names})


async def _find_group(backend: Backend, named: Named) -> str:
    """Return the id of the group with a name; case and surrounding space make no difference."""
    groups = (await backend.send(ListContactGroups())).groups
    same = [group for group in groups if _group_key(group.name) == _group_key(named.name)]
    if len(same) == 1:
        return same[0].id
    if same:
        listed = ", ".join(f"{group.id} {_describe_group(group)}" for group in same[:_MAX_CANDIDATES])
        raise Ambiguous(
            f"{count(len(same), 'group')} are named {_shown(named.name)}: {listed}{_and_more(same)}",
            advice="nothing was changed; ask the person which one, then call again with its group_id",
        )
    raise NotFound(
        f"no group is named {_shown(named.name)}; {_describe_nearest(named.name, groups)}",
        advice="nothing was changed; call again with the name that is meant",
    )


def _group_key(name: str | None) -> str:
    return " ".join((name or "").split()).casefold()


def _describe_nearest(name: str, groups: Sequence[Group]) -> str:
    """Describe the groups with the most similar names."""
    if not groups:
        return "there are no groups yet, and create_contact_group creates one"
    from rapidfuzz import process

    keys = [fold((group.name or "")[:MAX_NAME_LENGTH]) for group in groups]
    nearest = [groups[index] for _, _, index in process.extract(fold(name), keys, limit=_MAX_CANDIDATES)]
    return f"the nearest names are {', '.join(map(_describe_group, nearest))}{_and_more(groups)}"


def _describe_group(group: Group) -> str:
    members = "" if group.member_count is None else f" ({count(group.member_count, 'member')})"
    return f"{_shown(group.name)}{members}"


def _shown(text: str | None) -> str:
    return quote(text or "", _MAX_SHOWN_LENGTH)


def _and_more(found: Sequence[object]) -> str:
    more = len(found) - _MAX_CANDIDATES
    return f" and {more:,} more" if more > 0 else ""
