"""What the answer of a deletion says: the service answers nothing, so it names what the call has read."""

from pathlib import Path

import httpx
import pytest

from support.hosts import Person, deleted, host, host_of_service

OLA = {"id": "a1b2c3d4-5678-9abc-def0-123456789abc", "type": "person", "name": "Ola Nordmann"}
GROUP = {"id": "b1b2c3d4-5678-9abc-def0-123456789abc", "name": "Kunder"}


def _respond(request: httpx.Request) -> httpx.Response:
    """A platform with one contact in one group, which does not count its members."""
    if request.method == "DELETE":
        return httpx.Response(204)
    return httpx.Response(200, json={**(GROUP if "groups" in request.url.path else OLA), "members": [OLA]})


@pytest.mark.parametrize(
    ("tool", "arguments", "answer"),
    [
        ("delete_contact", {"contact_id": OLA["id"]}, deleted(OLA["id"], "Ola Nordmann")),
        ("delete_contact_group", {"group_id": GROUP["id"]}, deleted(GROUP["id"], "Kunder", members=1)),
    ],
)
async def test_deletion_on_the_platform_names_what_the_question_named(
    tool: str, arguments: dict[str, str], answer: dict[str, object]
) -> None:
    """Without a request more: the deletion is the last one."""
    requests: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request.method)
        return _respond(request)

    async with host_of_service(respond, person=Person({"decision": "delete"}), known_extensions=()) as service:
        assert await service.call(tool, **arguments) == answer

    assert requests.index("DELETE") == len(requests) - 1


async def test_members_of_a_deleted_group_are_counted_when_the_person_agreed(tmp_path: Path) -> None:
    async with host(tmp_path / "contacts.db", person=Person({"decision": "delete"})) as directory:
        group = await directory.call("create_contact_group", name="Kor")
        ids = [(await directory.create(name))["contact_id"] for name in ("Ola", "Kari", "Per")]
        await directory.call("add_group_members", group="Kor", contact_ids=ids)

        assert (await directory.call("delete_contact_group", group="Kor")) == deleted(group["id"], "Kor", members=3)


async def test_removed_member_is_named_only_if_the_call_has_looked_it_up(tmp_path: Path) -> None:
    """Names that an earlier call looked up may have changed since."""
    async with host(tmp_path / "contacts.db") as directory:
        group = await directory.call("create_contact_group", name="Kor")
        ola = (await directory.create())["contact_id"]
        await directory.call("add_group_members", group="Kor", contacts=["Ola Nordmann"])

        by_name = await directory.call("remove_group_member", group_id=group["id"], contact="nordmann, ola")
        await directory.call("add_group_members", group="Kor", contacts=["Ola Nordmann"])
        by_id = await directory.call("remove_group_member", group_id=group["id"], contact_id=ola)

    in_group = {"group": {"id": group["id"]}}
    assert by_name == deleted(ola, "Ola Nordmann", consent="", **in_group)
    assert by_id == deleted(ola, consent="", **in_group)
