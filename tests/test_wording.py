"""Counts, times and suggestions, as people read them."""

from datetime import UTC, datetime

import pytest

from contacts_mcp.contract import Contact, Group
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.wording import count, local_time, nearest, unknown_name


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 contacts"), (1, "1 contact"), (2, "2 contacts"), (1_200, "1,200 contacts")]
)
def test_count_has_the_noun_in_its_number(number, text):
    assert count(number, "contact") == text


def test_count_accepts_an_irregular_plural():
    assert (count(1, "entry", "entries"), count(3, "entry", "entries")) == ("1 entry", "3 entries")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Europe/Oslo", "2026-11-29 07:12 CET"),
        ("UTC", "2026-11-29 06:12 UTC"),
        ("America/New_York", "2026-11-29 01:12 EST"),
        ("America/Sao_Paulo", "2026-11-29 03:12 UTC-0300"),
        ("Asia/Kathmandu", "2026-11-29 11:57 UTC+0545"),
    ],
)
def test_time_is_shown_in_the_zone_of_the_machine(zone, name, text):
    zone(name)

    assert local_time("2026-11-29T06:12:45.123456Z") == text
    assert local_time(datetime(2026, 11, 29, 6, 12, 45, tzinfo=UTC)) == text


def test_summer_time_is_named(zone):
    zone("Europe/Oslo")

    assert local_time("2026-07-01T06:12:45Z", seconds=True) == "2026-07-01 08:12:45 CEST"


def test_time_without_a_zone_is_in_utc(zone):
    zone("Europe/Oslo")

    assert local_time("2026-11-29T06:12:45") == "2026-11-29 07:12 CET"


@pytest.mark.parametrize("text", ["", "None", "yesterday", "2026-99-99T00:00:00Z"])
def test_text_that_is_no_time_is_returned_as_it_is(text):
    assert local_time(text) == text


@pytest.mark.parametrize(("name", "text"), [("Pacific/Auckland", "9999-12-31T23:59Z"), ("EST5", "0001-01-01T00:00Z")])
def test_time_that_is_outside_of_the_calendar_in_the_local_zone_is_shown_in_utc(zone, name, text):
    zone(name)

    assert local_time(text).endswith(" UTC")


def test_nearest_name_ignores_case():
    assert nearest("DELETE_CONTAC", ["create_contact", "delete_contact"]) == "delete_contact"
    assert nearest("zzz", ["delete_contact"]) is None


def test_unknown_name_suggests_the_nearest_or_lists_all():
    assert unknown_name("tenant", "olla", ["ola", "kari"]) == 'there is no tenant "olla"; did you mean "ola"?'
    assert unknown_name("tenant", "zzz", ["ola", "kari"]) == 'there is no tenant "zzz"; there are kari, ola'
    assert unknown_name("tenant", "zzz", []) == 'there is no tenant "zzz"'


def test_question_shows_times_in_the_zone_of_the_machine(zone):
    zone("Europe/Oslo")
    contact = Contact(id="an-id", name="Ola", type="person", updated_at="2026-11-29T06:12:45Z")
    group = Group(id="an-id", name="VIP", member_count=1, created_at="2026-07-01T06:12:45Z")

    assert describe_record(contact) == 'person "Ola" (id an-id, last changed 2026-11-29 07:12 CET)'
    assert describe_record(group) == 'group "VIP" (id an-id, 1 member, created 2026-07-01 08:12 CEST)'
