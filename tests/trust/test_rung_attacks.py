"""Attacks on decisions that are made in a terminal, on the server's page after a login, or by an approver."""

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response

from contacts_mcp.approval_page import Deciding, Sessions
from contacts_mcp.approval_page._sessions import _dump
from contacts_mcp.contract import ContactsError, PermissionDenied
from contacts_mcp.guard import Approval, Approvals, Consent, Decision, FileApprovalStore, NotConfirmed, Rung, Seal
from contacts_mcp.private_folder import PrivateFolder
from contacts_mcp.server import LOCAL_CALLER, ApprovalDesk, Caller, OutdatedApproval
from contacts_mcp.tools import TOOLS
from support.host_profiles import URLS, Forms, Profile, Scene, Will, reason_of, scene_in
from support.hosts import LEGACY, MODERN

YES = {"decision": "delete"}
MANY = 100


@dataclass(frozen=True)
class Way:
    """A way to reach a person, who the person is, and the host of the model."""

    rung: Rung
    consent: Consent
    person: Caller
    host: Profile

    def __str__(self) -> str:
        return self.rung.value


FORMLESS = Profile("a host without forms", LEGACY, {}, Forms.NONE)
WAYS = (
    Way(Rung.TERMINAL, Consent.TERMINAL, LOCAL_CALLER, FORMLESS),
    Way(Rung.URL, Consent.URL, LOCAL_CALLER, Profile("a host that opens addresses", MODERN, URLS, Forms.NONE)),
    Way(Rung.APPROVER, Consent.APPROVER, Caller("key:approver", may_approve=True), FORMLESS),
)
each_way = pytest.mark.parametrize("way", WAYS, ids=str)


@asynccontextmanager
async def asked(path: Path, way: Way, folder: Path | None = None) -> AsyncIterator[Scene]:
    """A model whose deletion waits for the person of this way, which is the only one that the operator allows."""
    async with scene_in(path / "contacts.db", way.host, Will.NOTHING) as scene:
        if folder:
            scene.use_store(FileApprovalStore(PrivateFolder(folder), scene.clock))
        object.__setattr__(scene.ways, "rungs", (way.rung,))
        scene.remove_browser("https://contacts.example.com/approvals/" if way.rung is Rung.URL else "")
        await scene.delete(max_calls=1)
        yield scene


async def waiting(scene: Scene, way: Way) -> Approval:
    (approval,) = await scene.desk.list_pending(way.person, of_all=way.person.may_approve)
    return approval


async def agree(scene: Scene, way: Way, consent: Consent | None = None) -> Decision:
    """Let the person of this way agree."""
    question = await scene.desk.open(way.person, await waiting(scene, way))
    return await scene.desk.approve(way.person, question, YES, consent or way.consent, way.person.principal)


@each_way
async def test_yes_of_the_right_person_is_one_deletion_in_any_number_of_calls(tmp_path: Path, way: Way) -> None:
    async with asked(tmp_path, way) as scene:
        await agree(scene, way)
        await asyncio.gather(*(scene.call("delete_contact", contact_id=scene.contact_id) for _ in range(MANY)))
        done = [record for record in scene.trail if record["outcome"] == "done"]

    assert [(record["consent"], record["approver"]) for record in done] == [(way.consent, way.person.principal)]


@each_way
async def test_many_decisions_at_once_are_one(tmp_path: Path, way: Way) -> None:
    async with asked(tmp_path, way) as scene:
        approval = await waiting(scene, way)
        question = await scene.desk.open(way.person, approval)

        async def decide(number: int) -> bool:
            try:
                if number % 2:
                    await scene.desk.approve(way.person, question, YES, way.consent, "")
                else:
                    await scene.desk.keep(approval, way.consent, "")
            except ContactsError:
                return False
            return True

        stored = await asyncio.gather(*(decide(number) for number in range(MANY)))
        is_deleted = (await scene.delete(max_calls=1)).is_deleted

    assert sum(stored) == 1
    assert is_deleted is bool(stored.index(True) % 2)


@each_way
async def test_forged_decision_is_none(tmp_path: Path, way: Way) -> None:
    """By a program that can write to the store but has no key: noise, its own seal, and a yes to another call."""
    folder = tmp_path / "approvals"
    async with asked(tmp_path, way, folder) as scene:
        kari = await scene.create_contact("Kari Nordmann")
        asked_for_ola = await waiting(scene, way)
        await scene.call("delete_contact", contact_id=kari)
        (other,) = [
            each
            for each in await scene.desk.list_pending(way.person, of_all=way.person.may_approve)
            if each.id != asked_for_ola.id
        ]
        question = await scene.desk.open(way.person, other)
        await scene.desk.approve(way.person, question, YES, way.consent, "")
        (agreed,) = folder.glob("*-decision")
        decision = folder / f"{asked_for_ola.record_name}-decision"
        stranger = Approvals(FileApprovalStore(PrivateFolder(folder), scene.clock), scene.seal_of_a_stranger())
        yes = {"approval": asked_for_ola.id, "is_approved": True, "consent": way.consent.value, "by": "", "chosen": []}

        for forge in (
            lambda: shutil.copy(agreed, decision),
            lambda: decision.write_bytes(secrets.token_bytes(300)),
            lambda: decision.write_text(json.dumps({**yes, "decided_at": scene.clock()})),
        ):
            forge()
            await scene.delete(max_calls=1)
            decision.unlink(missing_ok=True)
            assert await scene.has_contact()
        await stranger.decide(asked_for_ola, Decision(asked_for_ola.id, True, way.consent, "", scene.clock()))
        await scene.delete(max_calls=1)

        assert await scene.has_contact()


@each_way
@pytest.mark.parametrize(
    "stranger",
    [
        Caller("key:stranger"),
        Caller("key:stranger", named_directory="another tenant"),
        Caller("key:stranger", named_directory="another tenant", may_approve=True),
        Caller(LOCAL_CALLER.principal, named_directory="another tenant", may_approve=True),
    ],
    ids=["without the scope", "another tenant", "approver of another tenant", "same name in another tenant"],
)
async def test_wrong_caller_sees_and_decides_nothing(tmp_path: Path, way: Way, stranger: Caller) -> None:
    """Also one who knows the approval's id, or has got hold of the question."""
    async with asked(tmp_path, way) as scene:
        approval = await waiting(scene, way)
        question = await scene.desk.open(way.person, approval)

        assert await scene.desk.list_pending(stranger, of_all=False) == []
        assert await scene.desk.find(stranger, approval.id, of_all=False) is None
        if stranger.may_approve:
            assert await scene.desk.list_pending(stranger, of_all=True) == []
            assert await scene.desk.find(stranger, approval.id, of_all=True) is None
        else:
            with pytest.raises(PermissionDenied):
                await scene.desk.list_pending(stranger, of_all=True)
            with pytest.raises(PermissionDenied):
                await scene.desk.find(stranger, approval.id, of_all=True)
        for consent in Consent:
            with pytest.raises(PermissionDenied):
                await scene.desk.approve(stranger, question, YES, consent, "")
        await scene.delete(max_calls=1)

        assert await scene.has_contact()


@each_way
async def test_decision_after_the_time_is_none_and_one_in_time_is_not_used_later(tmp_path: Path, way: Way) -> None:
    async with asked(tmp_path, way) as scene:
        question = await scene.desk.open(way.person, await waiting(scene, way))
        scene.clock.now += 601
        with pytest.raises(OutdatedApproval):
            await scene.desk.approve(way.person, question, YES, way.consent, "")
        await scene.delete(max_calls=1)
        assert await scene.has_contact()

        await agree(scene, way)
        scene.clock.now += 601
        await scene.delete(max_calls=1)
        assert await scene.has_contact()


@each_way
async def test_yes_to_one_call_is_none_to_another(tmp_path: Path, way: Way) -> None:
    """To another contact, another tool, or the same call of another caller."""
    async with asked(tmp_path, way) as scene:
        kari = await scene.create_contact("Kari Nordmann")
        approval = await waiting(scene, way)
        question = await scene.desk.open(way.person, approval)
        decision = await agree(scene, way)
        await scene.call("delete_contact", contact_id=kari)
        await scene.call("gdpr_delete_contact", contact_id=scene.contact_id, reason="request")
        with pytest.raises(NotConfirmed, match="belongs to another question"):
            await scene.guard.confirm(replace(question.call, principal="key:stranger"), approval, decision)

        assert await scene.has_contact()
        assert await scene.has_contact(kari)


@each_way
async def test_decision_in_a_way_that_the_operator_does_not_allow_is_none(tmp_path: Path, way: Way) -> None:
    """A terminal has settings of its own, and says itself how a person was reached."""
    async with asked(tmp_path, way) as scene:
        for consent in set(Consent) - {way.consent, Consent.APPROVER}:
            await agree(scene, way, consent)
            outcome = await scene.delete(max_calls=1)

            assert "in a way that the operator of this server does not allow" in reason_of(outcome.answers[0])
            assert not outcome.is_deleted
            await scene.delete(max_calls=1)


@pytest.mark.parametrize("needs_other_person", [False, True])
async def test_approver_does_not_approve_their_own_call(tmp_path: Path, needs_other_person: bool) -> None:
    """With four eyes in no way at all; and where approvers are the only way, the page takes it for one of those."""
    way = WAYS[2]
    oneself = replace(LOCAL_CALLER, may_approve=True)
    async with asked(tmp_path, way) as scene:
        desk = ApprovalDesk(scene.guard, TOOLS, scene._backend, needs_other_person=needs_other_person)
        approval = await waiting(scene, way)
        question = await desk.open(oneself, approval)
        on_page = Deciding(Consent.URL, lambda caller: caller.principal, decides_own=False)
        assert on_page.consent_of(oneself, approval) is Consent.APPROVER

        for consent in list(Consent) if needs_other_person else [Consent.APPROVER]:
            with pytest.raises(PermissionDenied, match="another person than the caller has to decide"):
                await desk.approve(oneself, question, YES, consent, "")
        await scene.delete(max_calls=1)

        assert await scene.has_contact()


def with_cookie(header: str = "") -> HTTPConnection:
    headers = [(b"host", b"contacts.example.com"), (b"cookie", header.encode())]
    return HTTPConnection({"type": "http", "path": "/", "query_string": b"", "headers": headers, "scheme": "http"})


def test_cookie_that_is_no_session_of_this_server_opens_none() -> None:
    """Sealed with another key, changed, or another text that this server has sealed and given away."""
    seal, response, ola = Seal(600), Response(), Caller("key:ola")
    sessions = Sessions(seal)
    sessions.open(with_cookie(), ola, response)
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    name, _, value = cookie.partition("=")
    session = sessions.find(with_cookie(cookie))
    assert session
    approval = Approval("0" * 32, "delete_contact", {}, "a", "key:ola", "", "", 0.0, 1.0)
    content = _dump(replace(session, caller=replace(ola, may_approve=True)))

    for forged in (
        Seal(600).encrypt("contacts-approvals", content),
        seal.encrypt("contacts-login", content),
        seal.encrypt(approval.record_name, content),
        seal.seal("page", "delete_contact", "a", "b", "key:ola"),
        sessions.make_token(session, approval, content.decode()),
        content.decode().replace(" ", ""),
        value[:-4] + ("AAAA" if not value.endswith("AAAA") else "BBBB"),
        "",
    ):
        assert sessions.find(with_cookie(f"{name}={forged}")) is None
