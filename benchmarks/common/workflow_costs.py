"""What a model spends on common tasks, in calls and tokens: with only the endpoint tools, and with all tools.

With all tools, each task is carried out at each size. With only the endpoint tools it is a loop of calls. At most
`_SAMPLE_SIZE` calls of a kind are made; the rest of the loop is estimated from their cost.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import bpe_openai
from common.contact_file import iter_people, write_contact_file
from common.workflow_client import CONTACT_FILE, WorkflowClient, open_client

_ENCODING = bpe_openai.get_encoding("o200k_base")
_PER_PAGE = 50
_SAMPLE_SIZE = 20
_GROUP = "By filter"


class Cost(NamedTuple):
    """Calls and their tokens. `is_estimate`: not all of them were made."""

    calls: int
    tokens: int
    is_estimate: bool = False

    def __str__(self) -> str:
        about = "≈ " if self.is_estimate else ""
        calls = f"{_abbreviate(self.calls)} call{'s' if self.calls > 1 else ''}"
        return f"{about}{calls}, {_abbreviate(self.tokens)} tokens"


Task = Callable[[WorkflowClient, int], Awaitable[Cost]]
"""Carries out a task in a directory with this many contacts."""


class Workflow(NamedTuple):
    """A task as a loop over the endpoint tools, and with a workflow tool."""

    name: str
    with_endpoint_tools: Task
    with_all_tools: Task


async def _measure(client: WorkflowClient, work: Awaitable[object]) -> Cost:
    return Cost(*await client.measure(work))


async def _estimate(client: WorkflowClient, call: Callable[[int], Awaitable[object]], times: int) -> Cost:
    """Return the cost of `times` calls, of which at most _SAMPLE_SIZE are made."""
    sample_size = min(times, _SAMPLE_SIZE)

    async def make_sample() -> None:
        for number in range(sample_size):
            await call(number)

    cost = await _measure(client, make_sample())
    return Cost(cost.calls * times // sample_size, cost.tokens * times // sample_size, times > sample_size)


def _add(*costs: Cost) -> Cost:
    return Cost(
        sum(cost.calls for cost in costs), sum(cost.tokens for cost in costs), any(cost.is_estimate for cost in costs)
    )


def _count_pages(contacts: int) -> int:
    return -(-contacts // _PER_PAGE)


async def _list_all(client: WorkflowClient, contacts: int) -> Cost:
    return await _estimate(client, lambda number: client.call("list_contacts", page=number + 1), _count_pages(contacts))


async def _fetch_ids(client: WorkflowClient, count: int) -> list[str]:
    page = await client.call_uncounted("list_contacts", per_page=max(1, min(count, 100)))
    return [row["id"] for row in page["contacts"]]


async def _fetch_group_id(client: WorkflowClient) -> str:
    """Return the id of the group that `_add_matching` filled."""
    groups = (await client.call_uncounted("list_contact_groups"))["groups"]
    return next(str(group["id"]) for group in groups if group["name"] == _GROUP)


async def _create_each(client: WorkflowClient, contacts: int) -> Cost:
    async def create(number: int) -> None:
        await client.call(
            "create_contact",
            name=f"Extra Person {number}",
            phone_number=f"+4745{number:06d}",
            email=f"extra{number}@example.com",
            company_name="Fjord Consulting",
            tags=["extra"],
        )

    return await _estimate(client, create, contacts)


async def _import(client: WorkflowClient, _contacts: int) -> Cost:
    return await _measure(client, client.plan_and_apply("import_contacts", path=CONTACT_FILE))


async def _clean_each(client: WorkflowClient, contacts: int) -> Cost:
    ids = await _fetch_ids(client, contacts)

    async def update(number: int) -> None:
        await client.call("update_contact", contact_id=ids[number % len(ids)], phone_number=f"+4746{number:06d}")

    return _add(await _list_all(client, contacts), await _estimate(client, update, max(1, contacts * 3 // 10)))


async def _clean(client: WorkflowClient, _contacts: int) -> Cost:
    return await _measure(client, client.call("update_matching_contacts", normalize_phones=True))


async def _compare_all(client: WorkflowClient, contacts: int) -> Cost:
    """Read every page; for one pair in a hundred contacts, read both and update one of them."""
    ids = await _fetch_ids(client, contacts)

    async def merge(number: int) -> None:
        for contact_id in (ids[0], ids[1 % len(ids)]):
            await client.call("get_contact", contact_id=contact_id)
        await client.call("update_contact", contact_id=ids[0], add_tags=[f"merged{number}"])

    return _add(await _list_all(client, contacts), await _estimate(client, merge, max(1, contacts // 100)))


async def _merge_duplicates(client: WorkflowClient, contacts: int) -> Cost:
    ids = await _fetch_ids(client, contacts)

    async def find_and_merge() -> None:
        await client.call("find_duplicate_contacts")
        await client.call("merge_contacts", keep_id=ids[0], merge_ids=[ids[1]])

    return await _measure(client, find_and_merge())


async def _add_in_batches(client: WorkflowClient, contacts: int) -> Cost:
    """Create a group, read the tag's pages, and add their ids in requests of a hundred."""
    members = max(1, contacts // 2)
    ids = (await _fetch_ids(client, 100))[: min(members, 100)]
    group = await client.call("create_contact_group", name="By hand")

    async def read_page(number: int) -> None:
        await client.call("list_contacts", tags=["tag0"], page=number + 1)

    async def add_members(_number: int) -> None:
        await client.call("add_group_members", group_id=group["id"], contact_ids=ids)

    create_group = Cost(1, 90)
    pages = await _estimate(client, read_page, _count_pages(members))
    return _add(pages, await _estimate(client, add_members, -(-members // 100)), create_group)


async def _add_matching(client: WorkflowClient, _contacts: int) -> Cost:
    async def create_and_fill() -> None:
        group = await client.call("create_contact_group", name=_GROUP)
        await client.plan_and_apply("add_matching_to_group", group_id=group["id"], tags=["tag0"])

    return await _measure(client, create_and_fill())


async def _search_each(client: WorkflowClient, _contacts: int) -> Cost:
    """Search for a misheard name, for half of it, and for its first letters."""

    async def search() -> None:
        for query in (_misheard_name(), _misheard_name().split()[1], _misheard_name()[:3]):
            await client.call("list_contacts", search=query)

    return await _measure(client, search())


async def _find(client: WorkflowClient, _contacts: int) -> Cost:
    return await _measure(client, client.call("find_contacts", query=_misheard_name()))


def _misheard_name() -> str:
    """Return the first person's name in the wrong order and with a typing error."""
    first_name, last_name, *_ = next(iter_people(1))
    return f"{last_name} {first_name[:-1]}x"


async def _read_members(client: WorkflowClient, contacts: int) -> Cost:
    """Read all pages of the group, which has half of the contacts."""
    group_id = await _fetch_group_id(client)

    async def read_page(number: int) -> None:
        await client.call("list_group_members", group_id=group_id, page=number + 1)

    return await _estimate(client, read_page, _count_pages(max(1, contacts // 2)))


async def _check_audience(client: WorkflowClient, _contacts: int) -> Cost:
    group_id = await _fetch_group_id(client)
    return await _measure(client, client.call("check_group_audience", group_id=group_id))


async def _export(client: WorkflowClient, _contacts: int) -> Cost:
    return await _measure(client, client.call("export_contacts"))


WORKFLOWS = (
    Workflow("import a file", _create_each, _import),
    Workflow("clean phone numbers (a third needs it)", _clean_each, _clean),
    Workflow("find duplicates and merge", _compare_all, _merge_duplicates),
    Workflow("a tag's contacts into a group", _add_in_batches, _add_matching),
    Workflow("find a person from a vague name", _search_each, _find),
    Workflow("who is in a group, and whom SMS reaches", _read_members, _check_audience),
    Workflow("export", _list_all, _export),
)


def measure_costs(sizes: tuple[int, ...]) -> str:
    """Return a Markdown table: for each workflow and size, the cost with endpoint tools → with all tools."""
    columns = [asyncio.run(_measure_size(size)) for size in sizes]
    lines = [f"| Workflow | {' | '.join(f'{size:,} contacts' for size in sizes)} |", f"|---|{'---|' * len(sizes)}"]
    for index, workflow in enumerate(WORKFLOWS):
        cells = [f"{loop} → **{direct}**" for loop, direct in (column[index] for column in columns)]
        lines.append(f"| {workflow.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


async def _measure_size(contacts: int) -> list[tuple[Cost, Cost]]:
    """Measure each workflow both ways in a directory of this size: first with all tools, which fills it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_contact_file(folder / CONTACT_FILE, contacts)
        async with open_client(folder, count_tokens=lambda text: len(_ENCODING.encode(text))) as client:
            direct = [await workflow.with_all_tools(client, contacts) for workflow in WORKFLOWS]
            loops = [await workflow.with_endpoint_tools(client, contacts) for workflow in WORKFLOWS]
    return list(zip(loops, direct, strict=True))


def _abbreviate(number: int) -> str:
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return str(number)
