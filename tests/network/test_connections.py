"""Connections that several callers share, as behind a proxy, or that break in the middle of a call."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from network.servers import key_of, mark_of, server_of_tenants
from support.raw_hosts import HttpConnection, ModernConnection, key, raw_call

KEYS = [key_of(mark_of(number)) for number in range(3)]
ROUNDS = 10
BREAKS = 60


@asynccontextmanager
async def served_tenants():
    """A server whose callers bring their own keys, and the ids of ten contacts of each of them."""
    async with server_of_tenants() as (_, port):
        yield port, [await contacts_of(port, secret) for secret in KEYS]


async def contacts_of(port, secret):
    async with ModernConnection(port, key(secret)) as caller:
        names = [f"Somebody {number}" for number in range(10)]
        return [(await caller.call("create_contact", name=name)).content["id"] for name in names]


def reading(contact_id, secret):
    return raw_call("get_contact", f"X-API-Key: {secret}", contact_id=contact_id)


@pytest.mark.slow
async def test_callers_on_one_connection_are_kept_apart():
    """Each request uses its own key, not that of an earlier request on the connection."""
    async with served_tenants() as (port, contacts), HttpConnection(port) as shared:
        for turn in range(ROUNDS):
            for secret, own, others in zip(KEYS, contacts, contacts[1:] + contacts[:1], strict=True):
                assert (await shared.send(reading(own[turn], secret))).content["id"] == own[turn]
                assert (await shared.send(reading(others[turn], secret))).line.startswith("not_found: ")
                assert (await shared.send(reading(own[turn], secret + "x"))).status == 401

        at_once = b"".join(reading(own[0], secret) for secret, own in zip(KEYS, contacts, strict=True))
        found = [
            (await shared.send(at_once)).content["id"],
            *[(await shared.send(b"")).content["id"] for _ in KEYS[1:]],
        ]

    assert found == [own[0] for own in contacts]


@pytest.mark.slow
async def test_answer_of_an_aborted_call_is_not_delivered_to_the_next():
    async with served_tenants() as (port, contacts):
        for turn in range(BREAKS):
            secret, own = KEYS[turn % len(KEYS)], contacts[turn % len(KEYS)]
            async with HttpConnection(port) as broken:
                with_patience = asyncio.wait_for(broken.send(reading(own[turn % 10], secret)), turn * 0.0005)
                await asyncio.gather(with_patience, return_exceptions=True)

            async with HttpConnection(port) as whole:
                wanted = own[(turn + 1) % 10]
                assert (await whole.send(reading(wanted, secret))).content["id"] == wanted
