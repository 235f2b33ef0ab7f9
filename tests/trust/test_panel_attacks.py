"""Attacks on decisions in the panel: only its person has the secret, which counts once."""

import asyncio
from pathlib import Path

import pytest

from contacts_mcp.server._panel import ASK, DECIDE, QUESTION_META
from support.host_profiles import APPS, Forms, Profile, Will, scene_in
from support.hosts import MODERN, each_era
from support.raw_hosts import Message

pytestmark = pytest.mark.trust

_MANY = 1_000
_SECRETS = ("", "page", "null", "true", "delete", "services.wayscloud/question", "0" * 32)


@each_era
async def test_one_of_a_thousand_parallel_decisions_deletes(tmp_path: Path, era: str) -> None:
    profile = Profile("a host with a panel", era, APPS, Forms.NONE)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        call = {"tool": "delete_contact", "arguments": {"contact_id": scene.contact_id}}
        asked = await scene.host.call(ASK, call)
        secret = asked["result"]["_meta"][QUESTION_META]["secret"]
        decision = {**call, "secret": secret, "agree": True}
        answers = await asyncio.gather(*(scene.host.call(DECIDE, decision) for _ in range(_MANY)))

        assert not await scene.has_contact()
    assert sum(_is_done(answer) for answer in answers) == 1
    assert [record["outcome"] for record in scene.trail].count("done") == 1


@each_era
async def test_model_that_sees_no_meta_deletes_nothing(tmp_path: Path, era: str) -> None:
    """It calls the panel's tools with everything that it can read, guess or make itself."""
    profile = Profile("a host with a panel", era, APPS, Forms.NONE)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        call = {"tool": "delete_contact", "arguments": {"contact_id": scene.contact_id}}
        stranger = scene.seal_of_a_stranger()
        forged = stranger.seal("panel", "delete_contact", "x", "x", "local")
        for secret in (*_SECRETS, scene.contact_id, forged):
            asked = await scene.host.call(ASK, call)
            visible = str({**asked["result"], "_meta": None})
            assert asked["result"]["_meta"][QUESTION_META]["secret"] not in visible
            for agree in (True, False):
                answer = await scene.host.call(DECIDE, {**call, "secret": secret, "agree": agree})
                assert not _is_done(answer)

        assert await scene.has_contact()


async def test_decision_of_another_caller_is_none(tmp_path: Path) -> None:
    """The secret of one caller's question, in the hands of another."""
    profile = Profile("a host with a panel", MODERN, APPS, Forms.NONE)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        call = {"tool": "delete_contact", "arguments": {"contact_id": scene.contact_id}}
        secret = (await scene.host.call(ASK, call))["result"]["_meta"][QUESTION_META]["secret"]
        state = scene.guard._seal.unseal(secret)
        assert state
        other = scene.guard._seal.seal(state.channel, state.tool, state.arguments, state.target, "key:another")
        answer = await scene.host.call(DECIDE, {**call, "secret": other, "agree": True})

        assert answer["result"]["isError"]
        assert await scene.has_contact()


def _is_done(answer: Message) -> bool:
    return bool(answer["result"].get("structuredContent", {}).get("done"))
