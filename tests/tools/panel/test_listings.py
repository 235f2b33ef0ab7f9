"""Lists that a panel pages through: how long, how many and how much is kept, and for whom."""

import pytest

from contacts_mcp.contract import Record
from contacts_mcp.tools import _listings
from contacts_mcp.tools._listings import KeptListings, Listing, PartRow, build_listing
from contacts_mcp.tools._turns import ProgressReporter
from support.clock import Clock


class Text(Record):
    text: str


def make_listing(*texts: str) -> Listing:
    listing = Listing()
    for text in texts:
        listing.add(PartRow(Text(text=text)))
    return listing


async def test_rows_of_a_part_are_paged_in_their_order() -> None:
    rows = (PartRow(Text(text=str(number)), ["even"] * (number % 2 == 0)) for number in range(10))

    listing = await build_listing(rows, ProgressReporter(None, "rows"))

    assert (listing.count("all"), listing.count("even"), listing.count("odd")) == (10, 5, 0)
    assert listing.page("even", 3, 5) == [b'{"text":"6"}', b'{"text":"8"}']
    assert listing.page("all", 10, 5) == listing.page("odd", 0, 5) == []


def test_page_has_at_least_one_row_but_no_more_than_fit_in_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_listings, "_MAX_PAGE_BYTES", 40)
    listing = make_listing("x" * 100, "a", "b", "c", "d")

    assert len(listing.page("all", 0, 5)) == 1
    assert len(listing.page("all", 1, 5)) == 3


@pytest.mark.parametrize("limit", ["_MAX_ROWS", "_MAX_BYTES"])
def test_rows_beyond_the_limits_of_a_list_are_counted(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(_listings, limit, {"_MAX_ROWS": 2, "_MAX_BYTES": 15}[limit])

    listing = make_listing("a", "b", "c", "d", "e")

    assert (listing.count("all"), listing.left_out) == (2, 3)


def test_list_is_found_by_its_owner_for_ten_minutes(clock: Clock) -> None:
    kept, listing = KeptListings(lambda: clock.now), make_listing("a")
    kept.keep("ola", "key", listing)

    assert kept.find("ola", "key") is listing
    assert kept.find("kari", "key") is None
    assert kept.find("ola", "other") is None
    clock.now += 40
    assert kept.find("ola", "key", max_age_seconds=30) is None
    assert kept.find("ola", "key", max_age_seconds=50) is listing
    clock.now += 560
    assert kept.find("ola", "key") is None


def test_oldest_lists_of_a_caller_are_dropped_for_new_ones(clock: Clock) -> None:
    kept = KeptListings(lambda: clock.now)
    kept.keep("kari", "key", make_listing("a"))
    for number in range(5):
        kept.keep("ola", str(number), make_listing("a"))

    assert [kept.find("ola", str(number)) is not None for number in range(5)] == [False, True, True, True, True]
    assert kept.find("kari", "key")


def test_lists_of_the_owner_with_the_largest_ones_are_dropped_if_all_are_too_large(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(_listings, "_MAX_BYTES_IN_ALL", 200)
    kept = KeptListings(lambda: clock.now)
    kept.keep("kari", "key", make_listing("a"))
    for number in range(3):
        kept.keep("ola", str(number), make_listing("x" * 100))

    assert kept.find("kari", "key")
    assert [kept.find("ola", str(number)) is not None for number in range(3)] == [False, False, True]
