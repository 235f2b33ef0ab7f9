"""The panel of hosts with MCP Apps: what is listed for it, its pages, and decisions that only its person can make."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.client import ContactsClient
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, GuardMode, Rung
from contacts_mcp.guard._approvals import MAX_REQUESTS
from contacts_mcp.panel import VIEWS
from contacts_mcp.server._panel import ASK, CALL_META, DECIDE, QUESTION_META
from contacts_mcp.server._panel_consent import PANEL_SECONDS
from contacts_mcp.tools import TOOLS, choose_panel_tools, choose_tools
from support.host_profiles import APPS, Forms, Profile, Scene, Will, reason_of, scene_in
from support.hosts import LEGACY, MODERN, each_era, server_over
from support.raw_hosts import FORMS, Message, line_host

WITH_PANEL = Profile("a host with a panel", LEGACY, APPS, Forms.NONE)
WITHOUT_PANEL = Profile("a host without a panel", LEGACY, {}, Forms.NONE)
PANEL_TOOLS = choose_panel_tools(TOOLS)
_FOR_PANEL = {"list_plan_rows", "list_duplicates", "list_audience", "get_receipt", ASK, DECIDE}
_MAX_SECONDS = 3.0  # host and server; without a limit it is a minute


def content_of(response: Message) -> Message:
    return response["result"]["structuredContent"]


def line_of(response: Message) -> str:
    assert response["result"]["isError"], response
    return response["result"]["content"][0]["text"]


def question_in(response: Message) -> Message:
    return response["result"]["_meta"][QUESTION_META]


async def ask(scene: Scene, tool: str, **arguments: Any) -> Message:
    return await scene.host.call(ASK, {"tool": tool, "arguments": arguments})


async def decide(scene: Scene, tool: str, question: Message, *, agree: bool = True, **more: Any) -> Message:
    decision = {"arguments": question["arguments"], "secret": question["secret"], "agree": agree}
    return await scene.host.call(DECIDE, {"tool": tool, **decision, **more})


async def listed(capabilities: Message, era: str = LEGACY) -> dict[str, Message]:
    server = server_over(panel_tools=PANEL_TOOLS)
    async with line_host(server, era, capabilities=capabilities) as host:
        return {tool["name"]: tool for tool in (await host.request("tools/list"))["result"]["tools"]}


@each_era
async def test_list_for_a_host_with_a_panel_names_the_view_of_each_tool(era: str) -> None:
    tools = await listed(APPS, era)
    views = {name: tool["_meta"]["ui"].get("resourceUri") for name, tool in tools.items() if "_meta" in tool}

    assert views == {
        "delete_contact": "ui://contacts/consent.html",
        "delete_contact_group": "ui://contacts/consent.html",
        "gdpr_delete_contact": "ui://contacts/consent.html",
        "import_contacts": "ui://contacts/plan.html",
        "update_matching_contacts": "ui://contacts/plan.html",
        "add_matching_to_group": "ui://contacts/plan.html",
        "merge_contacts": "ui://contacts/plan.html",
        "find_duplicate_contacts": "ui://contacts/duplicates.html",
        "check_group_audience": "ui://contacts/audience.html",
        "show_contacts": "ui://contacts/contacts.html",
        **dict.fromkeys(_FOR_PANEL),
    }
    assert {name for name, tool in tools.items() if tool.get("_meta", {}).get("ui", {}).get("visibility")} == _FOR_PANEL


@pytest.mark.parametrize("capabilities", [{}, FORMS, {"extensions": {"io.modelcontextprotocol/ui": {}}}], ids=str)
async def test_list_for_other_hosts_knows_no_panel(capabilities: Message) -> None:
    tools = await listed(capabilities)

    assert set(tools) == {tool.name for tool in TOOLS}
    assert not any("_meta" in tool for tool in tools.values())


@pytest.mark.parametrize("view", sorted(VIEWS))
async def test_page_of_a_view_is_a_resource_that_loads_nothing_from_elsewhere(view: str) -> None:
    async with line_host(server_over(), LEGACY, capabilities=APPS) as host:
        answer = await host.request("resources/read", uri=f"ui://contacts/{view}.html")
    (page,) = answer["result"]["contents"]

    assert page["mimeType"] == "text/html;profile=mcp-app"
    assert page["_meta"] == {"ui": {"csp": {}, "prefersBorder": True}}
    assert f'data-view="{view}"' in page["text"]


@pytest.mark.parametrize("uri", ["ui://contacts/audit.html", "ui://contacts/.html", "ui://contacts/../x.html"])
async def test_other_page_does_not_exist(uri: str) -> None:
    async with line_host(server_over(), LEGACY, capabilities=APPS) as host:
        answer = await host.request("resources/read", uri=uri)

    assert "error" in answer


@each_era
async def test_secret_of_a_question_is_only_in_what_hosts_keep_from_the_model(tmp_path: Path, era: str) -> None:
    profile = Profile("a host with a panel", era, APPS, Forms.NONE)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        answer = await scene.call("delete_contact", contact_id=scene.contact_id)
        question = question_in(answer)
        del answer["result"]["_meta"]

    assert question["secret"] not in json.dumps(answer)
    assert question["prompt"]["verb"] == "Delete"
    assert question["prompt"]["label"].startswith('person "Ola Nordmann"')
    assert "asked in the panel" in reason_of(answer)


async def test_answer_that_a_view_shows_brings_its_call_for_hosts_that_do_not_tell_the_panel(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        plan = await scene.call("import_contacts", content="Name\nKari", default_region="NO")
        long = await scene.call("import_contacts", content="Name\n" + "Kari Moe\n" * 10_000)
        without_view = await scene.call("get_contact", contact_id=scene.contact_id)
    async with scene_in(tmp_path / "contacts.db", WITHOUT_PANEL, Will.NOTHING) as scene:
        elsewhere = await scene.call("import_contacts", content="Name\nKari")

    call = {"tool": "import_contacts", "arguments": {"content": "Name\nKari", "default_region": "NO"}}
    assert plan["result"]["_meta"] == {CALL_META: call}
    assert not any("_meta" in answer["result"] for answer in (long, without_view, elsewhere))


@pytest.mark.parametrize("profile", [WITH_PANEL, Profile("with forms, too", LEGACY, {**FORMS, **APPS}, Forms.SHOWS)])
async def test_person_who_agrees_in_the_panel_gets_the_change(tmp_path: Path, profile: Profile) -> None:
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        asked = await ask(scene, "delete_contact", contact="Ola Nordmann")
        answer = await decide(scene, "delete_contact", question_in(asked))

        assert content_of(asked) == {"needs_consent": True}
        assert content_of(answer)["consent"] == "person"
        assert not await scene.has_contact()
    assert [(record["outcome"], record["consent"]) for record in scene.trail] == [
        ("asked", "asked"),
        ("begun", "app"),
        ("done", "app"),
    ]


async def test_person_who_keeps_the_contact_in_the_panel_has_decided(tmp_path: Path) -> None:
    """The secret of the question does not count afterwards."""
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        kept = await decide(scene, "delete_contact", question, agree=False)
        again = await decide(scene, "delete_contact", question)

        assert reason_of(kept) == "the person declined; nothing was changed; do not try again"
        assert line_of(again).startswith("not_confirmed: the answer was used before")
        assert await scene.has_contact()


async def test_secret_counts_once(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        group = (await scene.host.call("create_contact_group", {"name": "Choir"}))["result"]["structuredContent"]["id"]
        question = question_in(await ask(scene, "delete_contact_group", group_id=group))
        await decide(scene, "delete_contact_group", question)
        again = await decide(scene, "delete_contact_group", question)

    assert again["result"]["isError"]


async def test_secret_does_not_count_for_another_call(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        other = await scene.create_contact("Kari Nordmann")
        for tool, arguments in (
            ("delete_contact", {"contact_id": other}),
            ("gdpr_delete_contact", {"contact_id": scene.contact_id, "reason": "request"}),
        ):
            answer = await decide(scene, tool, {**question, "arguments": arguments}, typed="Kari Nordmann")
            assert line_of(answer).startswith("not_confirmed: the answer belongs to another question")

        assert await scene.has_contact()
        assert await scene.has_contact(other)


@pytest.mark.parametrize("secret", ["", "x", "page"])
async def test_made_up_secret_does_not_count(tmp_path: Path, secret: str) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        answer = await decide(scene, "delete_contact", {**question, "secret": secret})

        assert line_of(answer).startswith("not_confirmed: the answer belongs to no open question")
        assert await scene.has_contact()


async def test_state_of_a_form_does_not_count_as_a_secret_of_the_panel(tmp_path: Path) -> None:
    """A host returns the state of a form, so a model may know it."""
    profile = Profile("with forms, too", MODERN, {**FORMS, **APPS}, Forms.SHOWS)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        asked = await scene.host.call("delete_contact", {"contact_id": scene.contact_id})
        state = asked["result"]["requestState"]
        question = {"arguments": {"contact_id": scene.contact_id}, "secret": state}
        answer = await decide(scene, "delete_contact", question)
        panel = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        agreed = {"confirm": {"action": "accept", "content": {"decision": "delete"}}}
        backwards = await scene.host.call(
            "delete_contact", {"contact_id": scene.contact_id}, inputResponses=agreed, requestState=panel["secret"]
        )

        assert line_of(answer).startswith("not_confirmed: the answer belongs to another question")
        assert line_of(backwards).startswith("not_confirmed: the answer belongs to another question")
        assert await scene.has_contact()


async def test_expired_question_is_not_answered(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        scene.clock.now += ANSWER_LIFETIME_SECONDS
        answer = await decide(scene, "delete_contact", question)

        assert "not answered in time" in reason_of(answer)
        assert await scene.has_contact()


async def test_target_that_changed_since_the_question_is_kept(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        await scene.host.call("update_contact", {"contact_id": scene.contact_id, "name": "Ola Hansen"})
        answer = await decide(scene, "delete_contact", question)

        assert line_of(answer).startswith("not_confirmed: the target was changed")
        assert await scene.has_contact()


@pytest.mark.parametrize(("typed", "is_erased"), [("Ola Nordmann", True), ("Ola", False), ("", False)])
async def test_erasure_needs_the_typed_name(tmp_path: Path, typed: str, is_erased: bool) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "gdpr_delete_contact", contact_id=scene.contact_id, reason="request"))
        answer = await decide(scene, "gdpr_delete_contact", question, typed=typed)

        assert question["prompt"]["phrase"] == "Ola Nordmann"
        assert ("erased" in content_of(answer)) is is_erased
        assert await scene.has_contact() is not is_erased


async def test_erasure_includes_the_records_that_the_person_ticked(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        call = {"name": "Ola Nordmann", "email": "ola@example.no"}
        first, second = [
            content_of(await scene.host.call("create_contact", {**call, "allow_duplicate": True}))["id"] for _ in "ab"
        ]
        question = question_in(await ask(scene, "gdpr_delete_contact", contact_id=first, reason="request"))
        offered = [each["id"] for each in question["prompt"]["choices"]["items"]]
        wrong = await decide(scene, "gdpr_delete_contact", question, typed="Ola Nordmann", also=["nobody"])
        question = question_in(await ask(scene, "gdpr_delete_contact", contact_id=first, reason="request"))
        answer = await decide(scene, "gdpr_delete_contact", question, typed="Ola Nordmann", also=[second])

    assert second in offered
    assert "not filled in as the question asked" in reason_of(wrong)
    assert {each["id"] for each in content_of(answer)["records"]} == {first, second}


@pytest.mark.parametrize("name", [ASK, DECIDE, "show_contacts"])
async def test_host_without_a_panel_has_no_tools_of_the_panel(tmp_path: Path, name: str) -> None:
    async with scene_in(tmp_path / "contacts.db", WITHOUT_PANEL, Will.NOTHING) as scene:
        arguments = {"tool": "delete_contact", "arguments": {"contact_id": scene.contact_id}}
        answer = await scene.host.call(name, {**arguments, "secret": "x", "agree": True})

        assert line_of(answer).startswith("unknown_tool")
        assert await scene.has_contact()


@pytest.mark.parametrize(
    ("name", "arguments", "fault"),
    [
        (ASK, {}, "tool: Field required"),
        (ASK, {"tool": "delete_contact", "arguments": []}, "arguments: Input should be"),
        (DECIDE, {"tool": "delete_contact", "secret": "x", "agree": "yes"}, "agree: Input should be"),
        (DECIDE, {"tool": "delete_contact", "secret": "x", "agree": True, "force": 1}, "force: Extra inputs"),
        (ASK, {"tool": ASK}, "unknown_tool: ask_in_panel"),
        (ASK, {"tool": "delete_contact", "arguments": {"contact": "Kari"}}, 'no contact matches "Kari"'),
    ],
)
async def test_unusable_call_of_the_panel_is_an_error(
    tmp_path: Path, name: str, arguments: Message, fault: str
) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        assert fault in line_of(await scene.host.call(name, arguments))


async def test_rows_of_a_tool_that_is_switched_off_are_not_listed(tmp_path: Path) -> None:
    async with ContactsClient.for_directory(tmp_path / "contacts.db") as api:
        server = server_over(
            api, tools=choose_tools(only=["list_contacts", "import_contacts"]), panel_tools=PANEL_TOOLS
        )
        async with line_host(server, LEGACY, capabilities=APPS) as host:
            rows = {
                tool: await host.call("list_plan_rows", {"tool": tool, "arguments": {"content": "Name\nOla", **more}})
                for tool, more in (("import_contacts", {}), ("merge_contacts", {"keep_id": "x", "merge_ids": []}))
            }

    assert content_of(rows["import_contacts"])["total"] == 1
    assert line_of(rows["merge_contacts"]).startswith("unknown_tool")


async def test_question_about_a_call_that_needs_none_changes_and_records_nothing(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        answer = await ask(scene, "update_contact", contact_id=scene.contact_id, name="Ola Hansen")
        name = content_of(await scene.host.call("get_contact", {"contact_id": scene.contact_id}))["name"]

    assert content_of(answer) == {"needs_consent": False}
    assert "_meta" not in answer["result"]
    assert name == "Ola Nordmann"
    assert scene.trail == []


async def test_plan_is_applied_from_the_panel_with_its_consent(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        await scene.host.call("update_contact", {"contact_id": scene.contact_id, "notes": "old"})
        change = {"search": "Ola", "set_notes": "new"}
        plan = content_of(await scene.host.call("update_matching_contacts", change))
        apply = {**change, "apply": True, "plan": plan["plan"]}
        question = question_in(await ask(scene, "update_matching_contacts", **apply))
        answer = content_of(await decide(scene, "update_matching_contacts", question))

    assert "can apply it there" in plan["next"]
    assert (answer["updates"], answer["consent"]) == (1, "person")


async def test_operator_who_does_not_allow_the_panel_gets_no_question_in_it(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        object.__setattr__(scene.ways, "rungs", (Rung.FORM, Rung.PAGE))
        asked = await ask(scene, "delete_contact", contact_id=scene.contact_id)
        answer = await decide(scene, "delete_contact", question)

        assert content_of(asked) == {"needs_consent": True}
        assert "_meta" not in asked["result"]
        assert line_of(answer).startswith("refused")
        assert await scene.has_contact()


async def test_blocked_server_asks_no_question_in_the_panel(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.YES, GuardMode.BLOCK) as scene:
        asked = await ask(scene, "delete_contact", contact_id=scene.contact_id)
        answer = (await scene.delete()).answers[0]

        assert "_meta" not in asked["result"]
        assert line_of(answer) == "refused: the operator has blocked delete_contact; nothing was changed"


async def test_call_that_is_repeated_later_also_opens_the_page(tmp_path: Path) -> None:
    """The host may declare a panel and show none."""
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        call = {"contact_id": scene.contact_id}
        first = await scene.call("delete_contact", **call)
        soon = await scene.call("delete_contact", **call)
        scene.clock.now += PANEL_SECONDS
        later = await scene.call("delete_contact", **call)
        await scene.decide(Will.YES)
        await scene.call("delete_contact", **call)

        assert "asked in the panel" in reason_of(first)
        assert "asked in the panel" in reason_of(soon)
        assert reason_of(later).startswith("a page was opened")
        assert not await scene.has_contact()


async def test_token_of_two_steps_does_not_count_where_the_person_has_a_panel(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING, GuardMode.TWO_STEP) as scene:
        scene.remove_browser()
        question = question_in(await scene.call("delete_contact", contact_id=scene.contact_id))
        token = {"confirmation_token": question["secret"]}
        answer = await scene.call("delete_contact", contact_id=scene.contact_id, **token)

        assert "asked in the panel" in reason_of(answer)
        assert await scene.has_contact()


async def test_decision_in_the_panel_voids_every_other_question_about_the_call(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        older = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        newer = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        scene.clock.now += 1
        await decide(scene, "delete_contact", newer, agree=False)
        answer = await decide(scene, "delete_contact", older)

        assert line_of(answer).startswith("not_confirmed: a person decided on this call after the question was asked")
        assert await scene.has_contact()


async def test_keep_in_the_panel_voids_the_yes_of_a_page(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        call = {"contact_id": scene.contact_id}
        question = question_in(await scene.call("delete_contact", **call))
        scene.clock.now += PANEL_SECONDS
        await scene.call("delete_contact", **call)
        await scene.decide(Will.YES)
        await decide(scene, "delete_contact", question, agree=False)
        answer = await scene.call("delete_contact", **call)

        assert "asked in the panel" in reason_of(answer)
        assert await scene.has_contact()


async def test_page_that_is_open_is_not_replaced_by_the_panel(tmp_path: Path) -> None:
    """A server that started again no longer knows of the panel, but of the page."""
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        call = {"contact_id": scene.contact_id}
        question = question_in(await scene.call("delete_contact", **call))
        scene.clock.now += PANEL_SECONDS
        await scene.call("delete_contact", **call)
        await decide(scene, "delete_contact", {**question, "secret": "junk"})
        scene.clock.now += ANSWER_LIFETIME_SECONDS / 2
        answer = await scene.call("delete_contact", **call)

        assert reason_of(answer).startswith("a page was opened")


@pytest.mark.parametrize("mode", [GuardMode.ASK, GuardMode.TWO_STEP])
@pytest.mark.parametrize("rungs", [(Rung.FORM,), (Rung.APPROVER,)], ids=str)
async def test_secret_does_not_count_once_the_operator_allows_no_panel(
    tmp_path: Path, mode: GuardMode, rungs: tuple[Rung, ...]
) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING, mode) as scene:
        question = question_in(await ask(scene, "delete_contact", contact_id=scene.contact_id))
        object.__setattr__(scene.ways, "rungs", rungs)
        answer = await decide(scene, "delete_contact", question)

        assert line_of(answer) == "refused: the operator does not allow decisions in the panel; nothing was changed"
        assert await scene.has_contact()


@pytest.mark.parametrize(
    "decision",
    [
        {"typed": "a\u0301\u0327" * 100_000},
        {"also": [1] * 400_000},
        {"secret": "x" * 1_000_000},
        {f"x{number}": 1 for number in range(20_000)},
    ],
    ids=["typed", "also", "secret", "members"],
)
async def test_huge_decision_is_refused_before_it_takes_time(tmp_path: Path, decision: Message) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        question = question_in(await ask(scene, "gdpr_delete_contact", contact_id=scene.contact_id, reason="request"))
        started = time.process_time()
        answer = await decide(scene, "gdpr_delete_contact", question, **decision)

        assert answer["result"]["isError"]
        assert len(json.dumps(answer)) < 2_000
        assert time.process_time() - started < _MAX_SECONDS
        assert await scene.has_contact()


async def test_text_typed_into_a_form_is_not_normalized_if_it_is_far_too_long(tmp_path: Path) -> None:
    profile = Profile("with forms", MODERN, FORMS, Forms.SHOWS)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        call = {"contact_id": scene.contact_id, "reason": "request"}
        asked = await scene.host.call("gdpr_delete_contact", call)
        typed = {"confirm": {"action": "accept", "content": {"typed": "a" + "\u0301\u0327" * 40_000}}}
        state = asked["result"]["requestState"]
        started = time.process_time()
        await scene.host.call("gdpr_delete_contact", call, inputResponses=typed, requestState=state)

        assert time.process_time() - started < _MAX_SECONDS
        assert await scene.has_contact()


async def test_plan_that_was_asked_about_in_the_panel_waits_for_the_answer(tmp_path: Path) -> None:
    """It needs none by now, because the caller may make more changes again."""
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        await scene.create_contact("Ola Hansen")
        change = {"search": "Ola", "add_tags": ["vip"]}
        plan = content_of(await scene.host.call("update_matching_contacts", change))["plan"]
        apply = {**change, "apply": True, "plan": plan}
        scene.budget._limit = 1
        asked = await scene.call("update_matching_contacts", **apply)
        scene.budget._limit = 100
        again = await scene.call("update_matching_contacts", **apply)

        assert "asked in the panel" in reason_of(asked)
        assert "asked in the panel" in reason_of(again)


async def test_caller_who_has_a_person_asked_too_often_is_refused(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", WITH_PANEL, Will.NOTHING) as scene:
        scene.guard.approvals._requests["local"] = MAX_REQUESTS
        answer = await scene.call("delete_contact", contact_id=scene.contact_id)

        assert line_of(answer).startswith("refused: a person was asked too often")


async def test_host_of_a_version_without_meta_of_tools_has_no_panel() -> None:
    async with line_host(server_over(panel_tools=PANEL_TOOLS), LEGACY, capabilities=APPS, version="2025-03-26") as host:
        names = {tool["name"] for tool in (await host.request("tools/list"))["result"]["tools"]}

    assert names == {tool.name for tool in TOOLS}
