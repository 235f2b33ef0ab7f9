"""Looking things up: each answer is what the book says."""

import csv
import io

from trust.endurance.book import FIELDS, LogFields, member_of, row_of, shown
from trust.endurance.cast import TAGS
from trust.endurance.lane import Lane


async def get(lane: Lane) -> None:
    if lane.book.people:
        email = lane.one()
        contact = await lane.look("get_contact", contact_id=lane.ids[email])
        assert {name: contact[name] for name in FIELDS if name in contact} == shown(lane.book.people[email])


async def list_contacts(lane: Lane) -> None:
    page, per_page = lane.random.choice([(1, 100), (1, 5), (2, 5)])
    wanted: LogFields = {"tags": [lane.tag, *lane.random.sample(TAGS, lane.random.choice((0, 0, 1)))]}
    if lane.random.random() < 0.3:
        wanted["type"] = lane.random.choice(["person", "company"])
    found = lane.book.met_by(**wanted)[::-1]
    listing = await lane.look("list_contacts", page=page, per_page=per_page, **wanted)
    rows = [{"id": lane.ids[email], **row_of(lane.book.people[email])} for email in found]
    assert (listing["total"], listing["contacts"]) == (len(found), rows[(page - 1) * per_page : page * per_page])


async def list_groups(lane: Lane) -> None:
    found = [(each["name"], each["member_count"]) for each in await lane.own_groups()]
    assert found == [(each["name"], len(each["members"])) for each in lane.book.groups.values()][::-1]


async def get_group(lane: Lane) -> None:
    if lane.book.groups:
        key = lane.one_group()
        group, known = await lane.look("get_contact_group", group_id=lane.ids[key]), lane.book.groups[key]
        assert (group["name"], group.get("description")) == (known["name"], known["description"])
        assert group["member_count"] == len(known["members"])


async def list_members(lane: Lane) -> None:
    if lane.book.groups:
        key = lane.one_group()
        listing = await lane.look("list_group_members", group_id=lane.ids[key], per_page=100)
        members = lane.book.groups[key]["members"]
        rows = [{"id": lane.ids[email], **member_of(lane.book.people[email])} for email in members]
        assert listing["members"] == rows


async def find(lane: Lane) -> None:
    if lane.book.people:
        email = lane.one()
        found = await lane.look("find_contacts", query=email)
        assert found["candidates"][0]["id"] == lane.ids[email]


async def check_audience(lane: Lane) -> None:
    if lane.book.groups:
        key = lane.one_group()
        audience = await lane.look("check_group_audience", group_id=lane.ids[key])
        numbers = [lane.book.people[email]["phone_number"] for email in lane.book.groups[key]["members"]]
        reached = [number for number in numbers if number]
        counts = {"members": len(numbers), "reachable": len(reached), "numbers": len(set(reached))}
        assert counts.items() <= audience.items()


async def find_duplicates(lane: Lane) -> None:
    found = await lane.look("find_duplicate_contacts", tags=[lane.tag])
    assert found["compared"] == len(lane.book.people)


async def export(lane: Lane) -> None:
    exported = await lane.look("export_contacts", tags=[lane.tag])
    content = (await lane.host.read(exported["uri"])).result["contents"][0]["text"]
    rows = list(csv.DictReader(io.StringIO(content)))
    assert exported["contacts"] == len(rows)
    assert [row["email"] for row in rows] == list(lane.book.people)
