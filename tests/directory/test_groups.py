"""The eight group routes, as documented."""

import uuid

import pytest

NOWHERE = "00000000-0000-0000-0000-000000000000"


async def members(http, group):
    answer = await http.get(f"/v1/contacts/groups/{group['id']}/members")
    assert answer.status_code == 200
    return [row["id"] for row in answer.json()["members"]]


async def add(http, group, *contact_ids):
    answer = await http.post(f"/v1/contacts/groups/{group['id']}/members", json={"contact_ids": contact_ids})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_created_group_has_the_five_documented_fields(http, create_group):
    made = await create_group("VIP Customers", description="High-value")

    assert list(made) == ["id", "name", "description", "member_count", "created_at"]
    assert (made["name"], made["description"], made["member_count"]) == ("VIP Customers", "High-value", 0)
    assert (await http.get(f"/v1/contacts/groups/{made['id'].upper()}")).json() == made


async def test_groups_are_listed_newest_first_without_descriptions(http, create_group):
    first, second = await create_group("VIP", description="d"), await create_group("VIP")

    answer = (await http.get("/v1/contacts/groups")).json()

    assert list(answer) == ["groups"]
    assert [row["id"] for row in answer["groups"]] == [second["id"], first["id"]]
    assert list(answer["groups"][0]) == ["id", "name", "member_count", "created_at"]


async def test_patch_changes_only_the_given_group_fields(http, create_group):
    made = await create_group("VIP", description="d")
    url = f"/v1/contacts/groups/{made['id']}"

    assert (await http.patch(url, json={})).json() == made
    assert (await http.patch(url, json={"description": "e"})).json() == {**made, "description": "e"}
    renamed = (await http.patch(url, json={"name": " New "})).json()
    assert renamed.items() >= {**made, "name": "New", "description": "e"}.items()
    assert (await http.patch(url, json={"description": None})).json() == {**renamed, "description": None}


async def test_renamed_group_shows_its_previous_name_and_the_time(http, create_group):
    """An extension. The same name again is no rename."""
    made = await create_group("VIP")
    url = f"/v1/contacts/groups/{made['id']}"

    await http.patch(url, json={"name": "VIP", "description": "d"})
    assert (await http.get(url)).json() == {**made, "description": "d"}

    await http.patch(url, json={"name": "New"})
    answer = (await http.patch(url, json={"name": "New"})).json()
    renamed = (await http.get(url)).json()

    assert answer == renamed
    assert (renamed["name"], renamed["previous_name"]) == ("New", "VIP")
    assert renamed["renamed_at"] >= made["created_at"]


@pytest.mark.parametrize("body", [{"name": None}, {"name": " "}, {"name": "x" * 256}, {"description": "x" * 1001}])
async def test_invalid_group_field_is_named(http, create_group, body):
    made = await create_group()

    for method, url in (("PATCH", f"/v1/contacts/groups/{made['id']}"), ("POST", "/v1/contacts/groups")):
        answer = await http.request(method, url, json={"name": "ok", **body})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", next(iter(body))]


async def test_deleted_group_leaves_its_contacts(http, create, create_group, listed):
    made, contact = await create_group(), await create()
    await add(http, made, contact["id"])

    answer = await http.delete(f"/v1/contacts/groups/{made['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert await listed() == [contact["id"]]
    assert (await http.get("/v1/contacts/groups")).json() == {"groups": []}
    assert (await http.delete(f"/v1/contacts/groups/{made['id']}")).status_code == 404


async def test_members_are_listed_in_the_order_they_joined(http, create, create_group):
    group = await create_group()
    ola, kari, acme = (
        await create(phone_number="+4799999999"),
        await create("Kari"),
        await create("A B", type="company"),
    )

    assert await add(http, group, kari["id"], ola["id"].upper()) == {"added": 2}
    assert await add(http, group, acme["id"]) == {"added": 1}

    assert (await http.get(f"/v1/contacts/groups/{group['id']}/members")).json() == {
        "members": [
            {"id": kari["id"], "first_name": "Kari", "last_name": None, "phone_number": None},
            {"id": ola["id"], "first_name": "Ola", "last_name": "Nordmann", "phone_number": "+4799999999"},
            {"id": acme["id"], "first_name": "A B", "last_name": None, "phone_number": None},
        ]
    }
    assert (await http.get(f"/v1/contacts/groups/{group['id']}")).json()["member_count"] == 3


async def test_only_live_contacts_that_are_not_members_are_added_and_counted(http, create, create_group):
    group, ola, kari, gone = await create_group(), await create(), await create("Kari"), await create("Gone")
    await http.delete(f"/v1/contacts/{gone['id']}")
    await add(http, group, ola["id"])

    assert await add(http, group, ola["id"], NOWHERE, gone["id"], kari["id"], kari["id"]) == {"added": 1}
    assert await add(http, group, NOWHERE) == {"added": 0}
    assert await members(http, group) == [ola["id"], kari["id"]]


@pytest.mark.parametrize("ids", [None, [], ["x"], [NOWHERE, "not-an-id"], [NOWHERE] * 1001])
async def test_invalid_member_ids_are_rejected(http, create_group, ids):
    group = await create_group()

    answer = await http.post(f"/v1/contacts/groups/{group['id']}/members", json={"contact_ids": ids})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", "contact_ids"]


async def test_thousand_member_ids_are_accepted(http, create_group):
    assert await add(http, await create_group(), *[str(uuid.uuid4()) for _ in range(1000)]) == {"added": 0}


async def test_removed_member_stays_a_contact(http, create, create_group, listed):
    group, ola = await create_group(), await create()
    await add(http, group, ola["id"])
    url = f"/v1/contacts/groups/{group['id']}/members/{ola['id']}"

    assert (await http.delete(url)).status_code == 204
    assert await members(http, group) == []
    assert await listed() == [ola["id"]]
    again = await http.delete(url)
    assert (again.status_code, again.json()) == (404, {"detail": "Member not found"})


@pytest.mark.parametrize(("action", "body"), [("DELETE", None), ("POST", {"reason": "r"})])
async def test_deleted_or_erased_contact_leaves_every_group(http, create, create_group, action, body):
    group, ola, kari = await create_group(), await create(), await create("Kari")
    await add(http, group, ola["id"], kari["id"])

    await http.request(action, f"/v1/contacts/{ola['id']}" + ("/gdpr-delete" if body else ""), json=body)

    assert await members(http, group) == [kari["id"]]
    assert (await http.get("/v1/contacts/groups")).json()["groups"][0]["member_count"] == 1
