"""Ranking contacts for a query."""

import pytest

from contacts_mcp.contract import Contact
from contacts_mcp.matching import is_unambiguous, query_variants, rank_contacts

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
    """Any word order, plain letters, typos, company, number or address; the reason is returned."""
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
