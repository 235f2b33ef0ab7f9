"""Completion: typed text is completed from the directory, within limits, and never with an error."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from mcp import Client
from mcp_types import Completion, PromptReference, ResourceTemplateReference

from contacts_mcp.prompts import PROMPTS
from contacts_mcp.resources import GROUP_URI, MEMBERS_URI, Completions
from contacts_mcp.tools import TOOLS
from support.hosts import MISSING_ID, Host, each_era, host, host_of_service

PROMPT = PromptReference(name="prepare_sms_audience")


async def complete(client: Client, argument: str, typed: str, ref: object = PROMPT) -> Completion:
    return (await client.complete(ref, {"name": argument, "value": typed})).completion  # type: ignore[arg-type]


def tags_of(respond: Callable[[httpx.Request], httpx.Response]) -> AbstractAsyncContextManager[Host]:
    """A host of a server that completes tags from a service with the handler `respond`."""
    return host_of_service(respond, server={"prompts": PROMPTS, "completions": Completions(TOOLS)})


class Service:
    """Pages of contacts, each with its own tag and a shared tag. Counts the requests."""

    def __init__(self, contacts: int) -> None:
        self.asked = 0
        self._rows = [
            {"id": f"{n:08x}{MISSING_ID[8:]}", "name": "x", "tags": [f"tag{n:04}", "all"]} for n in range(contacts)
        ]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        page, per_page = (int(request.url.params[name]) for name in ("page", "per_page"))
        rows = self._rows[(page - 1) * per_page : page * per_page]
        return httpx.Response(200, json={"contacts": rows, "total": len(self._rows), "page": page})


async def fill(directory: Host) -> list[str]:
    """The ids of three new groups, sorted by name."""
    await directory.call("create_contact", name="Ola", tags=["Vestland", "VIP", "Bærum"])
    groups = [await directory.call("create_contact_group", name=name) for name in ("Ørland choir", "Board", "Choir")]
    board, choir, oerland = sorted(groups, key=lambda group: group["name"])
    return [board["id"], choir["id"], oerland["id"]]


@each_era
async def test_tags_and_groups_are_completed_ignoring_case_and_accents(tmp_path: Path, era: str) -> None:
    """Values that start with the typed text come first."""
    async with host(tmp_path / "contacts.db", era) as directory:
        await fill(directory)

        tags = await complete(directory.client, "tag", "v")
        assert (tags.values, tags.total, tags.has_more) == (["Vestland", "VIP"], 2, False)
        assert (await complete(directory.client, "tag", "baer")).values == ["Bærum"]
        assert (await complete(directory.client, "group", "CHOIR")).values == ["Choir", "Ørland choir"]


@each_era
@pytest.mark.parametrize("template", [GROUP_URI, MEMBERS_URI])
async def test_group_id_in_a_uri_is_completed_by_id_and_by_name(tmp_path: Path, era: str, template: str) -> None:
    ref = ResourceTemplateReference(uri=template)
    async with host(tmp_path / "contacts.db", era) as directory:
        board, choir, oerland = await fill(directory)

        assert (await complete(directory.client, "id", "choir", ref)).values == [choir, oerland]
        assert (await complete(directory.client, "id", board[:8], ref)).values == [board]
        assert (await complete(directory.client, "id", "", ref)).values == [board, choir, oerland]


@each_era
async def test_unknown_prompts_templates_and_arguments_complete_to_nothing(tmp_path: Path, era: str) -> None:
    async with host(tmp_path / "contacts.db", era) as directory:
        await fill(directory)

        for argument, typed, ref in (
            ("tag", "v", PromptReference(name="test_prompt_with_arguments")),
            ("purpose", "v", PROMPT),
            ("id", "", ResourceTemplateReference(uri="test://{id}")),
            ("tag", "v" * 100_000, PROMPT),
        ):
            found = await complete(directory.client, argument, typed, ref)
            assert (found.values, found.total, found.has_more) == ([], 0, False)


async def test_more_than_a_hundred_values_are_cut_and_counted() -> None:
    """A hundred is the protocol's limit."""
    async with tags_of(Service(150)) as service:
        found = await complete(service.client, "tag", "tag")

    assert (len(found.values), found.values[0], found.total, found.has_more) == (100, "tag0000", 150, True)


async def test_tags_of_a_large_directory_take_five_requests_and_give_no_total() -> None:
    service = Service(2_000)
    async with tags_of(service) as connected:
        few = await complete(connected.client, "tag", "tag000")
        none = await complete(connected.client, "tag", "tag1999")
        many = await complete(connected.client, "tag", "tag")

    assert service.asked == 5
    assert (len(few.values), few.total, few.has_more) == (10, None, None)
    assert (none.values, none.total, none.has_more) == ([], None, None)
    assert (len(many.values), many.total, many.has_more) == (100, None, True)


async def test_failing_service_completes_to_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong key, an unreadable answer, an unexpected exception."""
    answers = iter([httpx.Response(401, json={}), httpx.Response(200, text="<html>"), ZeroDivisionError("Zaphod")])

    def respond(_: httpx.Request) -> httpx.Response:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with tags_of(respond) as service:
        found = [await complete(service.client, "tag", "v") for _ in range(3)]

    assert [completion.values for completion in found] == [[], [], []]
    assert "Zaphod" not in caplog.text


async def test_value_that_sanitizing_would_change_is_not_suggested() -> None:
    tags = ["plain", "pl\u200bus", "pl\nus", "p" * 300, " pl", ""]
    contacts = [{"id": MISSING_ID, "name": "x", "tags": tags}]
    async with tags_of(lambda _: httpx.Response(200, json={"contacts": contacts, "total": 1, "page": 1})) as service:
        assert (await complete(service.client, "tag", "p")).values == ["plain"]


async def test_data_of_a_disabled_tool_is_not_suggested(tmp_path: Path) -> None:
    on = "list_contact_groups,list_group_members,create_contact_group,add_group_members,remove_group_member"
    async with host(tmp_path / "contacts.db") as directory:
        await fill(directory)
    async with host(tmp_path / "contacts.db", tools=on) as directory:
        ref = ResourceTemplateReference(uri=MEMBERS_URI)

        assert (await complete(directory.client, "tag", "v")).values == []
        assert len((await complete(directory.client, "id", "", ref)).values) == 3
