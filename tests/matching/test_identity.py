"""Keys, names and the index that imports look people up in."""

import time

import pytest

from contacts_mcp.matching import ContactIndex, Match, email_key, name_similarity, phone_key

OLA, KARI = "+4799999999", "+4798765432"


@pytest.mark.parametrize(
    ("number", "region", "key"),
    [
        ("+4799999999", None, OLA),
        ("0047 999 99 999", None, OLA),
        ("999 99 999", "NO", OLA),
        ("99999999", None, "99999999"),
        ("+44 (0)20 7946 0958", None, "+442079460958"),
        ("+4402079460958", None, "+442079460958"),
        ("+47 12 34 56", None, "+47123456"),
        ("+47123456", None, "+47123456"),
        ("٩٩٩٩٩٩٩٩", "NO", OLA),
        ("1234", "NO", ""),
        ("none", "NO", ""),
        (None, "NO", ""),
    ],
)
def test_one_number_has_one_key_however_it_is_written(number: str | None, region: str | None, key: str) -> None:
    """Spaces, trunk zeros, international prefixes and other digits make no difference; scraps have no key."""
    assert key == phone_key(number, region)


def test_addresses_are_compared_without_case_and_spaces() -> None:
    """An address has one key, and a missing one has none."""
    assert (email_key(" Ola@Example.NO "), email_key(None)) == ("ola@example.no", "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nordmann, Ola", "ola nordmann"),
        ("Bjørn Dæhlie", "BJORN DAEHLIE"),
        ("Dr. Ola Nordmann", "Ola Nordmann"),
        ("Anne-Marie Berg", "Anne Marie Berg"),
        ("Sinéad O'Brien", "Sinead OBrien"),
    ],
)
def test_the_same_name_in_another_writing_is_the_same(one: str, other: str) -> None:
    """Order, accents, case, titles and punctuation do not count."""
    assert name_similarity(one, other) == name_similarity(other, one) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("O. Nordmann", "Ola Nordmann"),
        ("Ola Erik Nordmann", "Ola Nordmann"),
        ("Olla Nordman", "Ola Nordmann"),
        ("Oal Nordmann", "Ola Nordmann"),
        ("Alex Berg", "Alexander Berg"),
        ("Annemarie Berg", "Anne Marie Berg"),
    ],
)
def test_initials_slips_and_middle_names_leave_names_alike(one: str, other: str) -> None:
    """What people leave out or mistype does not make another person."""
    assert 0.75 <= name_similarity(one, other) == name_similarity(other, one) < 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kari Nordmann", "Ola Nordmann"),
        ("Per Hansen", "Pål Hansen"),
        ("Ola Hansen", "Ola Berg"),
        ("", "Ola"),
        ("", ""),
    ],
)
def test_half_a_name_in_common_is_another_person(one: str, other: str) -> None:
    """Families and namesakes are not one person; a missing name is like none."""
    assert name_similarity(one, other) < 0.5


def test_a_row_is_found_by_either_key() -> None:
    """A number or an address is enough, and it is told which agreed."""
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "ola@example.no")

    assert Match(("1",), ("same phone",), 1.0) == index.find("Ola Nordmann", [OLA], [])
    assert index.find("Nordmann, Ola", ["+4791111111"], ["ola@example.no"]).matching_keys == ("same e-mail",)
    assert index.find("Ola", [OLA], ["ola@example.no"]).matching_keys == ("same phone", "same e-mail")


def test_a_name_alone_is_nobody() -> None:
    """Namesakes are never taken for one person."""
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "")
    index.add("2", "Ola Nordmann", "", "")

    assert Match() == index.find("Ola Nordmann", [], [])
    assert Match() == index.find("Ola Nordmann", [KARI], ["other@example.no"])


def test_a_shared_number_with_another_name_and_address_is_somebody_else() -> None:
    """Colleagues at one switchboard stay two people; somebody who changed the address is still found."""
    index = ContactIndex()
    index.add("1", "Kari Nordmann", OLA, "kari@example.no")

    assert Match() == index.find("Ola Hansen", [OLA], ["ola@example.no"])
    assert index.find("Kari Nordman", [OLA], ["kari@new.example.no"]).id == "1"
    assert index.find("Ola Hansen", [OLA], []).id == "1"


def test_of_several_the_one_on_which_most_agrees_is_meant() -> None:
    """Both keys go before one, then the name decides."""
    index = ContactIndex()
    index.add("kari", "Kari Nordmann", OLA, "")
    index.add("ola", "Ola Nordmann", OLA, "")
    index.add("both", "Nordmann", OLA, "family@example.no")

    assert index.find("Nordmann, Ola", [OLA], []).id == "ola"
    assert index.find("Ola Nordmann", [OLA], ["family@example.no"]).id == "both"


def test_a_tie_is_ambiguous() -> None:
    """A row whose number is one contact's and whose address another's is not decided."""
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "")
    index.add("2", "Ola Nordmann", "", "ola@example.no")

    found = index.find("Ola Nordmann", [OLA], ["ola@example.no"])

    assert (found.ids, found.id, found.is_ambiguous) == (("1", "2"), None, True)


def test_a_contact_added_again_is_still_one() -> None:
    """After an update a contact is found by its old and its new number."""
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "")
    index.add("1", "Ola Nordmann", KARI, "")

    assert index.find("Ola Nordmann", [OLA], []).id == index.find("Ola Nordmann", [OLA, KARI], []).id == "1"


def test_a_number_of_thousands_still_tells_them_apart_by_name() -> None:
    """Everybody at a large switchboard is found again, and without looking at all of them."""
    index = ContactIndex()
    for number in range(3_000):
        index.add(str(number), f"Employee{number} Person", OLA, "")

    started = time.process_time()
    found = [index.find(f"Person, Employee{number}", [OLA], []).id for number in range(3_000)]

    assert time.process_time() - started < 30  # each with each takes minutes
    assert list(map(str, range(3_000))) == found
