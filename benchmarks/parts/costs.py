"""What a model spends on the jobs people have: calls and tokens, with the endpoint tools alone and with all.

With all, every job is really done at every size. With the endpoints alone the calls of its loop are made where they are
few, and for the rest so many are counted as the loop needs, at the price of those that were made.
"""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import bpe_openai
from people import people, write
from workflow_host import Host, hosting

_ENCODING = bpe_openai.get_encoding("o200k_base")
_PAGE = 50
_SAMPLE = 20
"""Calls of one kind that are made to learn their price."""


class Cost(NamedTuple):
    """Calls and tokens; `counted` where they were not all made."""

    calls: int
    tokens: int
    counted: bool = False

    def __str__(self) -> str:
        about = "≈ " if self.counted else ""
        return f"{about}{_short(self.calls)} call{'s' if self.calls > 1 else ''}, {_short(self.tokens)} tokens"


Loop = Callable[[Host, int], Awaitable[Cost]]


class Workflow(NamedTuple):
    """A job, as a loop over the endpoints and with one or two calls."""

    name: str
    alone: Loop
    with_all: Loop


async def _spent(host: Host, work: Awaitable[object]) -> Cost:
    calls, tokens = host.calls, host.tokens
    await work
    return Cost(host.calls - calls, host.tokens - tokens)


async def _priced(host: Host, call: Callable[[int], Awaitable[object]], times: int) -> Cost:
    """The cost of so many calls, of which at most _SAMPLE are made."""
    made = min(times, _SAMPLE)

    async def some() -> None:
        for number in range(made):
            await call(number)

    cost = await _spent(host, some())
    return Cost(cost.calls * times // made, cost.tokens * times // made, counted=times > made)


def _sum(*costs: Cost) -> Cost:
    return Cost(
        sum(cost.calls for cost in costs), sum(cost.tokens for cost in costs), any(cost.counted for cost in costs)
    )


def _pages(size: int) -> int:
    return -(-size // _PAGE)


async def _list_all(host: Host, size: int) -> Cost:
    return await _priced(host, lambda number: host.call("list_contacts", page=number + 1), _pages(size))


async def _ids(host: Host, count: int) -> list[str]:
    """Ids to loop over, at nobody's cost."""
    calls, tokens = host.calls, host.tokens
    found = (await host.call("list_contacts", per_page=max(1, min(count, 100))))["contacts"]
    host.calls, host.tokens = calls, tokens
    return [row["id"] for row in found]


async def _create_each(host: Host, size: int) -> Cost:
    async def create(number: int) -> None:
        await host.call(
            "create_contact",
            name=f"Extra Person {number}",
            phone_number=f"+4745{number:06d}",
            email=f"extra{number}@example.com",
            company_name="Fjord Consulting",
            tags=["extra"],
        )

    return await _priced(host, create, size)


async def _import(host: Host, size: int) -> Cost:
    del size
    return await _spent(host, host.applied("import_contacts", path="people.csv"))


async def _clean_each(host: Host, size: int) -> Cost:
    ids = await _ids(host, size)

    async def update(number: int) -> None:
        await host.call("update_contact", contact_id=ids[number % len(ids)], phone_number=f"+4746{number:06d}")

    return _sum(await _list_all(host, size), await _priced(host, update, max(1, size * 3 // 10)))


async def _clean(host: Host, size: int) -> Cost:
    del size
    return await _spent(host, host.call("update_matching_contacts", normalize_phones=True))


async def _compare_all(host: Host, size: int) -> Cost:
    """Every page is read, and one pair in a hundred contacts is merged by hand: read twice, changed, deleted."""
    ids = await _ids(host, size)

    async def merge(number: int) -> None:
        for contact_id in (ids[0], ids[1 % len(ids)]):
            await host.call("get_contact", contact_id=contact_id)
        await host.call("update_contact", contact_id=ids[0], add_tags=[f"merged{number}"])

    return _sum(await _list_all(host, size), await _priced(host, merge, max(1, size // 100)))


async def _duplicates(host: Host, size: int) -> Cost:
    ids = await _ids(host, size)

    async def find_and_merge() -> None:
        await host.call("find_duplicate_contacts")
        await host.call("merge_contacts", keep_id=ids[0], merge_ids=[ids[1]])

    return await _spent(host, find_and_merge())


async def _join_each(host: Host, size: int) -> Cost:
    """The tag's pages, then their ids in requests of a hundred."""
    members = max(1, size // 2)
    ids = (await _ids(host, 100))[: min(members, 100)]
    group = await host.call("create_contact_group", name="By hand")

    async def page(number: int) -> None:
        await host.call("list_contacts", tags=["tag0"], page=number + 1)

    async def join(_number: int) -> None:
        await host.call("add_group_members", group_id=group["id"], contact_ids=ids)

    return _sum(await _priced(host, page, _pages(members)), await _priced(host, join, -(-members // 100)), Cost(1, 90))


async def _join(host: Host, size: int) -> Cost:
    del size

    async def fill() -> None:
        group = await host.call("create_contact_group", name="By filter")
        await host.applied("add_matching_to_group", group_id=group["id"], tags=["tag0"])

    return await _spent(host, fill())


async def _search_each(host: Host, size: int) -> Cost:
    """A name misheard: what was heard, half of it, and a page of those who begin so."""
    del size

    async def search() -> None:
        for query in (_misheard(), _misheard().split()[1], _misheard()[:3]):
            await host.call("list_contacts", search=query)

    return await _spent(host, search())


async def _find(host: Host, size: int) -> Cost:
    del size
    return await _spent(host, host.call("find_contacts", query=_misheard()))


def _misheard() -> str:
    """The name of the first person, the wrong way round and with a slip."""
    given, family, *_ = next(people(1))
    return f"{family} {given[:-1]}x"


async def _read_members(host: Host, size: int) -> Cost:
    """All pages of the group that holds half of the contacts."""
    group = await _audience(host)
    return await _priced(
        host, lambda number: host.call("list_group_members", group_id=group, page=number + 1), _pages(max(1, size // 2))
    )


async def _check(host: Host, size: int) -> Cost:
    del size
    return await _spent(host, host.call("check_group_audience", group_id=await _audience(host)))


async def _audience(host: Host) -> str:
    """The group that was filled by a filter."""
    calls, tokens = host.calls, host.tokens
    groups = (await host.call("list_contact_groups"))["groups"]
    host.calls, host.tokens = calls, tokens
    return next(str(group["id"]) for group in groups if group["name"] == "By filter")


async def _export(host: Host, size: int) -> Cost:
    del size
    return await _spent(host, host.call("export_contacts"))


WORKFLOWS = (
    Workflow("import a file", _create_each, _import),
    Workflow("clean phone numbers (a third needs it)", _clean_each, _clean),
    Workflow("find duplicates and merge", _compare_all, _duplicates),
    Workflow("a tag's contacts into a group", _join_each, _join),
    Workflow("find a person from a vague name", _search_each, _find),
    Workflow("who is in a group, and whom SMS reaches", _read_members, _check),
    Workflow("export", _list_all, _export),
)


def measure_costs(sizes: tuple[int, ...]) -> str:
    """The table, as Markdown: for each size the loop's cost, and what it is with all tools."""
    logging.getLogger("contacts_mcp.trail").setLevel(logging.ERROR)
    columns = [asyncio.run(_costs(size)) for size in sizes]
    lines = [
        f"| Workflow | {' | '.join(f'{size:,} contacts' for size in sizes)} |",
        f"|---|{'---|' * len(sizes)}",
    ]
    for place, workflow in enumerate(WORKFLOWS):
        cells = [f"{alone} → **{short}**" for alone, short in (column[place] for column in columns)]
        lines.append(f"| {workflow.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


async def _costs(size: int) -> list[tuple[Cost, Cost]]:
    """Each workflow both ways, in a directory of this size: first with all tools, which fills it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "people.csv", size)
        async with hosting(folder, count=lambda text: len(_ENCODING.encode(text))) as host:
            short = [await workflow.with_all(host, size) for workflow in WORKFLOWS]
            alone = [await workflow.alone(host, size) for workflow in WORKFLOWS]
    return list(zip(alone, short, strict=True))


def _short(number: int) -> str:
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return str(number)
