"""All endpoint tools, in both eras, over HTTP with a service that was written only from the API documentation."""

import pytest

from contacts_mcp.app import Platform
from contacts_mcp.client import Credential
from support.hosts import Person, deleted, each_era, host
from support.processes import API_KEY
from support.services import page_service


@pytest.mark.slow
@each_era
async def test_every_endpoint_tool_works_with_the_answers_on_the_api_page(era: str) -> None:
    """Split rows, missing fields, required names, odd counts and empty answers are all understood."""
    person = Person(content={"decision": "delete", "typed": "Ola Nordmann"})
    with page_service(API_KEY) as address:
        platform = Platform(Credential.key(API_KEY, "test"), address)
        async with host(platform, era, person) as service:
            ola = await service.call("create_contact", name="Ola Nordmann", email="ola@example.com", tags=["vip"])
            kari = await service.call("create_contact", name="Kari Nordmann", type="company")
            assert (ola["type"], ola["created_at"]) == ("person", "2025-01-15T09:30:00Z")
            assert await service.call("get_contact", contact_id=ola["id"]) == ola

            found = await service.call("list_contacts", search="nordmann ola", tags=["vip"], type="person")
            assert [row["name"] for row in found["contacts"]] == ["Ola Nordmann"]
            assert found["total"] == 1
            assert (await service.call("list_contacts"))["total"] == 2

            updated = await service.call(
                "update_contact", contact_id=ola["id"], add_tags=["oslo"], clear_fields=["email"]
            )
            assert updated["changed"] == [
                {"field": "tags", "added": ["oslo"]},
                {"field": "email", "before": "ola@example.com"},
            ]
            assert updated["name"] == "Ola Nordmann"

            group = {"group_id": (await service.call("create_contact_group", name="All"))["id"]}
            assert (await service.call("update_contact_group", **group, description="D"))["name"] == "All"
            assert "added" in await service.call("add_group_members", **group, contact_ids=[ola["id"], kari["id"]])
            members = await service.call("list_group_members", **group)
            assert [row["name"] for row in members["members"]] == ["Ola Nordmann", "Kari Nordmann"]
            await service.call("remove_group_member", **group, contact_id=kari["id"])
            assert (await service.call("get_contact_group", **group))["member_count"] == 1
            assert (await service.call("list_contact_groups"))["groups"][0]["member_count"] == 1

            assert await service.call("delete_contact", contact_id=kari["id"]) == deleted(kari["id"], "Kari Nordmann")
            assert await service.call("delete_contact_group", **group) == deleted(group["group_id"], "All", members=1)
            erased = await service.call("gdpr_delete_contact", contact_id=ola["id"], reason="Article 17 request")
            assert erased["erased"]
            assert (await service.call("get_contact", contact_id=ola["id"]))["name"] == "Anonymized"
            assert (await service.error("get_contact", contact_id=kari["id"])).startswith("not_found:")

    assert len(person.asked) == 3
