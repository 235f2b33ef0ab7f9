"""Approvals: what a stored decision is bound to, and that nobody without the server's key can make one."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.contract import Risk
from contacts_mcp.guard import (
    Approval,
    Approvals,
    ApprovalStore,
    ApprovalStoreUnavailable,
    Consent,
    Decision,
    Declined,
    FileApprovalStore,
    Guard,
    GuardedCall,
    MemoryApprovalStore,
    NotConfirmed,
    Refused,
    Seal,
    Target,
)
from contacts_mcp.private_folder import PrivateFolder
from support.clock import Clock

OLA = Target('person "Ola Nordmann" (id 1)', "It goes.", fingerprint="a")
KEY = "k" * 64


class Desk:
    """Approvals in a store, a guard that uses them, and one target."""

    def __init__(self, store: ApprovalStore | None = None, key: str = KEY) -> None:
        self.clock = Clock()
        self.store = store or MemoryApprovalStore(self.clock)
        seal = Seal(600, [key], self.clock)
        self.approvals = Approvals(self.store, seal)
        self.guard = Guard(seal=seal, approvals=self.approvals)
        self.target = OLA

    async def read(self) -> Target:
        return self.target

    def call(self, **changes: Any) -> GuardedCall:
        call = GuardedCall("delete_contact", Risk.DESTROY, {"contact_id": "1"}, "local", self.read)
        return replace(call, **changes)

    async def request(self, call: GuardedCall | None = None, directory: str = "") -> Approval:
        return await self.approvals.request(
            call or self.call(), self.target, directory=directory, asked_by="a host 1", lifetime_seconds=600
        )

    async def decide(self, approval: Approval, *, yes: bool = True) -> bool:
        return await self.approvals.decide(approval, Decision(approval.id, yes, Consent.PAGE, "", self.clock()))

    async def use(self, call: GuardedCall | None = None) -> Consent:
        """Run the guard's check on the decision for a call, as the server does."""
        call = call or self.call()
        approval = await self.approvals.find(call, "")
        assert approval
        decision = await self.approvals.decision_on(approval)
        assert decision
        return await self.guard.confirm(call, approval, decision)


@pytest.fixture(params=["memory", "folder"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(
        FileApprovalStore(PrivateFolder(tmp_path / "approvals"), Clock()) if request.param == "folder" else None
    )


async def test_approved_call_may_run_once(desk: Desk) -> None:
    approval = await desk.request()
    await desk.decide(approval)

    assert await desk.use() is Consent.PAGE
    assert await desk.approvals.find(desk.call(), "") is None
    with pytest.raises(NotConfirmed, match="used before"):
        await desk.guard.confirm(desk.call(), approval, Decision(approval.id, True, Consent.PAGE, "", 0))


async def test_declined_call_is_refused_and_the_next_one_asks_again(desk: Desk) -> None:
    await desk.decide(await desk.request(), yes=False)

    with pytest.raises(Declined, match="the person declined"):
        await desk.use()
    assert await desk.approvals.find(desk.call(), "") is None


async def test_only_the_first_of_many_decisions_counts(desk: Desk) -> None:
    approval = await desk.request()

    stored = await asyncio.gather(*(desk.decide(approval, yes=bool(number % 2)) for number in range(200)))

    assert sum(stored) == 1
    decision = await desk.approvals.decision_on(approval)
    assert decision
    assert decision.is_approved == bool(stored.index(True) % 2)


async def test_only_the_first_of_many_uses_counts(desk: Desk) -> None:
    approval = await desk.request()

    assert sum(await asyncio.gather(*(desk.approvals.use(approval) for _ in range(200)))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"tool": "gdpr_delete_contact"},
        {"arguments": {"contact_id": "2"}},
        {"arguments": {"contact_id": "1", "reason": ""}},
        {"principal": "another"},
    ],
    ids=["tool", "target", "one more argument", "caller"],
)
async def test_approval_is_not_found_for_another_call(desk: Desk, changes: dict[str, Any]) -> None:
    approval = await desk.request()
    await desk.decide(approval)
    other = desk.call(**changes)

    assert await desk.approvals.find(other, "") is None
    with pytest.raises(NotConfirmed, match="belongs to another question"):
        await desk.guard.confirm(other, approval, Decision(approval.id, True, Consent.PAGE, "", 0))


async def test_approval_of_another_directory_is_not_found(desk: Desk) -> None:
    """Callers with keys of their own have a directory each."""
    approval = await desk.request(directory="key a")

    assert await desk.approvals.find(desk.call(), "key b") is None
    assert await desk.approvals.get("key b", approval.id) is None
    assert await desk.approvals.pending("key b") == []


async def test_changed_target_is_not_confirmed(desk: Desk) -> None:
    await desk.decide(await desk.request())
    desk.target = replace(OLA, fingerprint="b")

    with pytest.raises(NotConfirmed, match="changed after the question"):
        await desk.use()


async def test_approval_expires_decided_or_not(desk: Desk) -> None:
    undecided, decided = await desk.request(), await desk.request(desk.call(arguments={"contact_id": "2"}))
    await desk.decide(decided)
    desk.clock.now += 600

    assert await desk.approvals.pending("") == []
    assert await desk.approvals.find(desk.call(arguments={"contact_id": "2"}), "") is None
    assert not await desk.decide(undecided)


async def test_second_request_of_the_same_call_voids_the_first(desk: Desk) -> None:
    first = await desk.request()
    second = await desk.request()

    assert await desk.approvals.pending("") == [second]
    assert not await desk.decide(first)


async def test_arguments_that_are_too_large_are_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="too large to wait for a person"):
        await desk.request(desk.call(arguments={"content": "x" * 300_000}))


async def test_waiting_call_sees_a_decision_of_another_process(tmp_path: Path) -> None:
    """Both share the folder and the key."""
    here, there = (Desk(FileApprovalStore(PrivateFolder(tmp_path / "approvals"), Clock())) for _ in range(2))
    approval = await here.request()
    waiting = asyncio.create_task(here.approvals.wait_for_decision(approval, 30))
    (seen,) = await there.approvals.pending("")
    await there.decide(seen)

    decision = await waiting
    assert decision
    assert decision.is_approved


async def test_call_that_waits_in_vain_gets_no_decision(desk: Desk) -> None:
    assert await desk.approvals.wait_for_decision(await desk.request(), 0.05) is None


FORGERIES: dict[str, Callable[[str, str], str]] = {
    "nothing": lambda _own, _key: "",
    "plain JSON": lambda _own, _key: '["x", "{}"]',
    "a record of another call": lambda own, _key: own,
    "a record with another key": lambda _own, other: other,
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_forged_decision_counts_as_none(forgery: str) -> None:
    """Somebody who can write to the store, but has no key, puts records there."""
    store = MemoryApprovalStore(Clock())
    desk, stranger = Desk(store), Desk(store, key="s" * 64)
    approved = await desk.request(desk.call(arguments={"contact_id": "2"}))
    await desk.decide(approved)
    target = await desk.request()
    own = await store.read(f"{approved.record_name}-decision")
    assert own
    yes = Decision(target.id, True, Consent.PAGE, "", desk.clock())
    await stranger.approvals.decide(target, yes)
    sealed_by_stranger = store._records.pop(f"{target.record_name}-decision")[0]

    await store.create(f"{target.record_name}-decision", FORGERIES[forgery](own, sealed_by_stranger), 2e9)

    assert await desk.approvals.decision_on(target) is None


async def test_stored_records_show_nothing_of_the_call(tmp_path: Path) -> None:
    desk = Desk(FileApprovalStore(PrivateFolder(tmp_path / "approvals"), Clock()))
    call = desk.call(arguments={"contact_id": "1", "reason": "Ola asked"})
    await desk.decide(await desk.request(call))
    stored = b"".join(path.read_bytes() for path in (tmp_path / "approvals").iterdir())

    assert stored
    assert not any(word in stored for word in (b"Ola", b"delete_contact", b"contact_id", b"local"))


async def test_folder_that_cannot_be_read_is_an_error_and_no_decision(tmp_path: Path) -> None:
    folder = tmp_path / "approvals"
    desk = Desk(FileApprovalStore(PrivateFolder(folder), Clock()))
    approval = await desk.request()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("not a folder")

    with pytest.raises(ApprovalStoreUnavailable):
        await desk.decide(approval)


def test_sealed_record_counts_only_under_its_own_name() -> None:
    seal = Seal(600, [KEY])
    sealed = seal.encrypt("a", b"content")

    assert seal.decrypt("a", sealed) == "content"
    assert seal.decrypt("b", sealed) is None
