"""Match keys, name similarity and the index of imports."""

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
def test_spellings_of_a_number_have_one_key(number, region, key):
    """Spaces, trunk zeros, international prefixes and other digits make no difference; short fragments have no key."""
    assert key == phone_key(number, region)


def test_email_key_ignores_case_and_spaces():
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
def test_spellings_of_a_name_are_equal(one, other):
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
def test_initials_typos_and_middle_names_keep_names_similar(one, other):
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
def test_half_a_common_name_is_not_similar(one, other):
    """Relatives and namesakes are different people; a missing name is similar to none."""
    assert name_similarity(one, other) < 0.5


def test_index_finds_a_contact_by_phone_or_email():
    """The match names the equal keys."""
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "ola@example.no")

    assert Match(("1",), ("same phone",), 1.0) == index.find("Ola Nordmann", [OLA], [])
    assert index.find("Nordmann, Ola", ["+4791111111"], ["ola@example.no"]).matching_keys == ("same e-mail",)
    assert index.find("Ola", [OLA], ["ola@example.no"]).matching_keys == ("same phone", "same e-mail")


def test_equal_name_without_equal_key_is_no_match():
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "")
    index.add("2", "Ola Nordmann", "", "")

    assert Match() == index.find("Ola Nordmann", [], [])
    assert Match() == index.find("Ola Nordmann", [KARI], ["other@example.no"])


def test_shared_number_with_other_name_and_email_is_no_match():
    """Colleagues at one switchboard stay two people; a contact with a new address is still found."""
    index = ContactIndex()
    index.add("1", "Kari Nordmann", OLA, "kari@example.no")

    assert Match() == index.find("Ola Hansen", [OLA], ["ola@example.no"])
    assert index.find("Kari Nordman", [OLA], ["kari@new.example.no"]).id == "1"
    assert index.find("Ola Hansen", [OLA], []).id == "1"


def test_best_of_several_matches_is_returned():
    """Two equal keys win over one, then the name decides."""
    index = ContactIndex()
    index.add("kari", "Kari Nordmann", OLA, "")
    index.add("ola", "Ola Nordmann", OLA, "")
    index.add("both", "Nordmann", OLA, "family@example.no")

    assert index.find("Nordmann, Ola", [OLA], []).id == "ola"
    assert index.find("Ola Nordmann", [OLA], ["family@example.no"]).id == "both"


def test_equally_good_matches_are_ambiguous():
    """The number is one contact's and the address another's."""
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "")
    index.add("2", "Ola Nordmann", "", "ola@example.no")

    found = index.find("Ola Nordmann", [OLA], ["ola@example.no"])

    assert (found.ids, found.id) == (("1", "2"), None)


def test_contact_added_twice_is_found_by_old_and_new_keys():
    index = ContactIndex()
    index.add("1", "Ola Nordmann", OLA, "")
    index.add("1", "Ola Nordmann", KARI, "")

    assert index.find("Ola Nordmann", [OLA], []).id == index.find("Ola Nordmann", [OLA, KARI], []).id == "1"


def test_contacts_sharing_a_number_are_found_by_name():
    """Thousands at a switchboard are found without comparing each with each."""
    index = ContactIndex()
    for number in range(3_000):
        index.add(str(number), f"Employee{number} Person", OLA, "")

    started = time.process_time()
    found = [index.find(f"Person, Employee{number}", [OLA], []).id for number in range(3_000)]

    assert time.process_time() - started < 30  # each with each takes minutes
    assert list(map(str, range(3_000))) == found
