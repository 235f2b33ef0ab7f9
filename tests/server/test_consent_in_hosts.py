"""A deletion in hosts as they are: a person who agrees gets it, a person who does not gets none, nor does a model."""

import asyncio
from pathlib import Path

import pytest

from contacts_mcp.guard import GuardMode
from support.host_profiles import PROFILES, URLS, Forms, Profile, Will, reason_of, scene_in
from support.hosts import LEGACY, each_era
from support.processes import wait_until

each_host = pytest.mark.parametrize("profile", PROFILES, ids=str)
FORMLESS = Profile("a host without forms", LEGACY, {}, Forms.NONE)


@each_host
async def test_person_who_agrees_gets_the_deletion_within_two_calls(tmp_path: Path, profile: Profile) -> None:
    async with scene_in(tmp_path / "contacts.db", profile, Will.YES) as scene:
        outcome = await scene.delete()

    assert outcome.is_deleted
    assert outcome.consent == _way_of(profile)
    assert outcome.calls == (2 if profile.forms is Forms.HANGS else 1)


def _way_of(profile: Profile) -> str:
    if profile.forms is Forms.SHOWS:
        return "form"
    return "app" if profile.shows_panel else "page"


@each_host
async def test_person_who_declines_keeps_the_contact(tmp_path: Path, profile: Profile) -> None:
    async with scene_in(tmp_path / "contacts.db", profile, Will.NO) as scene:
        outcome = await scene.delete()

    assert not outcome.is_deleted
    assert reason_of(outcome.answers[-1]) == "the person declined; nothing was changed; do not try again"


@each_host
async def test_person_who_does_nothing_keeps_the_contact(tmp_path: Path, profile: Profile) -> None:
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        outcome = await scene.delete(max_calls=3)

    assert not outcome.is_deleted
    assert outcome.consent is None


@each_host
async def test_model_that_guesses_what_a_person_sends_deletes_nothing(tmp_path: Path, profile: Profile) -> None:
    """Whatever a model adds to its calls, only the person decides."""
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        call = {"contact_id": scene.contact_id}
        agreed = {"confirm": {"action": "accept", "content": {"decision": "delete"}}}
        guesses = [
            ({}, {}),
            ({}, {"inputResponses": agreed, "requestState": "page"}),
            ({}, {"inputResponses": agreed, "requestState": ""}),
            ({}, {"inputResponses": agreed}),
            ({"confirmation_token": "page"}, {}),
            ({"decision": "delete"}, {}),
        ]
        for arguments, members in guesses:
            await scene.host.call("delete_contact", {**call, **arguments}, **members)
        for page in scene.pages:
            await scene.host.call("delete_contact", call, inputResponses=agreed, requestState=page)

        assert await scene.has_contact()


async def test_host_that_declined_by_itself_gets_no_form_again(tmp_path: Path) -> None:
    profile = Profile("a host that declines", LEGACY, {"elicitation": {}}, Forms.DECLINES)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NO) as scene:
        await scene.delete()
        await scene.delete()

        assert len(scene.host.asked) == 1
        assert len(scene.pages) == 2


@each_era
async def test_form_that_no_person_can_have_read_is_not_reported_as_their_decision(tmp_path: Path, era: str) -> None:
    """There is no other way to reach a person here."""
    profile = Profile("a host that declines", era, {"elicitation": {}}, Forms.DECLINES)
    async with scene_in(tmp_path / "contacts.db", profile, Will.YES) as scene:
        scene.remove_browser()
        reason = reason_of((await scene.delete()).answers[-1])

    assert reason == (
        "the question was declined, or never shown to a person; nothing was changed; "
        "call again only if the person asks for it"
    )


@each_era
async def test_two_step_mode_offers_its_preview_if_the_form_reached_no_person(tmp_path: Path, era: str) -> None:
    profile = Profile("a host that declines", era, {"elicitation": {}}, Forms.DECLINES)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NO, GuardMode.TWO_STEP) as scene:
        scene.remove_browser()
        first = reason_of((await scene.delete()).answers[-1])
        preview = (await scene.delete()).answers[-1]["result"]["structuredContent"]
        token = {"confirmation_token": preview["confirmation_token"]}
        await scene.call("delete_contact", contact_id=scene.contact_id, **token)

        assert first.startswith("the question was declined, or never shown")  # by a host, or by a quick person
        assert preview["question"].startswith('Delete: person "Ola Nordmann"')
        assert not await scene.has_contact()


@pytest.mark.parametrize("mode", [GuardMode.ASK, GuardMode.TWO_STEP])
async def test_page_that_cannot_be_opened_just_now_leads_to_no_token(tmp_path: Path, mode: GuardMode) -> None:
    """A model could otherwise open pages until no more are opened, and go on without a person."""
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING, mode) as scene:
        scene.is_page_busy = True
        answer = (await scene.delete(max_calls=1)).answers[0]
        token = {"confirmation_token": "x"}
        with_token = await scene.call("delete_contact", contact_id=scene.contact_id, **token)
        is_there = await scene.has_contact()

    assert "cannot be shown it just now" in reason_of(answer)
    assert "confirmation_token" not in answer["result"]["structuredContent"]
    assert is_there
    assert not with_token["result"].get("structuredContent", {}).get("done")


async def test_token_does_not_count_where_a_person_can_be_asked(tmp_path: Path) -> None:
    """The token is a genuine one, of a time at which there was no browser."""
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING, GuardMode.TWO_STEP) as scene:
        scene.remove_browser()
        preview = (await scene.delete(max_calls=1)).answers[0]["result"]["structuredContent"]
        scene.add_browser()
        token = {"confirmation_token": preview["confirmation_token"]}
        answer = await scene.call("delete_contact", contact_id=scene.contact_id, **token)

        assert reason_of(answer).startswith("a page was opened")
        assert await scene.has_contact()


async def test_quick_no_does_not_switch_forms_off_if_there_is_no_other_way(tmp_path: Path) -> None:
    profile = Profile("a host with forms", LEGACY, {"elicitation": {}}, Forms.DECLINES)
    async with scene_in(tmp_path / "contacts.db", profile, Will.YES) as scene:
        scene.remove_browser()
        await scene.delete()
        await scene.delete()

        assert len(scene.host.asked) == 2


@pytest.mark.slow
async def test_question_that_is_replaced_again_and_again_is_refused(tmp_path: Path) -> None:
    """A model changes the contact between its calls, so that each asks anew."""
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        answers = []
        for number in range(101):
            await scene.call("update_contact", contact_id=scene.contact_id, company_name=f"Fjord {number}")
            answers.append(reason_of(await scene.call("delete_contact", contact_id=scene.contact_id)))

    assert answers[99].startswith("a page was opened")
    assert "a person was asked too often" in answers[100]


async def test_answer_to_a_form_counts_although_the_call_has_ended(tmp_path: Path) -> None:
    """Legacy era: the same call goes on with the form that is still open."""
    profile = Profile("a host with forms", LEGACY, {"elicitation": {}}, Forms.SHOWS)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        waiting = await scene.call("delete_contact", contact_id=scene.contact_id)
        (question,) = scene.host.asked
        scene.answer_later(question, {"action": "accept", "content": {"decision": "delete"}})
        scene.hold(is_long=True)
        outcome = await scene.delete()

    assert reason_of(waiting).startswith("waiting for a person: the question is still open in this host")
    assert (outcome.is_deleted, outcome.consent, outcome.calls) == (True, "form", 1)
    assert len(scene.host.asked) == 1
    assert not scene.pages


async def test_call_that_is_given_up_does_not_end_the_same_call_made_meanwhile(tmp_path: Path) -> None:
    """Legacy era: both wait for one form, which is withdrawn with the first of them; the second shows its own."""
    profile = Profile("a host with forms", LEGACY, {"elicitation": {}}, Forms.SHOWS)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        scene.hold(is_long=True)
        first = asyncio.create_task(scene.call("delete_contact", contact_id=scene.contact_id))
        await wait_until(lambda: len(scene.host.asked) == 1)
        second = asyncio.create_task(scene.call("delete_contact", contact_id=scene.contact_id))
        await wait_until(lambda: len(scene.pages) == 1)  # beside the form that is open
        first.cancel()
        await wait_until(lambda: len(scene.host.asked) == 2)
        scene.answer_later(scene.host.asked[-1], {"action": "accept", "content": {"decision": "delete"}})
        answer = await second

        assert answer["result"]["structuredContent"]["done"]
        assert not await scene.has_contact()


async def test_page_of_a_changed_contact_is_void_and_the_next_call_asks_again(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        await scene.delete(max_calls=1)
        await scene.call("update_contact", contact_id=scene.contact_id, name="Ola Nordmann Berg")
        scene.will = Will.YES
        scene.hold(is_long=True)
        outcome = await scene.delete(max_calls=1)

    assert len(scene.pages) == 2
    assert outcome.is_deleted


async def test_person_who_agreed_after_the_call_had_ended_gets_the_deletion_with_the_next(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        first = await scene.delete(max_calls=1)
        await scene.decide(Will.YES)
        is_kept_until_the_call = await scene.has_contact()
        outcome = await scene.delete(max_calls=1)

    assert reason_of(first.answers[0]).startswith("a page was opened for the person at this computer")
    assert is_kept_until_the_call
    assert outcome.is_deleted


async def test_decision_is_used_once(tmp_path: Path) -> None:
    """The contact is restored before the same call is made again."""
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        await scene.delete(max_calls=1)
        await scene.decide(Will.YES)
        await scene.delete(max_calls=1)
        await scene.call("restore_contact", contact_id=scene.contact_id)
        outcome = await scene.delete(max_calls=1)

    assert not outcome.is_deleted
    assert len(scene.pages) == 2


async def test_decision_after_ten_minutes_does_not_count(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        await scene.delete(max_calls=1)
        await scene.decide(Will.YES)
        scene.clock.now += 600
        outcome = await scene.delete(max_calls=1)

    assert not outcome.is_deleted


async def test_record_of_a_decision_says_how_it_was_made_and_how_long_it_took(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        await scene.delete(max_calls=1)
        scene.clock.now += 40
        await scene.decide(Will.YES)
        await scene.delete(max_calls=1)
        done = [record for record in scene.trail if record["outcome"] == "done"]

    assert [(record["consent"], record["consent_ms"]) for record in done] == [("page", 40_000)]


@each_era
async def test_address_of_a_page_reaches_the_person_but_not_the_model(tmp_path: Path, era: str) -> None:
    """Rung `url`; the host opens the address, and the person decides on the page."""
    profile = Profile("a host that opens addresses", era, URLS, Forms.NONE)
    async with scene_in(tmp_path / "contacts.db", profile, Will.YES) as scene:
        scene.remove_browser("https://contacts.example.com/approvals/")
        outcome = await scene.delete()

    assert (outcome.is_deleted, outcome.consent) == (True, "url")
    assert len(scene.opened) == 1
    assert not any("example.com" in str(answer) for answer in outcome.answers)


@each_era
async def test_person_who_does_not_open_the_page_has_declined(tmp_path: Path, era: str) -> None:
    profile = Profile("a host that opens addresses", era, URLS, Forms.NONE)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NO) as scene:
        scene.remove_browser("https://contacts.example.com/approvals/")
        outcome = await scene.delete()

    assert not outcome.is_deleted
    assert "declined" in reason_of(outcome.answers[-1])


async def test_caller_with_too_many_open_questions_is_refused(tmp_path: Path) -> None:
    """A model could otherwise open page after page until the person agrees."""
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        ids = [(await scene.create_contact(f"Person {number}")) for number in range(21)]
        answers = [await scene.call("delete_contact", contact_id=each) for each in ids]

    assert reason_of(answers[19]).startswith("a page was opened")
    assert "20 questions already wait for a person" in str(answers[20])
    assert len(scene.pages) == 20
