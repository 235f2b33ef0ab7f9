"""Completions: the tags, group names and group ids that match what a person has typed so far."""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import anyio
from cachetools import TTLCache

from contacts_mcp.contract import UUID, Group, ListContactGroups, ListContacts
from contacts_mcp.resources._catalog import GROUP_URI, MEMBERS_URI
from contacts_mcp.text import fold, sanitize_line
from contacts_mcp.tools import Backend, Tool

T = TypeVar("T")

_TAG_PAGES, _CONTACTS_PER_PAGE = 5, 100  # tags come from this many pages of the newest contacts
_TAGS_TTL_SECONDS, _GROUPS_TTL_SECONDS = 60.0, 5.0
_MAX_CACHED_TENANTS = 256
_MAX_VALUE_LENGTH = 200


class CompletionValues(NamedTuple):
    """The matching values, best first, and whether these are all that exist."""

    values: list[str]
    is_complete: bool


Completer = Callable[[Backend, str, str], Awaitable[CompletionValues]]
"""Takes the backend, the tenant's name and the typed text."""


class Completions:
    """Completes prompt arguments and URI templates with data that the enabled tools would show."""

    def __init__(self, tools: Collection[Tool]) -> None:
        enabled = {tool.name for tool in tools}
        self._tags: TenantCache[CompletionValues] = TenantCache(_TAGS_TTL_SECONDS)
        self._groups: TenantCache[list[Group]] = TenantCache(_GROUPS_TTL_SECONDS)
        self.for_arguments: dict[str, Completer] = {}  # for prompt arguments, by the argument's name
        self.for_templates: dict[str, Completer] = {}  # for the id in a URI template, by template
        if "list_contacts" in enabled:
            self.for_arguments["tag"] = self._complete_tag
        if "list_contact_groups" in enabled:
            self.for_arguments["group"] = self._complete_group_name
            self.for_templates = dict.fromkeys((GROUP_URI, MEMBERS_URI), self._complete_group_id)

    async def _complete_tag(self, backend: Backend, tenant: str, typed: str) -> CompletionValues:
        tags, is_complete = await self._tags.get(tenant, lambda: _collect_tags(backend))
        return CompletionValues(_matching(((tag, (tag,)) for tag in tags), typed), is_complete)

    async def _complete_group_name(self, backend: Backend, tenant: str, typed: str) -> CompletionValues:
        names = [group.name or "" for group in await self._all_groups(backend, tenant)]
        return CompletionValues(_matching(((name, (name,)) for name in names), typed), is_complete=True)

    async def _complete_group_id(self, backend: Backend, tenant: str, typed: str) -> CompletionValues:
        groups = await self._all_groups(backend, tenant)
        candidates = ((group.id, (group.id, group.name or "")) for group in groups)
        return CompletionValues(_matching(candidates, typed), is_complete=True)

    async def _all_groups(self, backend: Backend, tenant: str) -> list[Group]:
        async def load() -> list[Group]:
            found = await backend.send(ListContactGroups())
            return [group for group in found.groups if UUID.fullmatch(group.id)]

        return await self._groups.get(tenant, load)


async def _collect_tags(backend: Backend) -> CompletionValues:
    """Return the tags of the newest contacts, and whether those were all contacts."""
    tags: dict[str, None] = {}
    for number in range(1, _TAG_PAGES + 1):
        page = await backend.send(ListContacts(page=number, per_page=_CONTACTS_PER_PAGE))
        tags.update(dict.fromkeys(tag for contact in page.contacts for tag in contact.tags))
        if len(page.contacts) < _CONTACTS_PER_PAGE:
            return CompletionValues(list(tags), is_complete=True)
    return CompletionValues(list(tags), is_complete=False)


def _matching(candidates: Iterable[tuple[str, tuple[str, ...]]], typed: str) -> list[str]:
    """Return the values of which one text contains `typed`; values whose text starts with it come first.

    A value that sanitizing would change is left out: what the client shows would not find it again.
    """
    wanted = fold(typed.strip())
    ranked = {
        value: (not any(fold(text).startswith(wanted) for text in texts), fold(texts[-1]), value)
        for value, texts in candidates
        if _is_showable(value) and any(wanted in fold(text) for text in texts)
    }
    return sorted(ranked, key=lambda value: ranked[value])


def _is_showable(value: str) -> bool:
    return bool(value) and sanitize_line(value, _MAX_VALUE_LENGTH) == value


class TenantCache(Generic[T]):
    """One cached value per tenant, for `ttl` seconds and for the `max_tenants` tenants that were used last."""

    def __init__(
        self, ttl: float, max_tenants: int = _MAX_CACHED_TENANTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._values: TTLCache[str, T] = TTLCache(max_tenants, ttl, timer=clock)
        self._loading: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    async def get(self, tenant: str, load: Callable[[], Awaitable[T]]) -> T:
        """Return the tenant's value, loaded if it is missing or expired; concurrent callers wait for the same load."""
        async with self._loading.setdefault(tenant, anyio.Lock()):
            try:
                return self._values[tenant]
            except KeyError:
                value = self._values[tenant] = await load()
                return value
