"""What a person may have meant to type: tags, names of groups, ids of groups."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from contacts_mcp.contract import UUID, Group, ListContactGroups, ListContacts
from contacts_mcp.resources._addresses import GROUP, MEMBERS
from contacts_mcp.resources._recent import Recent
from contacts_mcp.text import fold, sanitize
from contacts_mcp.tools import Backend, Tool

_PAGES, _ROWS = 5, 100
"""Pages of the newest contacts that are read for their tags, and rows of each."""
_TAGS_LIFETIME, _GROUPS_LIFETIME = 60.0, 5.0
_VALUE_LIMIT = 200

Values = tuple[list[str], bool]
"""What fits, best first, and whether that is all there is."""
Source = Callable[[Backend, str, str], Awaitable[Values]]
"""Backend, tenant and what was typed."""


class _Gathered(NamedTuple):
    tags: list[str]
    all: bool


class Suggestions:
    """Suggests what the tools that are on would show; remembers a tenant's tags for a minute."""

    def __init__(self, tools: Collection[Tool]) -> None:
        self._on = {tool.name for tool in tools}
        self._tags: Recent[_Gathered] = Recent(_TAGS_LIFETIME)
        self._groups: Recent[list[Group]] = Recent(_GROUPS_LIFETIME)

    def by_argument(self) -> Mapping[str, Source]:
        """For arguments of prompts, by name."""
        sources: dict[str, Source] = {}
        if "list_contacts" in self._on:
            sources["tag"] = self._tag
        if "list_contact_groups" in self._on:
            sources["group"] = self._group_name
        return sources

    def by_template(self) -> Mapping[str, Source]:
        """For the id in templates of addresses."""
        return {GROUP: self._group_id, MEMBERS: self._group_id} if "list_contact_groups" in self._on else {}

    async def _tag(self, backend: Backend, tenant: str, typed: str) -> Values:
        gathered = await self._tags.get(tenant, lambda: _gather_tags(backend))
        return _fitting(((tag, (tag,)) for tag in gathered.tags), typed), gathered.all

    async def _group_name(self, backend: Backend, tenant: str, typed: str) -> Values:
        groups = await self._all_groups(backend, tenant)
        return _fitting(((group.name or "", (group.name or "",)) for group in groups), typed), True

    async def _group_id(self, backend: Backend, tenant: str, typed: str) -> Values:
        groups = await self._all_groups(backend, tenant)
        return _fitting(((group.id, (group.id, group.name or "")) for group in groups), typed), True

    async def _all_groups(self, backend: Backend, tenant: str) -> list[Group]:
        async def load() -> list[Group]:
            found = await backend.send(ListContactGroups())
            return [group for group in found.groups if UUID.fullmatch(group.id)]

        return await self._groups.get(tenant, load)


async def _gather_tags(backend: Backend) -> _Gathered:
    """The tags of the newest contacts, and whether those were all contacts."""
    tags: dict[str, None] = {}
    for number in range(1, _PAGES + 1):
        page = await backend.send(ListContacts(page=number, per_page=_ROWS))
        tags.update(dict.fromkeys(tag for contact in page.contacts for tag in contact.tags))
        if len(page.contacts) < _ROWS:
            return _Gathered(list(tags), all=True)
    return _Gathered(list(tags), all=False)


def _fitting(candidates: Iterable[tuple[str, tuple[str, ...]]], typed: str) -> list[str]:
    """The values of whose texts one holds what was typed; those that begin with it first.

    A value that cannot be shown as it is would not be found by what is shown, so it is left out.
    """
    wanted = fold(typed.strip())
    ranked = {
        value: (not any(fold(text).startswith(wanted) for text in texts), fold(texts[-1]), value)
        for value, texts in candidates
        if _showable(value) and any(wanted in fold(text) for text in texts)
    }
    return sorted(ranked, key=lambda value: ranked[value])


def _showable(value: str) -> bool:
    return bool(value) and " ".join(sanitize(value, _VALUE_LIMIT).split()) == value
