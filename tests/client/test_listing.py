"""An unfiltered list is never returned as a filtered one."""

import asyncio
from uuid import UUID

import httpx
import pytest

from contacts_mcp.client._quirks import matches
from contacts_mcp.contract import Contact, FilterIgnored, ListContacts


def directory(rows, *, honours=(), echo=True, most=100, paged=True):
    """A service that honours only some of the list's parameters."""

    def respond(request):
        asked = request.url.params
        found = rows
        if "type" in asked and "type" in honours:
            found = [row for row in found if row["contact_type"] == asked["type"]]
        if "tags" in asked and "tags" in honours:
            found = [row for row in found if set(asked.get_list("tags")) <= set(row["tags"])]
        if "search" in asked and "search" in honours:
            found = [
                row for row in found if asked["search"] in row["first_name"] or asked["search"] in row.get("notes", "")
            ]
        size = min(int(asked["per_page"]), most)
        page = int(asked["page"]) if paged else 1
        answer = {"contacts": found[(page - 1) * size : page * size]}
        return httpx.Response(
            200, json=answer | ({"total": len(found), "page": page, "per_page": size} if echo else {})
        )

    return respond


def people(count, **fields):
    return [
        {"id": str(UUID(int=number)), "first_name": f"Ola{number}", "contact_type": "person", "tags": ["vip"], **fields}
        for number in range(1, count + 1)
    ]


def company(number, **fields):
    return {"id": str(UUID(int=number)), "first_name": "ACME", "contact_type": "company", "tags": [], **fields}


MIXED = [row for number in range(1, 151) for row in (people(number)[-1], company(1000 + number))]


@pytest.mark.parametrize("call", [ListContacts(type="person"), ListContacts(tags=["VIP"]), ListContacts(search="ola")])
async def test_filter_ignored_by_the_service_is_applied_by_the_client(played, call):
    """The total and the pages are those of the matching contacts."""
    client = played(directory(MIXED))

    page = await client.send(call.model_copy(update={"page": 2, "per_page": 40}))

    assert [row.name for row in page.contacts] == [f"Ola{number}" for number in range(41, 81)]
    assert (page.total, page.page, page.per_page) == (150, 2, 40)


async def test_filter_applied_by_the_service_costs_one_request(played):
    """The service's total is returned."""
    client = played(directory(MIXED, honours=("type", "tags", "search")))

    page = await client.send(ListContacts(type="person", tags=["vip"], search="Ola1"))

    assert page.total == 62
    assert len(client.requests) == 1


async def test_match_in_a_field_missing_from_rows_is_kept_after_one_probe(played):
    """The service searches notes as well; a search for random text shows that it searches at all."""
    rows = [*people(3), company(9, notes="Ola's firm")]
    client = played(directory(rows, honours=("search",)))

    first = await client.send(ListContacts(search="Ola"))
    await client.send(ListContacts(search="Ola"))

    assert first.total == 4
    assert [request.url.params["per_page"] for request in client.requests] == ["50", "1", "50"]


async def test_concurrent_calls_share_one_probe(played):
    client = played(directory(MIXED))

    await asyncio.gather(*(client.send(ListContacts(search="ACME")) for _ in range(5)))

    assert [request.url.params["per_page"] for request in client.requests].count("1") == 1


async def test_service_that_does_not_search_is_not_asked_to_search_again(played):
    """The second call reads all pages directly."""
    client = played(directory(MIXED))
    await client.send(ListContacts(search="ola"))
    client.requests.clear()

    await client.send(ListContacts(search="ola"))

    assert [request.url.params["per_page"] for request in client.requests] == ["100"] * 3


async def test_working_search_is_kept_if_the_type_filter_is_ignored(played):
    """Rows found by their notes are kept while the client filters by type."""
    rows = [*people(2), *[row | {"notes": "Zed"} for row in (people(4)[-1], company(9))]]
    client = played(directory(rows, honours=("search",)))

    page = await client.send(ListContacts(search="Zed", type="person"))

    assert [row.name for row in page.contacts] == ["Ola4"]


@pytest.mark.parametrize("echo", [True, False])
async def test_directory_too_large_to_filter_is_refused_with_its_size(played, echo):
    """The limit is 2,000 contacts."""
    client = played(directory([company(5000), *people(2_001)], echo=echo))

    with pytest.raises(FilterIgnored, match=r"`type`.*2,00.*2,000"):
        await client.send(ListContacts(type="person"))

    assert len(client.requests) <= 22


async def test_directory_of_the_maximum_size_is_filtered(played):
    """2,000 contacts, in pages of the service's own size."""
    client = played(directory([company(5000), *people(1_999)], most=50))

    assert (await client.send(ListContacts(type="person", per_page=10))).total == 1_999


@pytest.mark.parametrize("call", [ListContacts(type="person"), ListContacts(tags=["vip"])])
async def test_rows_without_the_filtered_field_raise_filter_ignored(played, call):
    """Returning and dropping them would both be a guess."""
    client = played(lambda _: httpx.Response(200, json={"contacts": [{"id": str(UUID(int=1)), "name": "Ola"}]}))

    with pytest.raises(FilterIgnored, match="cannot check"):
        await client.send(call)


async def test_null_tags_count_as_no_tags(played):
    rows = [*people(1), company(9, tags=None)]
    client = played(directory(rows))

    assert (await client.send(ListContacts(tags=["vip"]))).total == 1


async def test_another_page_than_requested_is_refused(played):
    """The service ignores `page`, and its answer shows that."""
    client = played(directory(people(80), paged=False))

    with pytest.raises(FilterIgnored, match="`page`"):
        await client.send(ListContacts(page=2))


async def test_repeated_page_is_refused_while_filtering(played):
    """Otherwise a list filtered by the client would be cut short silently."""
    client = played(directory([company(5000), *people(150)], echo=False, paged=False))

    with pytest.raises(FilterIgnored, match="`page`"):
        await client.send(ListContacts(type="person"))


async def test_smaller_page_than_requested_is_accepted(played):
    """The answer contains its page size."""
    client = played(directory(people(80), most=20))

    assert (await client.send(ListContacts(per_page=50))).per_page == 20


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("nordmann ola", True),
        ("BJORN", True),
        ("+47 999 99 999", True),
        ("0047 99999999", True),
        ("ola@example", True),
        ("acme", True),
        ("kari", False),
        ("12345", False),
        ("999x", False),
    ],
)
def test_row_matches_by_words_digits_and_email(search, found):
    """Words in any order and spelling, phone digits, e-mail, company."""
    row = Contact(
        id="1", name="Ola Bjørn Nordmann", email="ola@example.com", phone_number="+4799999999", company_name="ACME"
    )

    assert matches(row, search) is found


class TestIterate:
    async def ids(self, client, **asked):
        return [row.id async for row in client.iterate(ListContacts(**asked))]

    @pytest.mark.parametrize("echo", [True, False])
    @pytest.mark.parametrize("most", [100, 20])
    async def test_iterate_yields_every_contact_once(self, played, echo, most):
        """With and without totals, and if the service returns smaller pages."""
        rows = people(130)
        client = played(directory(rows, echo=echo, most=most))

        assert await self.ids(client) == [row["id"] for row in rows]

    async def test_iterate_stops_after_the_last_page(self, played):
        """It does not request an empty page."""
        client = played(directory(people(100)))

        await self.ids(client)

        assert len(client.requests) == 2

    async def test_iterate_starts_at_the_page_of_the_call(self, played):
        client = played(directory(people(100)))

        assert len(await self.ids(client, page=2)) == 50
        assert len(client.requests) == 1

    async def test_iterate_stops_at_a_repeated_page(self, played):
        """The service ignores `page`, and its answer does not show that."""
        client = played(directory(people(70), echo=False, paged=False))

        assert len(await self.ids(client)) == 50
        assert len(client.requests) == 2

    async def test_iterate_fetches_pages_on_demand(self, played):
        """One contact needs one page."""
        client = played(directory(people(130)))
        rows = client.iterate(ListContacts())

        await anext(rows)
        await rows.aclose()

        assert len(client.requests) == 1

    async def test_iterate_applies_an_ignored_filter(self, played):
        client = played(directory(MIXED))

        assert len(await self.ids(client, type="company", per_page=100)) == 150
