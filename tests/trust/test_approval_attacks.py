"""Attacks on approvals: many decisions at once, forged records, and a model that reads and guesses all it can."""

import asyncio
import json
import secrets
import shutil
from pathlib import Path

import pytest

from contacts_mcp.contract import ContactsError
from contacts_mcp.guard import Approvals, Consent, Decision, FileApprovalStore
from contacts_mcp.private_folder import PrivateFolder
from contacts_mcp.server import LOCAL_CALLER
from support.host_profiles import PROFILES, Forms, Profile, Scene, Will, scene_in
from support.hosts import LEGACY, each_era

FORMLESS = Profile("a host without forms", LEGACY, {}, Forms.NONE)
MANY = 1_000


@pytest.fixture
def folder(tmp_path: Path) -> PrivateFolder:
    return PrivateFolder(tmp_path / "approvals")


async def decisions_at_once(scene: Scene, number: int) -> list[bool]:
    """Decide so many times at once, every second time with a no; return which of them were stored."""
    (approval,) = await scene.desk.list_pending(LOCAL_CALLER, of_all=False)
    question = await scene.desk.open(LOCAL_CALLER, approval)

    async def decide(yes: bool) -> bool:
        try:
            if yes:
                await scene.desk.approve(LOCAL_CALLER, question, {"decision": "delete"}, Consent.PAGE, "")
            else:
                await scene.desk.keep(approval, Consent.PAGE, "")
        except ContactsError:
            return False
        return True

    return list(await asyncio.gather(*(decide(bool(each % 2)) for each in range(number))))


@pytest.mark.parametrize("store", ["memory", "folder"])
async def test_thousand_decisions_at_once_are_one_and_thousand_calls_one_deletion(
    tmp_path: Path, folder: PrivateFolder, store: str
) -> None:
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        if store == "folder":
            scene.use_store(FileApprovalStore(folder, scene.clock))
        await scene.delete(max_calls=1)
        stored = await decisions_at_once(scene, MANY)
        is_yes = bool(stored.index(True) % 2)
        calls = [scene.call("delete_contact", contact_id=scene.contact_id) for _ in range(50)]
        answers = await asyncio.gather(*calls)
        is_there = await scene.has_contact()
        done = [answer for answer in answers if (answer["result"].get("structuredContent") or {}).get("done")]

    assert sum(stored) == 1
    assert len(done) == is_yes
    assert is_there is not is_yes


async def test_thousand_calls_after_a_yes_are_one_deletion(tmp_path: Path) -> None:
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        await scene.delete(max_calls=1)
        await scene.decide(Will.YES)
        calls = [scene.call("delete_contact", contact_id=scene.contact_id) for _ in range(MANY)]
        await asyncio.gather(*calls)
        ends = [record["outcome"] for record in scene.trail if record.get("consent") == Consent.PAGE]

    assert ends.count("done") == 1


async def test_files_that_another_program_writes_decide_nothing(tmp_path: Path, folder: PrivateFolder) -> None:
    """It can write to the folder, but has no key: random bytes, its own seal, and decisions on other calls."""
    async with scene_in(tmp_path / "contacts.db", FORMLESS, Will.NOTHING) as scene:
        scene.use_store(FileApprovalStore(folder, scene.clock))
        other = await scene.create_contact("Kari Nordmann")
        await scene.call("delete_contact", contact_id=other)
        await scene.decide(Will.YES)
        (agreed,) = folder.path.glob("*-decision")
        await scene.delete(max_calls=1)
        (approval,) = await scene.desk.list_pending(LOCAL_CALLER, of_all=False)
        decision_file = folder.path / f"{approval.record_name}-decision"
        stranger = Approvals(FileApprovalStore(folder, scene.clock), scene.seal_of_a_stranger())
        yes = Decision(approval.id, True, Consent.PAGE, "", scene.clock())

        for forge in (
            lambda: shutil.copy(agreed, decision_file),
            lambda: decision_file.write_bytes(secrets.token_bytes(300)),
            lambda: decision_file.write_text(json.dumps({"approval": approval.id, "is_approved": True})),
        ):
            forge()
            await scene.delete(max_calls=1)
            assert await scene.has_contact()
            decision_file.unlink(missing_ok=True)
        await stranger.decide(approval, yes)
        await scene.delete(max_calls=1)

        assert await scene.has_contact()


@pytest.mark.parametrize("profile", PROFILES, ids=str)
async def test_model_reads_no_id_address_or_key_of_an_approval(tmp_path: Path, profile: Profile) -> None:
    """Whatever it reads, it cannot find the page or name the approval."""
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        answers = json.dumps((await scene.delete(max_calls=3)).answers)
        pending = await scene.desk.list_pending(LOCAL_CALLER, of_all=False)

    assert not [each.id for each in pending if each.id in answers]
    assert not any(word in answers for word in ("http", "127.0.0.1", "/approvals", "contacts-mcp approvals"))


@each_era
async def test_other_call_between_question_and_decision_does_not_inherit_it(tmp_path: Path, era: str) -> None:
    """The model asks about one contact, and calls for another one, or with another tool, when the person agrees."""
    profile = Profile("a host without forms", era, {}, Forms.NONE)
    async with scene_in(tmp_path / "contacts.db", profile, Will.NOTHING) as scene:
        kari = await scene.create_contact("Kari Nordmann")
        await scene.delete(max_calls=1)
        await scene.decide(Will.YES)
        await scene.call("delete_contact", contact_id=kari)
        await scene.call("gdpr_delete_contact", contact_id=scene.contact_id, reason="request")
        are_there = [await scene.has_contact(), await scene.has_contact(kari)]

    assert are_there == [True, True]
