"""Callers with keys of their own on two workers: no caller sees another's data."""

import asyncio

import pytest

from network.servers import by_keys, contacts_api, key_of, mark_of, quick_folder, run_workers, server_of_tenants
from network.tenants import Team
from support.processes import block_until, processor_seconds
from support.raw_hosts import ModernConnection, key

CALLERS, CALLS = 50, 5_000


@pytest.mark.load
async def test_callers_on_two_workers_never_see_each_others_data():
    """Every answer, error, question, list and resource is searched for data of other callers."""
    with quick_folder() as folder, contacts_api(folder) as api, run_workers(folder, by_keys(api), 2) as server:
        block_until(lambda: len(server.workers()) == 2, "the two workers do not start")
        before = [processor_seconds(worker) for worker in server.workers()]
        tenants = Team(CALLERS, server.port).tenants
        await asyncio.gather(*(tenant.begin() for tenant in tenants))
        await asyncio.gather(*(tenant.work(CALLS // CALLERS) for tenant in tenants))
        await asyncio.gather(*(tenant.end() for tenant in tenants))

        worked = [processor_seconds(worker) - begun for worker, begun in zip(server.workers(), before, strict=True)]
        deleted = api.attempts("DELETE")
        written = server.written

    assert sum(tenant.calls for tenant in tenants) >= CALLS
    assert min(worked) > 0.05 * sum(worked), "one worker did it all"
    assert set(deleted.values()) == {1}
    assert "wayscloud_pat_" not in written
    assert not any(tenant.mark in written for tenant in tenants)


async def test_change_notifies_only_its_own_tenant():
    """A subscriber to another tenant's address gets nothing, but still gets its own changes."""
    async with (
        server_of_tenants() as (_, port),
        ModernConnection(port, key(key_of(mark_of(1)))) as listener,
        ModernConnection(port, key(key_of(mark_of(2)))) as neighbour,
        ModernConnection(port, key(key_of(mark_of(1)))) as changer,
    ):
        theirs = {"contact_id": (await neighbour.call("create_contact", name="Theirs")).content["id"]}
        mine = {"contact_id": (await changer.call("create_contact", name="Mine")).content["id"]}
        heard: asyncio.Queue[str] = asyncio.Queue()
        watched = [f"contacts://contacts/{contact['contact_id']}" for contact in (theirs, mine)]
        wanted = {"resourceSubscriptions": watched, "resourcesListChanged": True}
        listening = asyncio.create_task(listener.request("subscriptions/listen", heard.put, notifications=wanted))
        await asyncio.wait_for(heard.get(), 10)  # the acknowledgement of the subscription

        await neighbour.call("update_contact", **theirs, name="Changed")
        await neighbour.call("create_contact_group", name="Theirs")
        await changer.call("update_contact", **mine, name="Changed")
        notified = await asyncio.wait_for(heard.get(), 10)
        listening.cancel()
        await asyncio.wait({listening})

    assert watched[1] in notified
    assert heard.empty()
