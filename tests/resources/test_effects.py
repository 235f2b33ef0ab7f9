"""Which resources a call changes: every resource that reads differently afterwards is notified."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.contract import Risk
from contacts_mcp.resources import CONTACT_URI, GROUP_URI, MEMBERS_URI, TOOL_EFFECTS
from contacts_mcp.settings import load_settings
from contacts_mcp.tools import TOOLS
from endpoint_cases import CASES
from support.hosts import LEGACY, LIST_CHANGED, MODERN, Host, Listener, Person, enter_in_one_task, listening, with_ids

pytestmark = pytest.mark.slow

_YES = Person(content={"decision": "delete", "typed": "ola"})


def test_every_writing_tool_has_an_effect_with_ids_among_its_arguments():
    ids = {CONTACT_URI: "contact_id", GROUP_URI: "group_id", MEMBERS_URI: "group_id"}
    writing = {tool.name: tool for tool in TOOLS if tool.risk is not Risk.READ}

    assert TOOL_EFFECTS.keys() == writing.keys()
    for name, effect in TOOL_EFFECTS.items():
        assert {ids[kind] for kind in effect.by_id} <= set(writing[name].target_args)


class WatchedDirectory:
    """Two contacts, one of them in a group; two groups; a third group that marks the end of the events."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.ids: dict[str, str] = {}
        self.listener = Listener()

    async def build(self) -> None:
        for name in ("ola", "kari"):
            self.ids[name] = (await self.host.call("create_contact", name=name))["id"]
        for name in ("customers", "suppliers", "marker"):
            self.ids[name] = (await self.host.call("create_contact_group", name=name))["id"]
        await self.host.call("add_group_members", group_id=self.ids["customers"], contact_ids=[self.ids["ola"]])
        people = [CONTACT_URI.format(id=self.ids[name]) for name in ("ola", "kari")]
        groups = [
            kind.format(id=self.ids[name]) for kind in (GROUP_URI, MEMBERS_URI) for name in ("customers", "suppliers")
        ]
        self.uris, self.marker = people + groups, GROUP_URI.format(id=self.ids["marker"])

    async def state(self) -> dict[str, object]:
        """The content of each URI, and the resource list."""
        listed = await self.host.client.list_resources(cache_mode="refresh")
        resources = {item.uri: (item.name, item.title) for item in listed.resources if item.uri != self.marker}
        found: dict[str, object] = {LIST_CHANGED: resources}
        for uri in self.uris:
            try:
                found[uri] = (await self.host.client.read_resource(uri)).contents
            except MCPError as exc:
                found[uri] = exc.error
        return found

    async def notifications(self) -> set[str]:
        """The events up to now."""
        await self.host.call("update_contact_group", group_id=self.ids["marker"], name="again")
        return set(await self.listener.events_before(self.marker))


@pytest.fixture(params=[LEGACY, MODERN])
async def directory(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[WatchedDirectory]:
    app = build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test"))
    async with enter_in_one_task(Client(app.server, mode=LEGACY, elicitation_callback=_YES)) as client:
        directory = WatchedDirectory(Host(client))
        await directory.build()
        uris = [*directory.uris, directory.marker]
        async with enter_in_one_task(listening(app.server, request.param, uris)) as directory.listener:
            yield directory


@pytest.mark.parametrize("case", [case for case in CASES if case.risk is not Risk.READ], ids=str)
async def test_every_changed_resource_is_notified(directory, case):
    """In both eras, for every tool; an unrelated contact is not."""
    before = await directory.state()
    await directory.notifications()
    await directory.listener.events_before(LIST_CHANGED)

    await directory.host.call(case.tool, **with_ids(case.arguments, directory.ids))
    notified = await directory.notifications()

    after = await directory.state()
    differing = {uri for uri, content in after.items() if content != before[uri]}
    assert differing <= notified
    assert CONTACT_URI.format(id=directory.ids["kari"]) not in notified
    assert (LIST_CHANGED in notified) == (LIST_CHANGED in differing)


@pytest.mark.parametrize("same", [False, True], ids=["one contact", "with a related contact"])
async def test_erasure_notifies_exactly_of_the_erased_contacts_and_their_groups(directory, same):
    """Not of every contact, and not of groups that none of them was in."""
    host, ids = directory.host, directory.ids
    if same:
        await host.call("update_contact", contact_id=ids["kari"], name="Ola")
        _YES.content |= {"also_1": True}
    await directory.notifications()
    await directory.listener.events_before(LIST_CHANGED)

    await host.call("gdpr_delete_contact", contact_id=ids["ola"], reason="asked for")
    notified = await directory.notifications()
    _YES.content.pop("also_1", None)

    erased = ["ola", "kari"] if same else ["ola"]
    groups = {kind.format(id=ids["customers"]) for kind in (GROUP_URI, MEMBERS_URI)}
    assert notified == {CONTACT_URI.format(id=ids[name]) for name in erased} | groups


@pytest.mark.parametrize("form", ["keep_id", "clusters"])
@pytest.mark.parametrize("notes", ["", "mine"], ids=["kept as it is", "kept contact changes"])
async def test_merge_notifies_of_its_contacts_and_their_groups(directory, notes, form, monkeypatch):
    """If the kept contact changes, of the members of every group, too: they show its fields, as after an update."""
    host, ids = directory.host, directory.ids
    monkeypatch.setitem(_YES.content, "decision", "merge")
    third = (await host.call("create_contact", name="eva"))["id"]
    await host.call("update_contact", contact_id=ids["ola"], name="eva", notes=notes)
    await directory.notifications()
    await directory.listener.events_before(LIST_CHANGED)

    one = {"keep_id": third, "merge_ids": [ids["ola"]]}
    merged = await host.call("merge_contacts", **(one if form == "keep_id" else {"clusters": [[third, ids["ola"]]]}))
    notified = await directory.notifications()

    changed = {CONTACT_URI.format(id=ids["ola"])}
    changed |= {kind.format(id=ids["customers"]) for kind in (GROUP_URI, MEMBERS_URI)}
    merged = merged["clusters"][0] if form == "clusters" else merged
    assert bool(merged["changed"]) is bool(notes)
    assert merged["groups_left"] == [ids["customers"]]
    assert notified == changed | ({MEMBERS_URI.format(id=ids["suppliers"])} if notes else set())


@pytest.mark.parametrize(
    ("target", "fails"), [("ola", False), ("suppliers", True)], ids=["no difference", "no such contact"]
)
async def test_call_that_changes_nothing_is_not_notified(directory, target, fails):
    done = await directory.host.raw("update_contact", contact_id=directory.ids[target], name="ola")

    assert done.is_error is fails
    assert await directory.notifications() == set()


async def test_id_in_capitals_is_notified_as_the_same_resource(directory):
    ids = {"group_id": directory.ids["customers"].upper(), "contact_id": directory.ids["ola"]}

    await directory.host.call("remove_group_member", **ids)

    assert MEMBERS_URI.format(id=directory.ids["customers"]) in await directory.notifications()


async def test_group_that_a_plan_creates_is_notified_once_it_is_created(directory):
    """The resource list has it then, and not after the plan."""
    arguments = {"group": "new", "create_group": True, "search": "ola"}
    await directory.notifications()
    await directory.listener.events_before(LIST_CHANGED)

    plan = await directory.host.call("add_matching_to_group", **arguments)
    planned = await directory.notifications()
    await directory.host.call("add_matching_to_group", **arguments, apply=True, plan=plan["plan"])
    applied = await directory.notifications()

    assert LIST_CHANGED not in planned
    assert LIST_CHANGED in applied
