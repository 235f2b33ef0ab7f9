"""list_duplicates: all clusters of find_duplicate_contacts, page by page."""

from typing import Any

import pytest

from support.hosts import Host


async def add_pairs(host: Host, number: int) -> None:
    """Create pairs of contacts, each with one e-mail address."""
    for each in range(number):
        for _ in range(2):
            values = {"name": f"Kari Moe {each:03}", "email": f"kari{each}@example.com"}
            await host.call("create_contact", **values, allow_duplicate=True)


def names(answer: dict[str, Any]) -> list[str]:
    return [cluster["contacts"][0]["name"] for cluster in answer["clusters"]]


async def test_pages_have_all_clusters_in_the_order_of_the_search(either: Host) -> None:
    await add_pairs(either, 5)
    found = await either.call("find_duplicate_contacts")

    pages = [await either.call("list_duplicates", offset=offset, limit=2) for offset in (0, 2, 4)]

    assert [name for page in pages for name in names(page)] == names(found)
    counts = ("compared", "total", "certain", "likely", "possible")
    for page in pages:
        assert [page[name] for name in counts] == [found[name] for name in counts]
        assert page["search"] == pages[0]["search"]
    assert pages[0]["clusters"] == found["clusters"][:2]


async def test_further_pages_show_the_search_of_the_first_one(directory: Host) -> None:
    """A cluster that is gone does not move those behind it; only a first page compares again."""
    await add_pairs(directory, 4)
    first = await directory.call("list_duplicates", limit=2)
    changed = first["clusters"][0]["contacts"][1]["id"]
    await directory.call("update_contact", contact_id=changed, name="Per Olsen", email="per@example.com")

    second = await directory.call("list_duplicates", offset=2, limit=2)
    again = await directory.call("list_duplicates", limit=2)

    assert (second["search"], second["total"], len(second["clusters"])) == (first["search"], 4, 2)
    assert set(names(first)).isdisjoint(names(second))
    assert again["search"] != first["search"]
    assert again["total"] == 3


async def test_other_filters_are_another_search(directory: Host) -> None:
    await add_pairs(directory, 3)
    await directory.call("list_duplicates", limit=1)

    found = await directory.call("list_duplicates", offset=1, search="Moe 002")

    assert (found["total"], found["clusters"]) == (1, [])


@pytest.mark.parametrize("offset", [3, 1_000])
async def test_offset_behind_the_last_cluster_gives_none(directory: Host, offset: int) -> None:
    await add_pairs(directory, 3)

    found = await directory.call("list_duplicates", offset=offset)

    assert (found["total"], found["clusters"]) == (3, [])
