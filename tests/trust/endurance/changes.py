"""Changes, each of which the book foretells."""

from trust.endurance.book import LogFields, retagged, shown
from trust.endurance.cast import TAGS
from trust.endurance.lane import Lane


async def create(lane: Lane) -> None:
    await _made(lane, lane.cast.somebody())


async def _made(lane: Lane, fields: LogFields) -> str | None:
    """Create somebody; their address, where they are there for certain."""
    said = shown(fields)
    if content := await lane.change("create_contact", lane.book.with_person(fields), said, **said):
        lane.ids[fields["email"]] = content["id"]
        return fields["email"]
    return None


async def update(lane: Lane) -> None:
    email, fresh = lane.one(), lane.cast.somebody()
    fields = lane.book.people[email]
    wanted = lane.random.sample(("name", "type", "company_name", "phone_number", "notes"), 2)
    sets = {name: fresh[name] for name in wanted if fresh[name] is not None}
    clears = [name for name in wanted if fresh[name] is None]
    add, remove = lane.random.sample(TAGS, 2)
    arguments: LogFields = {**sets, "add_tags": [add], "remove_tags": [remove]}
    if clears:
        arguments["clear_fields"] = clears
    values = {**sets, **dict.fromkeys(clears), "tags": retagged(fields["tags"], [add], [remove])}
    after = lane.book.with_changes(email, values)
    told = shown(after.people[email])
    if content := await lane.change("update_contact", after, told, contact_id=lane.ids[email], **arguments):
        assert set(content["changed"]) == {name for name in values if values[name] != fields[name]}


async def delete(lane: Lane) -> None:
    email = lane.one()
    if await lane.change("delete_contact", lane.book.without_person(email), {"done": True}, contact_id=lane.ids[email]):
        lane.deleted.append(lane.ids.pop(email))


async def erase(lane: Lane) -> None:
    email = lane.one()
    arguments = {"contact_id": lane.ids[email], "reason": "asked for by letter"}
    if await lane.change("gdpr_delete_contact", lane.book.without_person(email), {"erased": True}, **arguments):
        del lane.ids[email]


async def erase_deleted(lane: Lane) -> None:
    """What is deleted stays with the service until it is erased."""
    if await lane.erase(lane.deleted[0]):
        del lane.deleted[0]


async def import_contacts(lane: Lane) -> None:
    drafts = [lane.cast.somebody(type="person", notes=None, tags=[lane.tag]) for _ in range(2)]
    columns = ("name", "email", "phone_number", "company_name")
    lines = [",".join(columns), *(",".join(draft[name] or "" for name in columns) for draft in drafts)]
    asked = {"content": "\n".join(lines), "tags": [lane.tag]}
    planned = await lane.look("import_contacts", **asked)
    assert (planned["new"], planned["updates"]) == (2, 0)
    after = lane.book
    for draft in drafts:
        after = after.with_person(draft)
    done = {"applied": True, "created": 2}
    if await lane.change("import_contacts", after, done, **asked, plan=planned["plan"], apply=True):
        await lane.learn_ids()


async def update_matching(lane: Lane) -> None:
    add, remove = lane.random.sample(TAGS, 2)
    asked: LogFields = {"tags": [lane.tag], "add_tags": [add], "remove_tags": [remove]}
    if lane.random.random() < 0.2:
        asked["set_company_name"] = lane.cast.company()
    after, changing = lane.book, 0
    for email, fields in lane.book.people.items():
        values = {"tags": retagged(fields["tags"], [add], [remove])}
        if company := asked.get("set_company_name"):
            values["company_name"] = company
        changing += any(fields[name] != value for name, value in values.items())
        after = after.with_changes(email, values)
    planned = await lane.look("update_matching_contacts", **asked)
    assert (planned["matched"], planned["to_change"]) == (len(lane.book.people), changing)
    done = {"applied": True, "changed": changing}
    await lane.change("update_matching_contacts", after, done, **asked, plan=planned["plan"], apply=True)


async def merge(lane: Lane) -> None:
    """Somebody who is there twice, with one number and two addresses."""
    email = lane.one()
    fields = lane.book.people[email]
    if fields["phone_number"] is None:
        return
    same = {name: fields[name] for name in ("type", "name", "phone_number")}
    twin = await _made(lane, lane.cast.somebody(**same, company_name=None, notes=None, tags=[lane.tag]))
    if twin is None:
        return
    ids = {lane.ids[email], lane.ids[twin]}
    found = await lane.look("find_duplicate_contacts", tags=[lane.tag], limit=50)
    assert any(ids <= {each["id"] for each in cluster["contacts"]} for cluster in found["clusters"])
    notes = "\n".join(filter(None, [fields["notes"], f"Also: {twin}"]))
    after = lane.book.without_person(twin).with_changes(email, {"notes": notes})
    keep, merged = lane.ids[email], lane.ids[twin]
    if await lane.change("merge_contacts", after, {"deleted": [merged]}, keep_id=keep, merge_ids=[merged]):
        lane.deleted.append(lane.ids.pop(twin))


async def create_group(lane: Lane) -> None:
    key = f"{lane.tag}g{lane.cast.number()}"
    asked = {"name": f"{lane.cast.word()} {key}"}
    if lane.random.random() < 0.5:
        asked["description"] = "For news"
    if content := await lane.change("create_contact_group", lane.book.with_group(key, **asked), asked, **asked):
        lane.ids[key] = content["id"]


async def update_group(lane: Lane) -> None:
    key = lane.one_group()
    asked: LogFields = {"name": f"{lane.cast.word()} {key}"}
    clears = lane.random.random() < 0.5
    more: LogFields = {"clear_fields": ["description"]} if clears else {"description": lane.cast.word()}
    after = lane.book.with_group(key, **asked, description=more.get("description"))
    await lane.change("update_contact_group", after, asked, group_id=lane.ids[key], **asked, **more)


async def delete_group(lane: Lane) -> None:
    key = lane.one_group()
    await lane.change("delete_contact_group", lane.book.without_group(key), {"done": True}, group_id=lane.ids[key])


async def add_members(lane: Lane) -> None:
    if not lane.book.people:
        return
    key, emails = lane.one_group(), list(dict.fromkeys(lane.one() for _ in range(4)))
    members = lane.book.groups[key]["members"]
    new = [email for email in emails if email not in members]
    after = lane.book.with_group(key, members=[*members, *new])
    ids = [lane.ids[email] for email in emails]
    if content := await lane.change("add_group_members", after, {}, group_id=lane.ids[key], contact_ids=ids):
        # Where a first answer was lost, the second says that nobody is new.
        assert content["added"] == len(new) or (lane.weather and content["added"] == 0)


async def remove_member(lane: Lane) -> None:
    filled = [key for key, group in lane.book.groups.items() if group["members"]]
    if filled:
        key = lane.random.choice(filled)
        members = lane.book.groups[key]["members"]
        leaving = lane.random.choice(members)
        after = lane.book.with_group(key, members=[member for member in members if member != leaving])
        ids = {"group_id": lane.ids[key], "contact_id": lane.ids[leaving]}
        await lane.change("remove_group_member", after, {"done": True}, **ids)


async def add_matching(lane: Lane) -> None:
    key, tags = lane.one_group(), [lane.tag, lane.random.choice(TAGS)]
    members = lane.book.groups[key]["members"]
    joining = [email for email in lane.book.met_by(tags=tags) if email not in members]
    asked = {"group_id": lane.ids[key], "tags": tags}
    planned = await lane.look("add_matching_to_group", **asked)
    assert planned["joining"] == len(joining)
    after = lane.book.with_group(key, members=[*members, *joining])
    done = {"applied": True, "members": len(members) + len(joining)}
    await lane.change("add_matching_to_group", after, done, **asked, plan=planned["plan"], apply=True)
