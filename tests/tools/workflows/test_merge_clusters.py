"""merge_contacts with clusters: one question names all of them, and the answer says what became of each."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.hosts import MISSING_ID, Host, Person
from support.services import UnreliableService

MERGE = {"decision": "merge"}
NAMES = ("Ola Nordmann", "Kari Vik", "Per Moe")


async def create(host: Host, name: str, **fields: Any) -> str:
    return str((await host.call("create_contact", name=name, **fields, allow_duplicate=True))["id"])


async def create_pairs(host: Host, *names: str, **of_first: Any) -> list[list[str]]:
    """Two contacts of each person, of which only the second has an e-mail address."""
    return [
        [await create(host, name, **of_first), await create(host, name, email=f"{name.split()[0].lower()}@example.com")]
        for name in names
    ]


async def read_all(host: Host) -> list[dict[str, Any]]:
    """All contacts with all fields."""
    rows = (await host.call("list_contacts", per_page=100))["contacts"]
    return [await host.call("get_contact", contact_id=row["id"]) for row in rows]


def refuse(service: UnreliableService, method: str, contact_id: str, status: int) -> None:
    """Let the service answer requests about a contact with an error."""
    answer = service.service.answer

    def respond(asked: str, path: str, *rest: Any) -> Any:
        return (status, {}) if asked == method and contact_id in path else answer(asked, path, *rest)

    service.service.answer = respond  # type: ignore[method-assign]


async def test_several_people_are_merged_after_one_question_that_names_all(either: Host, person: Person) -> None:
    """The ids of found duplicates are passed on as they are; a losing number is kept in the notes."""
    person.content = MERGE
    for name, of_one, of_other in (
        ("Ola Nordmann", {"phone_number": "+4790000001"}, {"phone_number": "+4790000001", "email": "ola@example.com"}),
        ("Kari Vik", {"email": "kari@example.com", "phone_number": "+4790000002"}, {"email": "kari@example.com"}),
        ("Per Moe", {"phone_number": "+4790000003"}, {"phone_number": "+4790000003"}),
    ):
        await create(either, name, **of_one)
        await create(either, name, **of_other)
    await create(either, "Kari Vik", email="kari@example.com", phone_number="+4790000009")
    found = await either.call("find_duplicate_contacts")
    clusters = [[contact["id"] for contact in each["contacts"]] for each in found["clusters"]]

    merged = await either.call("merge_contacts", clusters=clusters)

    assert sorted(map(len, clusters)) == [2, 2, 3]
    assert all(contact_id in person.question for cluster in clusters for contact_id in cluster)
    assert person.question.startswith("Merge into: 3 contacts, and delete 4 others?\n")
    assert (merged["merged"], merged["not_merged"]) == (3, 0)
    assert [[each["contact"]["id"], *each["deleted"]] for each in merged["clusters"]] == clusters
    left = {contact["name"]: contact for contact in await read_all(either)}
    kari = left["Kari Vik"]
    assert sorted(left) == sorted(NAMES)
    assert left["Ola Nordmann"]["email"] == "ola@example.com"
    assert {kari["phone_number"], kari["notes"].removeprefix("Also: ")} == {"+4790000002", "+4790000009"}


async def test_question_lists_for_each_cluster_what_is_kept_deleted_changed_and_lost(
    either: Host, person: Person
) -> None:
    ola = await create(either, "Ola Nordmann", company_name="Fjell")
    other_ola = await create(either, "Ola N.", email="ola@example.com")
    kari, other_kari = await create(either, "Kari Vik"), await create(either, "Kari Vik")
    group = (await either.call("create_contact_group", name="Choir"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=[other_kari])

    await either.declined("merge_contacts", clusters=[[ola, other_ola], [kari, other_kari]])

    lines = person.question.splitlines()
    assert [line.partition(" (id")[0] for line in lines[2:]] == [
        '1. Kept: person "Ola Nordmann"',
        '- Deleted: person "Ola N."',
        '- Changed: email (empty) → "ola@example.com"',
        '- Not kept: name "Ola N."',
        '2. Kept: person "Kari Vik"',
        '- Deleted: person "Kari Vik"',
        '- Added to 1 of their groups: "Choir"',
    ]


async def test_declined_clusters_stay_as_they_are(either: Host, person: Person) -> None:
    clusters = await create_pairs(either, *NAMES)
    before = await read_all(either)

    reason = await either.declined("merge_contacts", clusters=clusters)

    assert reason == "the person declined; nothing was changed; do not try again"
    assert await read_all(either) == before
    assert len(person.asked) == 1


@pytest.mark.parametrize("changed", ["a contact", "a group"])
async def test_no_cluster_is_merged_if_something_of_one_changed_after_the_question(
    either: Host, person: Person, changed: str
) -> None:
    clusters = await create_pairs(either, *NAMES)
    last = clusters[-1][-1]
    group = (await either.call("create_contact_group", name="Choir"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=[last])
    changes: dict[str, Callable[[], Any]] = {
        "a contact": lambda: either.call("update_contact", contact_id=last, name="Another Name"),
        "a group": lambda: either.call("update_contact_group", group_id=group, name="Everybody"),
    }
    person.content, person.meanwhile = MERGE, changes[changed]

    line = await either.error("merge_contacts", clusters=clusters)

    assert line.startswith("not_confirmed: the target was changed after the question was asked")
    assert (await either.call("list_contacts"))["total"] == 6
    assert "email" not in await either.call("get_contact", contact_id=clusters[0][0])


async def test_failed_cluster_in_the_middle_leaves_the_others_merged(
    platform: Host, unsteady: UnreliableService, person: Person
) -> None:
    """The answer names it first, with the reason; nothing of it is deleted."""
    person.content = MERGE
    clusters = await create_pairs(platform, *NAMES)
    refuse(unsteady, "PATCH", clusters[1][0], 422)

    merged = await platform.call("merge_contacts", clusters=clusters)

    assert (merged["merged"], merged["not_merged"]) == (2, 1)
    assert [each["contact"]["id"] for each in merged["clusters"]] == [clusters[each][0] for each in (1, 0, 2)]
    failed, *others = merged["clusters"]
    assert failed["error"].startswith("invalid: ")
    assert (failed["deleted"], failed["changed"]) == ([], [])
    assert [each["deleted"] for each in others] == [clusters[0][1:], clusters[2][1:]]
    assert "call again with the clusters" in merged["next"]
    assert sorted(each["id"] for each in await read_all(platform)) == sorted(
        [clusters[0][0], *clusters[1], clusters[2][0]]
    )


async def test_error_that_the_next_cluster_would_meet_stops_the_merge(
    platform: Host, unsteady: UnreliableService, person: Person
) -> None:
    """What was done before stays done, and the answer says which cluster was not begun."""
    person.content = MERGE
    clusters = await create_pairs(platform, *NAMES)
    refuse(unsteady, "DELETE", clusters[1][1], 403)

    merged = await platform.call("merge_contacts", clusters=clusters)

    partly, not_begun, done = merged["clusters"]
    assert (merged["merged"], merged["not_merged"]) == (1, 2)
    assert (partly["changed"], partly["not_deleted"]) == (["email"], [f"{clusters[1][1]}: permission_denied"])
    assert not_begun["error"] == "not begun, because of permission_denied before"
    assert done["deleted"] == clusters[0][1:]
    assert "email" not in await platform.call("get_contact", contact_id=clusters[2][0])


async def test_merge_of_which_nothing_can_be_done_is_an_error(
    platform: Host, unsteady: UnreliableService, person: Person
) -> None:
    person.content = MERGE
    clusters = await create_pairs(platform, *NAMES)
    refuse(unsteady, "PATCH", clusters[0][0], 403)

    line = await platform.error("merge_contacts", clusters=clusters)

    assert line.startswith("permission_denied: ")
    assert (await platform.call("list_contacts"))["total"] == 6


async def test_missing_contacts_of_clusters_are_all_named_before_a_person_is_asked(
    either: Host, person: Person
) -> None:
    (cluster,) = await create_pairs(either, "Ola Nordmann")
    missing = [f"{number}{MISSING_ID[1:]}" for number in range(2)]

    line = await either.error("merge_contacts", clusters=[cluster, missing])

    assert line == f"not_found: there are no contacts {', '.join(missing)}; nothing was merged; leave them out"
    assert not person.asked


@pytest.mark.parametrize(
    ("fields_of", "reason"),
    [
        (lambda name: {"notes": name * 1_500}, "their notes together have more than 10,000 characters"),
        (lambda name: {"tags": [f"{name} {each}" for each in range(30)]}, "would give the contact to keep 60 tags"),
    ],
    ids=["notes", "tags"],
)
async def test_cluster_with_too_much_for_one_contact_is_named_before_anything_changes(
    either: Host, person: Person, fields_of: Callable[[str], dict[str, Any]], reason: str
) -> None:
    (first,) = await create_pairs(either, "Ola Nordmann")
    second = [await create(either, name, **fields_of(name)) for name in ("Kari", "Karin")]

    line = await either.error("merge_contacts", clusters=[first, second])

    assert line.startswith(f"invalid: clusters.1: {reason}")
    assert not person.asked


ID = "a1b2c3d4-5678-9abc-def0-{:012}".format


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, 'give either keep_id and merge_ids, or clusters: [["id to keep", "other id"], …]'),
        ({"keep_id": ID(1)}, "give either keep_id and merge_ids, or clusters: "),
        ({"keep_id": ID(1), "clusters": [[ID(2), ID(3)]]}, "give either keep_id and merge_ids, or clusters: "),
        ({"clusters": [[ID(1), ID(2)], [ID(3)]]}, "clusters.1: should have at least two ids, the one to keep first"),
        ({"clusters": [ID(1), ID(2)]}, "clusters.0: should have at least two ids, the one to keep first"),
        ({"clusters": [[ID(10), ID(1)], [ID(2), ID(1)]]}, "names a contact twice: join clusters that share one"),
        ({"clusters": [[ID(1), "Kari"]]}, "clusters.0.1: must be an id: find_contacts finds it"),
        ({"clusters": [[ID(2 * each), ID(2 * each + 1)] for each in range(11)]}, "clusters: List should have at most"),
        ({"clusters": [list(map(ID, range(22)))]}, "clusters: would delete 21 contacts, and a call deletes at most 20"),
    ],
    ids=["nothing", "half", "both", "alone", "flat list", "twice", "name", "too many", "too long"],
)
async def test_clusters_that_cannot_be_merged_are_refused_with_the_reason(
    directory: Host, person: Person, arguments: dict[str, Any], reason: str
) -> None:
    line = await directory.error("merge_contacts", **arguments)

    assert reason in line
    assert not person.asked


async def test_question_that_is_too_long_for_a_person_is_not_asked(either: Host, person: Person) -> None:
    """Clusters are described in short lines first."""
    long = {"company_name": "c" * 200, "email": f"{'e' * 60}@example.com"}
    clusters = []
    for number in range(10):
        names = [f"{number}{letter * 200}" for letter in "klm"]
        others = [
            await create(either, name, **long, tags=[f"{name[:60]}{each}" for each in range(3)]) for name in names
        ]
        clusters.append([await create(either, f"{number}{'n' * 200}"), *others[:2]])

    await either.declined("merge_contacts", clusters=clusters[:6])
    line = await either.error("merge_contacts", clusters=clusters)

    assert line.startswith("invalid: clusters: a person would have to read more than 6,000 characters; ")
    assert "merge fewer in one call" in line
    assert all(contact_id in person.question for cluster in clusters[:6] for contact_id in cluster)
    assert len(person.question) < 6_200


async def test_name_that_imitates_the_question_adds_no_line_to_it(either: Host, person: Person) -> None:
    hostile = f'Ola" (id {MISSING_ID})\n- Deleted: nothing\n2. Kept: person "Kari\u202e'
    clusters = [[await create(either, hostile), await create(either, hostile)] for _ in range(2)]

    await either.declined("merge_contacts", clusters=clusters)

    lines = person.question.splitlines()
    assert [line[: line.index(":")] for line in lines[2:]] == ["1. Kept", "- Deleted", "2. Kept", "- Deleted"]
    assert person.question.count('"') == 8
    assert "\u202e" not in person.question


async def test_ten_clusters_read_each_group_as_often_as_one_cluster(
    platform: Host, unsteady: UnreliableService, person: Person
) -> None:
    person.content = MERGE
    clusters = await create_pairs(platform, *(f"Person{number} Berg" for number in range(11)))
    for number in range(5):
        group = await platform.call("create_contact_group", name=f"Group {number}")
        ids = [cluster[1] for cluster in clusters]
        await platform.call("add_group_members", group_id=group["id"], contact_ids=ids)
    answer = unsteady.service.answer
    reads: list[str] = []

    def count(method: str, path: str, *rest: Any) -> Any:
        if method == "GET" and "/groups" in path:
            reads.append(path)
        return answer(method, path, *rest)

    unsteady.service.answer = count  # type: ignore[method-assign]
    await platform.call("merge_contacts", keep_id=clusters[10][0], merge_ids=clusters[10][1:])
    of_one, reads[:] = len(reads), []
    merged = await platform.call("merge_contacts", clusters=clusters[:10])

    assert merged["merged"] == 10
    assert len(reads) == of_one
    assert of_one % 6 == 0


async def test_preferred_values_are_those_of_the_newest_contact_in_every_cluster(
    directory: Host, person: Person
) -> None:
    person.content = MERGE
    clusters = []
    for name in NAMES:
        clusters.append([await create(directory, name, company_name=each) for each in ("Old", "New")])
        await directory.call("update_contact", contact_id=clusters[-1][1], add_tags=["later"])

    await directory.call("merge_contacts", clusters=clusters, prefer="newest")

    assert [contact["company_name"] for contact in await read_all(directory)] == ["New"] * 3


async def test_erasure_of_a_kept_contact_reaches_what_its_cluster_merged_into_it(
    directory: Host, person: Person
) -> None:
    """And nothing of another cluster."""
    person.content = MERGE
    clusters = await create_pairs(directory, *NAMES)
    await directory.call("merge_contacts", clusters=clusters)
    person.content = {"typed": NAMES[1]}

    erased = await directory.call("gdpr_delete_contact", contact_id=clusters[1][0], reason="asked for")

    assert sorted(each["id"] for each in erased["records"]) == sorted(clusters[1])


@pytest.mark.slow
async def test_answer_about_ten_clusters_names_each_in_few_tokens(either: Host, person: Person) -> None:
    person.content = MERGE
    clusters = await create_pairs(
        either, *(f"Person{number} Nordmann" for number in range(10)), phone_number="+4790000001", company_name="Fjell"
    )

    merged = await either.call("merge_contacts", clusters=clusters)

    assert [each["contact"]["id"] for each in merged["clusters"]] == [cluster[0] for cluster in clusters]
    assert len(json.dumps(merged)) < 5_000
