"""The guard, without a server: who may proceed, who is asked, who is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from mcp.server.request_state import AESGCMRequestStateCodec

from contacts_mcp.contract import Risk
from contacts_mcp.guard import (
    Consent,
    ConsentAnswer,
    Guard,
    GuardedCall,
    GuardMode,
    MemoryNonceStore,
    NotConfirmed,
    Preview,
    Question,
    Refused,
    Seal,
    Target,
)

OLA = Target(label='person "Ola Nordmann" (id 1)', effect="It goes.", phrase="Ola Nordmann", fingerprint="a")


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A guard over one target that tests can change."""

    def __init__(self, mode: GuardMode = GuardMode.ASK, confirm: tuple[str, ...] = ()) -> None:
        self.clock = Clock()
        self.guard = Guard(mode, confirm, seal=Seal(600, clock=self.clock), nonce_store=MemoryNonceStore(self.clock))
        self.target = OLA
        self.reads = 0

    async def read(self) -> Target:
        self.reads += 1
        return self.target

    def action(self, risk: Risk = Risk.DESTROY, **changes: Any) -> GuardedCall:
        action = GuardedCall("delete_contact", risk, {"contact_id": "1"}, "local", self.read)
        return replace(action, **changes)

    async def question(self, action: GuardedCall) -> Question:
        verdict = await self.guard.decide(action, None, can_ask=True)
        assert isinstance(verdict, Question)
        return verdict

    async def token(self, action: GuardedCall) -> str:
        verdict = await self.guard.decide(action, None, can_ask=False)
        assert isinstance(verdict, Preview)
        return verdict.token

    async def answer(self, action: GuardedCall, answer: ConsentAnswer) -> object:
        return await self.guard.decide(action, answer, can_ask=True)


def yes(state: str) -> ConsentAnswer:
    return ConsentAnswer(state, accepted=True, content={"decision": "delete"})


@pytest.mark.parametrize("risk", [Risk.READ, Risk.WRITE])
@pytest.mark.parametrize("mode", GuardMode)
async def test_reads_and_writes_need_no_consent_in_any_mode(risk: Risk, mode: GuardMode) -> None:
    """Consent is asked for what destroys, so that it means something; the target is not even read."""
    world = World(mode)

    verdict = await world.guard.decide(world.action(risk), None, can_ask=False)

    assert verdict is Consent.NONE_NEEDED
    assert world.reads == 0


async def test_a_deletion_runs_after_the_word_was_chosen() -> None:
    """The one way through: asked, answered with `delete`, nothing changed in between."""
    world = World()
    question = await world.question(world.action())

    assert await world.answer(world.action(), yes(question.state)) is Consent.FORM


async def test_an_erasure_runs_after_the_name_was_typed() -> None:
    """What cannot be undone needs the name, typed out."""
    world = World()
    action = world.action(Risk.ERASE)
    question = await world.question(action)

    verdict = await world.answer(
        action, ConsentAnswer(question.state, accepted=True, content={"typed": " Ola  Nordmann "})
    )

    assert verdict is Consent.FORM_TYPED


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"decision": ""},
        {"decision": True},
        {"decision": "DELETE"},
        {"typed": "delete"},
        {"decision": ["delete"]},
    ],
)
async def test_an_accepted_form_without_the_word_is_no_yes(content: dict[str, Any] | None) -> None:
    """A host that accepts forms by itself has not asked anybody."""
    world = World()
    question = await world.question(world.action())

    with pytest.raises(NotConfirmed):
        await world.answer(world.action(), ConsentAnswer(question.state, accepted=True, content=content))


@pytest.mark.parametrize("typed", ["", "ola nordmann", "Ola", "delete", None, 1, "Ola Nordmann!"])
async def test_an_erasure_refuses_any_other_name(typed: Any) -> None:
    """Only the very name erases."""
    world = World()
    action = world.action(Risk.ERASE)
    question = await world.question(action)

    with pytest.raises(NotConfirmed):
        await world.answer(action, ConsentAnswer(question.state, accepted=True, content={"typed": typed}))


async def test_a_person_who_declines_is_final() -> None:
    """A declined question cannot be answered again, not even with yes."""
    world = World()
    question = await world.question(world.action())

    with pytest.raises(Refused, match="decided against"):
        await world.answer(
            world.action(), ConsentAnswer(question.state, accepted=False, content={"decision": "delete"})
        )
    with pytest.raises(NotConfirmed):
        await world.answer(world.action(), yes(question.state))


async def test_an_answer_works_once() -> None:
    """A replayed answer does nothing."""
    world = World()
    question = await world.question(world.action())
    await world.answer(world.action(), yes(question.state))

    with pytest.raises(NotConfirmed, match="used before"):
        await world.answer(world.action(), yes(question.state))


async def test_an_answer_comes_too_late_after_ten_minutes() -> None:
    """Consent is for now."""
    world = World()
    question = await world.question(world.action())
    world.clock.now += 600

    with pytest.raises(NotConfirmed, match="too late"):
        await world.answer(world.action(), yes(question.state))


async def test_a_target_that_changed_is_asked_about_again() -> None:
    """Consent was to what the person saw."""
    world = World()
    question = await world.question(world.action())
    world.target = replace(OLA, fingerprint="b")

    with pytest.raises(NotConfirmed, match="changed"):
        await world.answer(world.action(), yes(question.state))


@pytest.mark.parametrize(
    "changes",
    [
        {"tool": "delete_contact_group"},
        {"arguments": {"contact_id": "2"}},
        {"arguments": {"contact_id": "1", "extra": None}},
        {"principal": "somebody else"},
    ],
    ids=["tool", "target", "widened", "caller"],
)
async def test_an_answer_belongs_to_its_own_deed(changes: dict[str, Any]) -> None:
    """An answer cannot be carried to another tool, other arguments or another caller."""
    world = World()
    question = await world.question(world.action())

    with pytest.raises(NotConfirmed, match="another question"):
        await world.answer(world.action(**changes), yes(question.state))


async def test_the_order_of_arguments_does_not_count() -> None:
    """The same arguments in another order are the same action."""
    world = World()
    question = await world.question(world.action(arguments={"a": 1, "b": 2}))

    assert await world.answer(world.action(arguments={"b": 2, "a": 1}), yes(question.state)) is Consent.FORM


@pytest.mark.parametrize("state", [None, "", "yes", "v1.AAAA", "v1." + "A" * 200])
async def test_invented_state_is_no_answer(state: str | None) -> None:
    """Nobody but the server can make state."""
    world = World()

    with pytest.raises(NotConfirmed):
        await world.answer(world.action(), ConsentAnswer(state, accepted=True, content={"decision": "delete"}))


async def test_state_of_another_process_is_no_answer() -> None:
    """Each process seals with a key of its own."""
    question = await World().question(World().action())
    other = World()

    with pytest.raises(NotConfirmed):
        await other.answer(other.action(), yes(question.state))


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"expires": "2099-01-01T00:00:00Z"}, {"nonce": ["1"]}, {"nonce": None}], ids=str
)
async def test_state_of_another_version_is_no_answer(change: dict[str, Any]) -> None:
    """Replicas of two versions share their keys while one takes over from the other."""
    world = World()
    world.guard = Guard(seal=Seal(600, ["k" * 32], world.clock))
    question = await world.question(world.action())
    codec = AESGCMRequestStateCodec(["k" * 32])
    other = codec.seal(json.dumps({**json.loads(codec.unseal(question.state)), **change}).encode())

    with pytest.raises(NotConfirmed, match="no open question"):
        await world.answer(world.action(), yes(other))
    assert await world.answer(world.action(), yes(question.state)) is Consent.FORM


@pytest.mark.parametrize("cut", [1, 10, -1])
async def test_truncated_state_is_no_answer(cut: int) -> None:
    """A seal is whole or broken."""
    world = World()
    question = await world.question(world.action())

    with pytest.raises(NotConfirmed):
        await world.answer(world.action(), yes(question.state[:-cut] if cut > 0 else question.state + "A"))


@pytest.mark.parametrize("risk", [Risk.DESTROY, Risk.ERASE])
async def test_a_host_that_cannot_ask_is_refused(risk: Risk) -> None:
    """Without a person there is no consent, and the refusal teaches no way round."""
    world = World()

    with pytest.raises(Refused) as refusal:
        await world.guard.decide(world.action(risk), None, can_ask=False)

    assert "nothing was changed" in str(refusal.value)
    for hint in ("token", "two-step", "CONTACTS_MCP", "mode", "confirm"):
        assert hint not in str(refusal.value)


@pytest.mark.parametrize("can_ask", [True, False])
async def test_blocked_tools_are_refused_even_with_an_answer(can_ask: bool) -> None:
    """`block` means never."""
    world = World(GuardMode.BLOCK)

    with pytest.raises(Refused, match="blocked"):
        await world.guard.decide(world.action(), None, can_ask=can_ask)
    with pytest.raises(Refused, match="blocked"):
        await world.answer(world.action(), yes("anything"))
    assert world.reads == 0


async def test_two_steps_preview_then_do_once() -> None:
    """A token from the preview lets the same call through once, recorded as not verified by a person."""
    world = World(GuardMode.TWO_STEP)
    token = await world.token(world.action())

    verdict = await world.answer(world.action(), ConsentAnswer(token, accepted=True, channel="token"))

    assert verdict is Consent.TWO_STEP
    with pytest.raises(NotConfirmed):
        await world.answer(world.action(), ConsentAnswer(token, accepted=True, channel="token"))


async def test_two_step_mode_still_asks_where_it_can() -> None:
    """A person's answer is worth more than a token."""
    world = World(GuardMode.TWO_STEP)

    assert isinstance(await world.guard.decide(world.action(), None, can_ask=True), Question)


async def test_the_state_of_a_question_is_no_token() -> None:
    """What a host was given to carry back cannot be used by the model as a token."""
    world = World(GuardMode.TWO_STEP)
    question = await world.question(world.action())

    with pytest.raises(NotConfirmed):
        await world.answer(world.action(), ConsentAnswer(question.state, accepted=True, channel="token"))


async def test_an_operator_can_guard_a_writing_tool() -> None:
    """A guarded write is asked about with what it would set, quoted; notes are only counted."""
    world = World(confirm=("update_contact",))
    action = world.action(
        Risk.WRITE, tool="update_contact", details={"email": 'a"b\n', "notes": "secret", "tags": ["x", "y"]}
    )

    question = await world.question(action)

    assert 'email: "a\'b"' in question.message
    assert "secret" not in question.message
    assert 'tags: "x", "y"' in question.message
    verdict = await world.answer(action, ConsentAnswer(question.state, accepted=True, content={"decision": "change"}))
    assert verdict is Consent.FORM


async def test_the_form_has_a_required_field_that_defaults_to_keep() -> None:
    """Whatever a host fills in by itself keeps the contact."""
    world = World()

    question = await world.question(world.action())

    assert question.form["required"] == ["decision"]
    assert question.form["properties"]["decision"]["enum"] == ["keep", "delete"]
    assert question.form["properties"]["decision"]["default"] == "keep"


async def test_the_question_names_the_target_and_what_happens_to_it() -> None:
    """A person can tell which Ola is meant."""
    world = World()

    question = await world.question(world.action(Risk.ERASE))

    assert 'person "Ola Nordmann" (id 1)' in question.message
    assert "It goes." in question.message
    assert "cannot be undone" in question.message
    assert question.form["required"] == ["typed"]


async def test_the_ledger_forgets_what_can_no_longer_be_replayed() -> None:
    """Memory is bounded by what is alive."""
    clock = Clock()
    ledger = MemoryNonceStore(clock)
    for number in range(100):
        assert await ledger.spend(str(number), clock.now + 10)
    clock.now += 11

    assert await ledger.spend("new", clock.now + 10)
    assert len(ledger._spent) == 1


async def test_keep_is_a_no_and_not_a_slip() -> None:
    """Whoever chooses to keep the contact is not asked for a better answer."""
    world = World()
    question = await world.question(world.action())

    with pytest.raises(Refused, match="decided against it") as refusal:
        await world.answer(world.action(), ConsentAnswer(question.state, accepted=True, content={"decision": "keep"}))

    assert not isinstance(refusal.value, NotConfirmed)


async def test_an_answer_needs_a_host_that_can_ask() -> None:
    """State that one host was given is worth nothing to another, which could not have asked."""
    world = World()
    question = await world.question(world.action())

    with pytest.raises(Refused, match="cannot ask"):
        await world.guard.decide(world.action(), yes(question.state), can_ask=False)


async def test_a_write_too_large_to_be_judged_is_refused() -> None:
    """Nobody consents to what they cannot see."""
    world = World(confirm=("add_group_members",))
    action = world.action(Risk.WRITE, tool="add_group_members", details={"contact_ids": ["x" * 36] * 100})

    with pytest.raises(Refused, match="more than a person can be shown"):
        await world.guard.decide(action, None, can_ask=True)


async def test_hidden_characters_in_a_guarded_write_are_pointed_out() -> None:
    """What is stripped from the question would still be stored."""
    world = World(confirm=("update_contact",))
    action = world.action(Risk.WRITE, tool="update_contact", details={"name": "Ola\u200b\U000e0041"})

    assert 'name: "Ola" [+2 hidden characters]' in (await world.question(action)).message


async def test_a_preview_does_not_ask_for_typing() -> None:
    """Two-step mode has no form to type into."""
    world = World(GuardMode.TWO_STEP)

    verdict = await world.guard.decide(world.action(Risk.ERASE), None, can_ask=False)

    assert isinstance(verdict, Preview)
    assert "cannot be undone" in verdict.message
    assert "type" not in verdict.message
