"""The guard without a server: which calls proceed, are asked about, or are refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from mcp.server.request_state import AESGCMRequestStateCodec

from contacts_mcp.contract import Risk
from contacts_mcp.guard import (
    Consent,
    ConsentAnswer,
    Declined,
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
    ValueChange,
)
from support.clock import Clock

OLA = Target(label='person "Ola Nordmann" (id 1)', effect="It goes.", phrase="Ola Nordmann", fingerprint="a")


class World:
    """A guard and one target, which tests can change."""

    def __init__(self, mode: GuardMode = GuardMode.ASK, confirm: tuple[str, ...] = ()) -> None:
        self.clock = Clock()
        self.guard = Guard(mode, confirm, seal=Seal(600, clock=self.clock), nonce_store=MemoryNonceStore(self.clock))
        self.target = OLA
        self.reads = 0

    async def read(self) -> Target:
        self.reads += 1
        return self.target

    def call(self, risk: Risk = Risk.DESTROY, **changes: Any) -> GuardedCall:
        call = GuardedCall("delete_contact", risk, {"contact_id": "1"}, "local", self.read)
        return replace(call, **changes)

    async def ask(self, call: GuardedCall) -> Question:
        verdict = await self.guard.decide(call, None, can_ask=True)
        assert isinstance(verdict, Question)
        return verdict

    async def token(self, call: GuardedCall) -> str:
        verdict = await self.guard.decide(call, None, can_ask=False)
        assert isinstance(verdict, Preview)
        return verdict.token

    async def answer(self, call: GuardedCall, answer: ConsentAnswer) -> object:
        return await self.guard.decide(call, answer, can_ask=True)


def yes(state: str) -> ConsentAnswer:
    return ConsentAnswer(state, content={"decision": "delete"})


@pytest.mark.parametrize("risk", [Risk.READ, Risk.WRITE])
@pytest.mark.parametrize("mode", GuardMode)
async def test_reads_and_writes_need_no_consent_in_any_mode(risk, mode):
    """The target is not even read."""
    world = World(mode)

    verdict = await world.guard.decide(world.call(risk), None, can_ask=False)

    assert verdict is Consent.NONE_NEEDED
    assert world.reads == 0


async def test_deletion_runs_after_the_person_chose_delete():
    """The question is answered with `delete`, and the target did not change in between."""
    world = World()
    question = await world.ask(world.call())

    assert await world.answer(world.call(), yes(question.state)) is Consent.FORM


async def test_erasure_runs_after_the_person_typed_the_name():
    """Spaces around and within the name make no difference."""
    world = World()
    call = world.call(Risk.ERASE)
    question = await world.ask(call)

    verdict = await world.answer(call, ConsentAnswer(question.state, content={"typed": " Ola  Nordmann "}))

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
async def test_accepted_form_without_the_word_is_not_confirmed(content):
    """A host may accept forms by itself."""
    world = World()
    question = await world.ask(world.call())

    with pytest.raises(Declined):
        await world.answer(world.call(), ConsentAnswer(question.state, content=content))


@pytest.mark.parametrize("typed", ["", "ola nordmann", "Ola", "delete", None, 1, "Ola Nordmann!"])
async def test_erasure_with_another_name_is_not_confirmed(typed):
    """Case, punctuation and partial names count as another name."""
    world = World()
    call = world.call(Risk.ERASE)
    question = await world.ask(call)

    with pytest.raises(Declined):
        await world.answer(call, ConsentAnswer(question.state, content={"typed": typed}))


async def test_declined_question_cannot_be_answered_again():
    """Not even with yes."""
    world = World()
    question = await world.ask(world.call())

    with pytest.raises(Declined, match="the person declined"):
        await world.answer(world.call(), ConsentAnswer(question.state, "decline", {"decision": "delete"}))
    with pytest.raises(NotConfirmed):
        await world.answer(world.call(), yes(question.state))


async def test_answer_used_twice_is_not_confirmed():
    """A replayed answer changes nothing."""
    world = World()
    question = await world.ask(world.call())
    await world.answer(world.call(), yes(question.state))

    with pytest.raises(NotConfirmed, match="used before"):
        await world.answer(world.call(), yes(question.state))


async def test_answer_after_ten_minutes_is_not_confirmed():
    """A question expires."""
    world = World()
    question = await world.ask(world.call())
    world.clock.now += 600

    with pytest.raises(Declined, match="not answered in time"):
        await world.answer(world.call(), yes(question.state))


@pytest.mark.parametrize(
    ("reply", "reason"),
    [("cancel", "the question was closed without an answer"), ("none", "the question was not answered in time")],
)
async def test_unanswered_question_is_no_decision(reply, reason):
    """The person may ask for the call again, but the model does not repeat it by itself."""
    world = World()
    question = await world.ask(world.call())

    with pytest.raises(Declined, match=reason) as declined:
        await world.answer(world.call(), ConsentAnswer(question.state, reply))

    assert declined.value.advice == "nothing was changed; call again only if the person asks for it"


async def test_answer_about_a_changed_target_is_not_confirmed():
    """The person consented to the record as it was."""
    world = World()
    question = await world.ask(world.call())
    world.target = replace(OLA, fingerprint="b")

    with pytest.raises(NotConfirmed, match="changed"):
        await world.answer(world.call(), yes(question.state))


@pytest.mark.parametrize(
    "changes",
    [
        {"tool": "delete_contact_group"},
        {"arguments": {"contact_id": "2"}},
        {"arguments": {"contact_id": "1", "extra": None}},
        {"principal": "another caller"},
    ],
    ids=["tool", "target", "widened", "caller"],
)
async def test_answer_to_another_call_is_not_confirmed(changes):
    """It is bound to tool, arguments and caller."""
    world = World()
    question = await world.ask(world.call())

    with pytest.raises(NotConfirmed, match="another question"):
        await world.answer(world.call(**changes), yes(question.state))


async def test_answer_counts_for_the_same_arguments_in_another_order():
    """Key order does not change the call."""
    world = World()
    question = await world.ask(world.call(arguments={"a": 1, "b": 2}))

    assert await world.answer(world.call(arguments={"b": 2, "a": 1}), yes(question.state)) is Consent.FORM


@pytest.mark.parametrize("state", [None, "", "yes", "v1.AAAA", "v1." + "A" * 200])
async def test_invented_state_is_not_confirmed(state):
    """Only the server can seal state."""
    world = World()

    with pytest.raises(NotConfirmed):
        await world.answer(world.call(), ConsentAnswer(state, content={"decision": "delete"}))


async def test_state_of_another_process_is_not_confirmed():
    """Without configured keys each process seals with its own key."""
    question = await World().ask(World().call())
    other = World()

    with pytest.raises(NotConfirmed):
        await other.answer(other.call(), yes(question.state))


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"expires": "2099-01-01T00:00:00Z"}, {"nonce": ["1"]}, {"nonce": None}], ids=str
)
async def test_state_of_another_version_is_not_confirmed(change):
    """During an update, replicas of two versions share their keys."""
    world = World()
    world.guard = Guard(seal=Seal(600, ["k" * 32], world.clock))
    question = await world.ask(world.call())
    codec = AESGCMRequestStateCodec(["k" * 32])
    other = codec.seal(json.dumps({**json.loads(codec.unseal(question.state)), **change}).encode())

    with pytest.raises(NotConfirmed, match="no open question"):
        await world.answer(world.call(), yes(other))
    assert await world.answer(world.call(), yes(question.state)) is Consent.FORM


@pytest.mark.parametrize("cut", [1, 10, -1])
async def test_truncated_state_is_not_confirmed(cut):
    """The seal covers every character."""
    world = World()
    question = await world.ask(world.call())

    with pytest.raises(NotConfirmed):
        await world.answer(world.call(), yes(question.state[:-cut] if cut > 0 else question.state + "A"))


@pytest.mark.parametrize("risk", [Risk.DESTROY, Risk.ERASE])
async def test_host_that_cannot_ask_is_refused(risk):
    """The refusal does not say how to bypass the guard."""
    world = World()

    with pytest.raises(Refused) as refusal:
        await world.guard.decide(world.call(risk), None, can_ask=False)

    assert "nothing was changed" in str(refusal.value)
    for hint in ("token", "two-step", "CONTACTS_MCP", "mode", "confirm"):
        assert hint not in str(refusal.value)


@pytest.mark.parametrize("can_ask", [True, False])
async def test_blocked_tools_are_refused_even_with_an_answer(can_ask):
    """Mode `block` refuses every guarded call without reading the target."""
    world = World(GuardMode.BLOCK)

    with pytest.raises(Refused, match="blocked"):
        await world.guard.decide(world.call(), None, can_ask=can_ask)
    with pytest.raises(Refused, match="blocked"):
        await world.answer(world.call(), yes("anything"))
    assert world.reads == 0


async def test_two_step_token_allows_the_call_once():
    """The consent is recorded as not verified by a person."""
    world = World(GuardMode.TWO_STEP)
    token = await world.token(world.call())

    verdict = await world.answer(world.call(), ConsentAnswer(token, channel="token"))

    assert verdict is Consent.TWO_STEP
    with pytest.raises(NotConfirmed):
        await world.answer(world.call(), ConsentAnswer(token, channel="token"))


async def test_two_step_mode_asks_if_the_host_can_ask():
    """A person's answer is better evidence than a token."""
    world = World(GuardMode.TWO_STEP)

    assert isinstance(await world.guard.decide(world.call(), None, can_ask=True), Question)


async def test_state_of_a_question_is_not_a_token():
    """The model cannot use the state of a form as a token."""
    world = World(GuardMode.TWO_STEP)
    question = await world.ask(world.call())

    with pytest.raises(NotConfirmed):
        await world.answer(world.call(), ConsentAnswer(question.state, channel="token"))


async def test_guarded_write_is_asked_about_with_its_quoted_values():
    """The operator names the tool in `confirm`. Only the length of notes is shown."""
    world = World(confirm=("update_contact",))
    call = world.call(
        Risk.WRITE, tool="update_contact", details={"email": 'a"b\n', "notes": "secret", "tags": ["x", "y"]}
    )

    question = await world.ask(call)

    assert 'email: "a\'b"' in question.message
    assert "secret" not in question.message
    assert 'tags: "x", "y"' in question.message
    verdict = await world.answer(call, ConsentAnswer(question.state, content={"decision": "change"}))
    assert verdict is Consent.FORM


async def test_form_has_a_required_field_that_defaults_to_keep():
    """A host that fills in defaults by itself keeps the contact."""
    world = World()

    question = await world.ask(world.call())

    assert question.form["required"] == ["decision"]
    assert question.form["properties"]["decision"]["enum"] == ["keep", "delete"]
    assert question.form["properties"]["decision"]["default"] == "keep"


async def test_question_names_the_target_and_the_effect():
    """A person can tell which contact of that name it is."""
    world = World()

    question = await world.ask(world.call(Risk.ERASE))

    assert 'person "Ola Nordmann" (id 1)' in question.message
    assert "It goes." in question.message
    assert "cannot be undone" in question.message
    assert question.form["required"] == ["typed"]


async def test_nonce_store_forgets_expired_nonces():
    """Only unexpired nonces take memory."""
    clock = Clock()
    store = MemoryNonceStore(clock)
    for number in range(100):
        assert await store.spend(str(number), clock.now + 10)
    clock.now += 11

    assert await store.spend("new", clock.now + 10)
    assert len(store._used_nonces) == 1


async def test_choosing_keep_is_the_persons_no():
    """It is a decision, not an invalid form."""
    world = World()
    question = await world.ask(world.call())

    with pytest.raises(Declined, match="the person declined"):
        await world.answer(world.call(), ConsentAnswer(question.state, content={"decision": "keep"}))


async def test_form_answer_from_a_host_that_cannot_ask_is_refused():
    """Such a host cannot have shown the form."""
    world = World()
    question = await world.ask(world.call())

    with pytest.raises(Refused, match="cannot ask"):
        await world.guard.decide(world.call(), yes(question.state), can_ask=False)


async def test_guarded_write_too_long_to_show_is_refused():
    """A person cannot judge it."""
    world = World(confirm=("add_group_members",))
    call = world.call(Risk.WRITE, tool="add_group_members", details={"contact_ids": ["x" * 36] * 100})

    with pytest.raises(Refused, match="too long to show to a person"):
        await world.guard.decide(call, None, can_ask=True)


async def test_question_points_out_hidden_characters():
    """They are removed from the question but would be stored."""
    world = World(confirm=("update_contact",))
    call = world.call(Risk.WRITE, tool="update_contact", details={"name": "Ola\u200b\U000e0041"})

    assert 'name: "Ola" [+2 hidden characters]' in (await world.ask(call)).message


async def question_of(*changes):
    """What a person reads of changes."""
    world = World(confirm=("update_contact",))
    world.target = replace(world.target, changes=changes)
    return (await world.ask(world.call(Risk.WRITE, tool="update_contact"))).message


async def test_long_old_values_are_cut_and_do_not_prevent_an_update():
    """They are what somebody has stored; only what the call sets can be too long to show."""
    tags = ValueChange("tags", [f"{number:02}{'x' * 200}" for number in range(50)], ["new"])
    message = await question_of(ValueChange("name", "x" * 5_000, "Ola"), tags)

    assert f'name: "{"x" * 80}… [+4920 characters]" → "Ola"; tags: +"new", -"00' in message
    assert message.endswith(", and 40 more removed.")
    assert len(message) < 3_000


async def test_new_value_too_long_to_show_is_refused():
    with pytest.raises(Refused, match="too long to show to a person"):
        await question_of(ValueChange("name", "Ola", "x" * 2_000))


async def test_old_and_new_values_cannot_imitate_the_question():
    """They are quoted on one line, and hidden characters are counted on both sides."""
    message = await question_of(
        ValueChange("name", 'Ola" → "Kari\u200b', 'Kari"\nIt would change nothing\u202e.'),
        ValueChange("tags", ['a", +"b'], []),
    )

    assert (
        "It would change name: \"Ola' → 'Kari\" [+1 hidden characters] → "
        '"Kari\' It would change nothing." [+1 hidden characters]; tags: -"a\', +\'b".'
    ) in message


async def test_preview_does_not_ask_to_type():
    """Two-step mode has no form."""
    world = World(GuardMode.TWO_STEP)

    verdict = await world.guard.decide(world.call(Risk.ERASE), None, can_ask=False)

    assert isinstance(verdict, Preview)
    assert "cannot be undone" in verdict.message
    assert "type" not in verdict.message
