"""Match keys, name similarity, the index of imports, and ranking contacts for a query."""

import time

import pytest

from contacts_mcp.contract import Contact
from contacts_mcp.matching import (
    ContactIndex,
    ContactRecord,
    DuplicateFinder,
    Match,
    email_key,
    exact_search_texts,
    is_exact_match,
    is_unambiguous,
    name_similarity,
    phone_key,
    query_variants,
    rank_contacts,
)

OLA, KARI = "+4799999999", "+4798765432"


@pytest.mark.parametrize(
    ("number", "region", "key"),
    [
        ("+4799999999", None, OLA),
        ("0047 999 99 999", None, OLA),
        ("999 99 999", "NO", OLA),
        ("99987654", None, "99987654"),
        ("+44 (0)20 7946 0958", None, "+442079460958"),
        ("+4402079460958", None, "+442079460958"),
        ("+47 12 34 56", None, "+47123456"),
        ("+47123456", None, "+47123456"),
        ("٩٩٩٩٩٩٩٩", "NO", OLA),
        ("1234", "NO", ""),
        ("none", "NO", ""),
        (None, "NO", ""),
        ("+49 89 1234-12", None, "+4989123412"),
        ("491711234567", "DE", "+491711234567"),
        ("4791235103", "NO", "+4791235103"),
        ("+47 (0) 912 35 103", None, "+4791235103"),
        ("+39 (0)6 69821", None, "+390669821"),
    ],
)
def test_spellings_of_a_number_have_one_key(number, region, key):
    """Spaces, trunk zeros, international prefixes and other digits make no difference; short fragments have no key."""
    assert key == phone_key(number, region)


@pytest.mark.parametrize(
    "written", ["ext. 12", "x12", ";ext=12", ", linje 12", "Durchwahl 12", "(DW-12)", "poste 12", "#12", ",,12", "p12#"]
)
def test_extension_is_part_of_the_key(written):
    """A number without one may be any of them, one with another extension is another person's."""
    index = ContactIndex()
    index.add("1", "Ola Nordmann", phone_key(f"22 33 51 03{written}", "NO"), "")

    assert phone_key(f"22 33 51 03 {written}", "NO") == "+4722335103x12"
    assert index.find("Ola Nordmann", ["+4722335103"], []).id == "1"
    assert index.find("Ola Nordmann", ["+4722335103x14"], []) == Match(sharing=("1",))


@pytest.mark.parametrize(
    "number",
    [
        *("00000000", "11111111", "+4711111111", "12345678", "4.47911E+11", "4,47911E+11", "######", "#NAVN?", "#N/A"),
        *("22.10.2023", "2023-10-22 00:00:00", "12.mar"),
    ],
)
def test_number_that_is_nobodys_has_no_key(number):
    """Neither a placeholder, nor what a spreadsheet left of a number."""
    assert phone_key(number, "NO") == ""


@pytest.mark.parametrize(
    "address",
    [
        *("n/a@example.org", "None@example.org", "no-email@example.org", "ukjent@example.org"),
        *("noreply@example.org", "test@test.example.org", "mangler@example.org"),
    ],
)
def test_placeholder_address_has_no_key(address):
    assert email_key(address) == ""


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
    ("one", "other", "is_similar"),
    [
        ("O. Nordmann", "Ola Nordmann", True),
        ("Ola Erik Nordmann", "Ola Nordmann", True),
        ("Olla Nordman", "Ola Nordmann", True),
        ("Oal Nordmann", "Ola Nordmann", True),
        ("Alex Berg", "Alexander Berg", True),
        ("Annemarie Berg", "Anne Marie Berg", True),
        ("Kari Nordmann", "Ola Nordmann", False),
        ("Per Hansen", "Pål Hansen", False),
        ("Ola Hansen", "Ola Berg", False),
        ("", "Ola", False),
        ("", "", False),
    ],
)
def test_initials_typos_and_middle_names_keep_names_similar(one, other, is_similar):
    """Relatives and namesakes are different people; a missing name is similar to none."""
    low, high = (0.75, 1) if is_similar else (0, 0.5)

    assert low <= name_similarity(one, other) == name_similarity(other, one) < high


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


def test_shared_number_with_an_unlike_name_is_no_match():
    """Colleagues at one switchboard stay two people, and are named; a contact with a new address is still found."""
    index = ContactIndex()
    index.add("1", "Kari Nordmann", OLA, "kari@example.no")

    assert Match(sharing=("1",)) == index.find("Ola Hansen", [OLA], ["ola@example.no"])
    assert Match(sharing=("1",)) == index.find("Ola Hansen", [OLA], [])
    assert index.find("Kari Nordman", [OLA], ["kari@new.example.no"]).id == "1"
    assert index.find("", [OLA], []).id == "1"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Emil Berg", "Emilie Berg", False),
        ("Daniel Roy", "Danielle Roy", False),
        ("Mehmet Kaya", "Ahmet Kaya", False),
        ("Kari og Ola Berg", "Kari Berg", False),
        ("Kari & Ola Berg", "Ola Berg", False),
        ("Kari + Ola Berg", "Ola og Kari Berg", True),
        ("Alex Berg", "Alexander Berg", True),
        ("Tom Berg", "Tommy Berg", True),
        ("Kristian Berg", "Christian Berg", True),
    ],
)
def test_short_form_is_the_same_person_but_a_relative_is_not(one, other, is_same):
    index = ContactIndex()
    index.add("1", one, OLA, "")

    found = index.find(other, [OLA], [])

    assert (found.ids, found.sharing) == ((("1",), ()) if is_same else ((), ("1",)))


def test_initial_is_one_of_two_people_not_both():
    index = ContactIndex()
    index.add("1", "K. Berg", OLA, "")
    index.add("1", "Kjell Berg", OLA, "")

    assert index.find("Kjell Berg", [OLA], []).id == "1"
    assert index.find("Kari Berg", [OLA], []) == Match(sharing=("1",))


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


PEOPLE = [
    Contact(id="ola", name="Ola Nordmann", phone_number="+4799999999", email="ola@nordmann.no", company_name="Acme AS"),
    Contact(id="kari", name="Kari Nordmann", phone_number="+4799999998", email="kari@nordmann.no"),
    Contact(id="asen", name="Bjørn Åsen", phone_number="99 88 77 66", company_name="Fjord Ltd"),
    Contact(id="bjorn", name="Bjørn Hansen", email="bjorn.hansen@acme.no", company_name="Acme AS"),
    Contact(id="anne", name="Anne Marie Berg"),
    Contact(id="firm", name="Acme AS", phone_number="22334455", email="post@acme.no"),
    Contact(id="x", name="Per Olsen", company_name="Xylofon"),
    Contact(id="y", name="Per Olsen", company_name="Yrke"),
    Contact(id="unnamed", phone_number="+4745454545"),
]


@pytest.mark.parametrize(
    ("query", "meant", "reason"),
    [
        ("ola nordmann", "ola", "name"),
        ("Nordmann, Ola", "ola", "name"),
        ("Olla Nordman", "ola", "similar name"),
        ("bjorn asen", "asen", "name"),
        ("O. Nordmann", "ola", "beginning of the name"),
        ("Annemarie Berg", "anne", "similar name"),
        ("Ola Erik Nordmann", "ola", "similar name"),
        ("ola acme", "ola", "name, company"),
        ("per olsen xylofon", "x", "name, company"),
        ("Fjord Ltd", "asen", "company"),
        ("xylofon as", "x", "company"),
        ("99999999", "ola", "same phone"),
        ("0047 999 99 999", "ola", "same phone"),
        ("9999 9999", "ola", "same phone"),
        ("7766", "asen", "phone ends in these digits"),
        ("4545 4545", "unnamed", "same phone"),
        ("OLA@nordmann.no", "ola", "same e-mail"),
        ("bjorn.hansen@gmail.com", "bjorn", "e-mail"),
        ("ola 99999999", "ola", "same phone, name"),
    ],
)
def test_contact_is_found_by_typical_queries(query, meant, reason):
    """Any word order, plain letters, typos, company, number or e-mail address; the reason is returned."""
    ranked = rank_contacts(query, PEOPLE, "NO")

    assert ((meant, reason), True) == ((ranked[0].contact.id, ranked[0].reason), is_unambiguous(ranked))


@pytest.mark.parametrize("query", ["per olsen", "bjorn", "nordmann", "@acme.no", "+47 9999", "nordm", "Jansen"])
def test_query_that_matches_several_contacts_is_ambiguous(query):
    ranked = rank_contacts(query, PEOPLE, "NO")

    assert ranked
    assert not is_unambiguous(ranked)


@pytest.mark.parametrize("query", ["Trygve Lie", "Ola Lie", "46464646", "nobody@example.com", "", " , "])
def test_query_for_a_missing_contact_finds_none(query):
    """Half a common name is no match."""
    ranked = rank_contacts(query, PEOPLE, "NO")

    assert (ranked, is_unambiguous(ranked)) == ([], False)


def test_right_name_with_other_number_is_ambiguous():
    """Each part of a query has to match."""
    assert not is_unambiguous(rank_contacts("Ola Nordmann 46464646", PEOPLE, "NO"))


def test_scores_are_integers_in_descending_order():
    scores = [found.score for found in rank_contacts("nordmann", PEOPLE, "NO")]

    assert sorted(scores, reverse=True) == scores
    assert all(isinstance(score, int) and 0 <= score <= 100 for score in scores)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("Nordmann, Ola", ["Nordmann, Ola", "Ola Nordmann", "Nordmann Ola", "Nordmann", "Ola", "Nord", "Nor"]),
        ("+47 999 99 999", ["+47 999 99 999", "+4799999999", "99999999"]),
        ("99 99 99 99", ["99 99 99 99", "+4799999999", "99999999"]),
        ("ola.nordmann@acme.no", ["ola.nordmann@acme.no", "ola.nordmann"]),
        ("Bjørn", ["Bjørn", "Bjør", "Bjø"]),
        (" ", []),
    ],
)
def test_query_variants_start_with_the_query(query, asked):
    """Variants that a simple search is likely to find follow."""
    assert asked == query_variants(query, "NO")


def test_query_variants_are_limited_and_unique():
    found = query_variants("Ola Erik Nordmann-Hansen, Acme Fjord AS +4799999999 ola@acme.no", "NO")

    assert 8 == len(found) == len({variant.lower() for variant in found})


FIRST = "Anne Kari Ola Per Ingrid Lars Marit Jan Solveig Nils Berit Knut Astrid Odd Turid Arne Hanne Tor Siri".split()
LAST = "Hansen Olsen Berg Haugen Lie Moen Dahl Strand Solberg Bakken Nygård Eide Lund Vik Holm Sunde".split()


def shared_numbers():
    """Two to five people of a household at one landline, and forty of an office at one switchboard and address."""
    for house in range(300):
        number = f"+4722{house:06d}"
        for member in range(2 + house % 4):
            yield f"{FIRST[(house + 3 * member) % 19]} {LAST[house % 16]}", number, ""
    for office in range(20):
        names = [f"{first} {last}" for first in FIRST for last in LAST][office::8][:40]
        yield from ((name, f"+4723{office:06d}", f"post@firma{office}.example.no") for name in names)


@pytest.mark.slow
def test_people_who_share_a_number_are_never_one():
    """Neither an import takes one for another, nor does the duplicate search call them more than possibly one."""
    people = list(shared_numbers())
    index, finder = ContactIndex(), DuplicateFinder("NO")
    for number, (name, phone, email) in enumerate(people):
        assert index.find(name, [phone], [email]).ids == (), name
        index.add(str(number), name, phone, email)
        finder.add(ContactRecord(str(number), name, phone, email))
    for _ in finder.search():
        pass

    assert {cluster.confidence for cluster in finder.clusters} <= {"possible"}
    found = [index.find(name, [phone], [email]).id for name, phone, email in people]
    assert found == [str(number) for number in range(len(people))]


BJORN = Contact(id="1", name="Bjørn Åse Dahl", phone_number=KARI, email="bjorn@example.com", company_name="Dahl AS")


@pytest.mark.parametrize(
    ("query", "region"),
    [
        ("Bjørn Åse Dahl", None),
        ("bjorn ase dahl", None),
        ("Dahl, Bjørn Åse", None),
        ("DAHL BJØRN ÅSE", None),
        ("Bjørn A\u030ase Dahl", None),
        ("Dr. Bjørn Åse Dahl", None),
        ("+47 987 65 432", None),
        ("0047-98765432", "SE"),
        ("98 76 54 32", "NO"),
        ("98 76 54 32", None),
        ("Bjorn@Example.com ", None),
        ("Bjørn Åse Dahl <bjorn@example.com>", None),
        ("Bjørn Åse Dahl 98765432", "NO"),
    ],
)
def test_name_in_any_order_number_in_any_notation_and_address_match_exactly(query: str, region: str | None) -> None:
    assert is_exact_match(query, BJORN, region)


@pytest.mark.parametrize(
    "query",
    [
        "Bjørn Dahl",
        "Bjørn Åse Dahl Hansen",
        "Bjørn Åse Dal",
        "Björn Åse Dahl",
        "Bjørn",
        "Dahl AS",
        "8765432",
        "+46 98 76 54 32",
        "98765433",
        "bjorn@example.no",
        "bjorn",
        "Bjørn Åse Dahl <kari@example.com>",
        "Bjørn Åse Dahl 98765433",
        "bjorn@example.com 98765433",
        "",
        ",",
    ],
)
def test_part_or_similar_spelling_is_no_exact_match(query: str) -> None:
    """What is done to a contact is never done on a likeness."""
    assert not is_exact_match(query, BJORN, "NO")


def test_long_names_match_exactly_only_as_a_whole() -> None:
    """Similarity compares the first words of a name; equality compares all."""
    name = " ".join(f"word{number}" for number in range(12))

    assert is_exact_match(name, Contact(id="1", name=name))
    assert not is_exact_match(name, Contact(id="1", name=f"{name[:-2]}99"))


@pytest.mark.parametrize(("query", "name"), [("王伟", "汪伟"), ("Jörn Moe", "Jørn Moe")])
def test_names_that_only_sound_alike_in_ascii_do_not_match_exactly(query: str, name: str) -> None:
    assert not is_exact_match(query, Contact(id="1", name=name))


@pytest.mark.parametrize(("query", "name"), [("Studio 1881", "Studio 1881"), ("7-Eleven", "7-eleven")])
def test_name_with_a_number_in_it_matches_exactly(query: str, name: str) -> None:
    assert is_exact_match(query, Contact(id="1", name=name))


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("Nordmann, Ola", ["Ola Nordmann", "Nordmann"]),
        ("Ola  Nordmann", ["Ola Nordmann", "Nordmann"]),
        ("Ola", ["Ola"]),
        ("Ola Nordmann <OLA@example.com>", ["ola@example.com"]),
        ("+47 987 65 432", ["98765432", "+47 987 65 432"]),
        ("98765432", ["98765432"]),
    ],
)
def test_exact_match_is_found_by_one_or_two_searches(query: str, texts: list[str]) -> None:
    assert exact_search_texts(query) == texts
