"""Two servers over one directory: a confirmation that one begins the other can finish, once."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from network.servers import STATE_KEYS, quick_folder, replica_here
from support.hosts import deleted
from support.raw_hosts import ModernConnection

OTHER_KEYS = STATE_KEYS[::-1]
MOMENTS = 20


@asynccontextmanager
async def two(folder, *keys, **settings):
    """Callers of two servers over one directory, each with its own state keys."""
    where = {"directory": folder / "contacts.db", **settings}
    async with (
        replica_here(folder, **where, state_keys=keys[0]) as one,
        replica_here(folder, **where, state_keys=keys[1]) as other,
        ModernConnection(one) as here,
        ModernConnection(other) as there,
    ):
        for caller in (here, there):  # one after the other: both import in threads, and share this process's warnings
            await caller.call("list_contacts", per_page=1)
        yield here, there


async def asked(caller, name="Ola Nordmann"):
    """A new contact, and the question about its deletion."""
    created = await caller.call("create_contact", name=name)
    ola = {"contact_id": created.content["id"]}
    return ola, await caller.call("delete_contact", **ola)


async def yes(caller, question, ola):
    return await caller.answer(question, "delete_contact", "delete", **ola)


async def is_there(caller, ola):
    return not (await caller.call("get_contact", **ola)).result["isError"]


@pytest.mark.parametrize(
    "keys",
    [([STATE_KEYS], [STATE_KEYS]), ([STATE_KEYS], [OTHER_KEYS, STATE_KEYS]), ([STATE_KEYS, STATE_KEYS], [STATE_KEYS])],
    ids=["the same key", "a new key before the old", "one key named twice"],
)
async def test_answer_is_accepted_by_another_replica_once(tmp_path, keys):
    """Replicas open each other's state with any of the shared keys."""
    async with two(tmp_path, *keys) as (here, there):
        ola, question = await asked(here)

        answer = await yes(there, question, ola)

        assert answer.content == deleted(ola["contact_id"], "Ola Nordmann")
        assert not await is_there(here, ola)
        for caller in (here, there):
            assert (await yes(caller, question, ola)).line.startswith("not_confirmed: the answer was used before")


async def test_replica_with_another_key_refuses_the_answer(tmp_path):
    """The server that asked still accepts it."""
    async with two(tmp_path, [STATE_KEYS], [OTHER_KEYS]) as (here, there):
        ola, question = await asked(here)

        refused = await yes(there, question, ola)

        assert refused.line.startswith("not_confirmed: the answer belongs to no open question")
        assert "nothing was changed" in refused.line
        assert await is_there(there, ola)
        assert (await yes(here, question, ola)).content == deleted(ola["contact_id"], "Ola Nordmann")


@pytest.mark.slow
async def test_removed_state_key_opens_no_answer(tmp_path):
    async with two(tmp_path, [OTHER_KEYS, STATE_KEYS], [OTHER_KEYS]) as (here, there):
        ola, question = await asked(here)
        assert (await yes(there, question, ola)).content == deleted(ola["contact_id"], "Ola Nordmann")

    async with two(tmp_path, [STATE_KEYS], [OTHER_KEYS]) as (here, there):
        ola, question = await asked(here)

        assert (await yes(there, question, ola)).line.startswith("not_confirmed: ")
        assert await is_there(there, ola)


@pytest.mark.slow
async def test_answer_sent_to_two_replicas_at_once_performs_one_call():
    with quick_folder() as folder:
        async with two(folder, [STATE_KEYS], [STATE_KEYS], confirm=["create_contact_group"]) as (here, there):
            for moment in range(MOMENTS):
                group = {"name": f"Group {moment}"}
                question = await here.call("create_contact_group", **group)

                answers = await asyncio.gather(
                    *(caller.answer(question, "create_contact_group", "change", **group) for caller in (here, there))
                )

                refused = [answer.line for answer in answers if answer.result["isError"]]
                assert len(refused) == 1
                assert refused[0].startswith("not_confirmed: the answer was used before")

            groups = (await there.call("list_contact_groups")).content["groups"]

    assert Counter(group["name"] for group in groups) == Counter(f"Group {moment}" for moment in range(MOMENTS))
