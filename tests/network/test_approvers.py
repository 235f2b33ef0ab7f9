"""Approvers: people who decide on the calls of others, by the scope of their key."""

from contextlib import asynccontextmanager
from functools import partial

import pytest

from contacts_mcp.app import choose_backend, open_reviewer
from contacts_mcp.contract import AuthenticationFailed, NotFound, PermissionDenied
from contacts_mcp.directory import Directory
from contacts_mcp.guard import Consent
from contacts_mcp.server import Caller, Ways
from contacts_mcp.settings import InvalidSettings, load_settings
from network.servers import STATE_KEYS, replica_here
from support.hosts import Host, deleted, host
from support.processes import ContactsService, free_port, make_keys, needs_redis, run_redis
from support.raw_hosts import ModernConnection, key

YES = {"decision": "delete"}
WAITING = "waiting for approval by a person who may give it; call again with the same arguments later"


def done(ola):
    """The answer of a deletion that an approver agreed to."""
    return deleted(ola["contact_id"], "Ola Nordmann")


@pytest.fixture(autouse=True)
def short_wait(monkeypatch):
    """A call waits a moment for a person instead of 45 seconds."""
    monkeypatch.setattr("contacts_mcp.app._server.Ways", partial(Ways, hold_seconds=0.05))


@pytest.fixture
def home(tmp_path):
    return tmp_path


def settings_of(home, **more):
    return {"directory": home / "contacts.db", "state_keys": [STATE_KEYS], "approval": ["approver"], **more}


@asynccontextmanager
async def agent(home, **more):
    """An agent without forms, at a server that opens a directory."""
    async with host(home / "contacts.db", **settings_of(home, **more)) as opened:
        yield opened


async def make_key(home, *scopes, tenant="owner") -> str:
    async with Directory(home / "contacts.db") as directory:
        return (await directory.create_key("a person", tenant, scopes))[0]


def reviewer(home, secret, **more):
    return open_reviewer(load_settings(**settings_of(home, api_key=secret, **more)), home)


async def waiting_deletion(model: Host) -> dict:
    """A contact whose deletion waits for an approver."""
    ola = await model.create()
    assert await model.declined("delete_contact", **ola) == WAITING
    return ola


async def test_approver_with_a_key_decides_and_the_repeated_call_runs_once(home):
    async with agent(home) as model:
        ola = await waiting_deletion(model)
        async with reviewer(home, await make_key(home, "read", "approve")) as person:
            (approval,) = await person.list_pending()
            decision = await person.approve(await person.open(approval), YES)

        assert (decision.consent, decision.by) == (Consent.APPROVER, person.viewer.principal)
        assert decision.by.startswith("key:")
        assert await model.call("delete_contact", **ola) == done(ola)
        assert not await model.has(ola)


async def test_refusal_of_an_approver_reaches_the_agent(home):
    async with agent(home) as model:
        ola = await waiting_deletion(model)
        async with reviewer(home, await make_key(home, "read", "approve")) as person:
            await person.keep((await person.list_pending())[0])

        assert (
            await model.declined("delete_contact", **ola)
            == "the person declined; nothing was changed; do not try again"
        )
        assert await model.has(ola)


async def test_approval_waits_for_the_time_that_the_operator_sets(home):
    async with agent(home, approval_ttl=3_600) as model:
        await waiting_deletion(model)
        async with reviewer(home, await make_key(home, "read", "approve")) as person:
            (approval,) = await person.list_pending()

    assert approval.expires - approval.asked_at == 3_600


@pytest.mark.parametrize("case", ["none", "read and write", "revoked", "another tenant", "made up"])
async def test_only_a_valid_key_with_the_scope_makes_an_approver(home, case):
    async with Directory(home / "contacts.db") as directory:
        secret, approver = await directory.create_key("a", "owner", ["read", "approve"])
        if case == "none":
            secret = None
        elif case == "read and write":
            secret, _ = await directory.create_key("b")
        elif case == "revoked":
            await directory.revoke_key(approver.prefix)
        elif case == "another tenant":
            secret, _ = await directory.create_key("c", "other", ["read", "approve"])
        else:
            secret = secret[:-1] + ("a" if secret[-1] != "a" else "b")

    with pytest.raises(InvalidSettings, match="an approver decides on these calls: set WAYSCLOUD_API_KEY"):
        async with reviewer(home, secret):
            pass


async def test_four_eyes_allow_only_an_approver_even_if_the_operator_names_other_ways(home):
    async with agent(home, approval=["form", "terminal"], four_eyes=True) as model:
        ola = await waiting_deletion(model)

        with pytest.raises(InvalidSettings, match="an approver decides"):
            async with reviewer(home, None, approval=["form", "terminal"], four_eyes=True):
                pass
        async with reviewer(home, await make_key(home, "read", "approve"), four_eyes=True) as person:
            await person.approve(await person.open((await person.list_pending())[0]), YES)

        assert await model.call("delete_contact", **ola) == done(ola)


async def test_user_of_this_computer_cannot_decide_on_the_calls_of_others(home):
    async with agent(home) as model:
        await waiting_deletion(model)
        async with reviewer(home, await make_key(home, "read", "approve")) as person:
            (approval,) = await person.list_pending()
            question = await person.open(approval)
            stranger = Caller("key:stranger")

            for attempt in (
                person.desk.list_pending(stranger, of_all=True),
                person.desk.find(stranger, approval.id, of_all=True),
                person.desk.approve(stranger, question, YES, Consent.APPROVER, "x"),
            ):
                with pytest.raises(PermissionDenied, match="only an approver"):
                    await attempt
            assert await person.desk.list_pending(stranger, of_all=False) == []


@pytest.fixture
def service(home):
    """A directory service over HTTP, a Redis, and the settings of servers that share both."""
    make_keys(home / "contacts.db", "owner")  # or the service does not start
    with free_port() as port, run_redis(port), ContactsService(home / "service", home / "contacts.db") as running:
        yield {
            "auth": "key",
            "api_url": running.url,
            "redis_url": f"redis://127.0.0.1:{port}/0",
            "state_keys": [STATE_KEYS],
            "approval": ["approver", "terminal"],
        }


@pytest.mark.system
@needs_redis
async def test_approver_of_the_same_tenant_decides_on_a_call_with_another_key(home, service):
    """Asked on one replica, decided with another key, run on the other replica; other tenants see nothing of it."""
    async with Directory(home / "contacts.db") as directory:
        keys = {
            name: (await directory.create_key(name, tenant, scopes))[0]
            for name, tenant, scopes in (
                ("agent", "acme", ["read", "write"]),
                ("colleague", "acme", ["read", "write"]),
                ("approver", "acme", ["read", "approve"]),
                ("other", "other", ["read", "approve"]),
            )
        }

    def person_with(name):
        return open_reviewer(load_settings(**service, api_key=keys[name]), home)

    async with (
        replica_here(home, **service) as one,
        replica_here(home, **service) as other,
        ModernConnection(one, key(keys["agent"]), capabilities={}) as here,
        ModernConnection(other, key(keys["agent"]), capabilities={}) as there,
    ):
        ola = {"contact_id": (await here.call("create_contact", name="Ola Nordmann")).content["id"]}
        assert (await here.call("delete_contact", **ola)).content["reason"] == WAITING
        for name in ("other", "colleague"):
            async with person_with(name) as person:
                assert await person.list_pending() == []
        async with person_with("approver") as person:
            (approval,) = await person.list_pending()
            await person.approve(await person.open(approval), YES)

        assert (await there.call("delete_contact", **ola)).content == done(ola)
        assert (await here.call("get_contact", **ola)).result["isError"]


@pytest.mark.system
@needs_redis
async def test_servers_over_stdio_with_keys_of_one_service_share_their_questions(home, service):
    """Each user's server has a key of its own; an approver of another tenant can neither see nor decide."""
    keys = {
        name: await make_key(home, *scopes, tenant=tenant)
        for name, tenant, *scopes in (
            ("agent", "acme", "read", "write"),
            ("approver", "acme", "read", "approve"),
            ("other", "other", "read", "approve"),
        )
    }

    def settings_with(name):
        return {**service, "auth": "none", "approval": ["approver"], "api_key": keys[name]}

    async with host(choose_backend(load_settings(**settings_with("agent")), home), **settings_with("agent")) as model:
        ola = await waiting_deletion(model)
        async with open_reviewer(load_settings(**settings_with("other")), home) as person:
            (approval,) = await person.list_pending()
            with pytest.raises(NotFound):
                await person.open(approval)
        async with open_reviewer(load_settings(**settings_with("approver")), home) as person:
            await person.approve(await person.open((await person.list_pending())[0]), YES)

        assert await model.call("delete_contact", **ola) == done(ola)


@pytest.mark.system
@needs_redis
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "set WAYSCLOUD_API_KEY to your own key"),
        ({"api_key": "wayscloud_contacts_aaaaaaaa_" + "x" * 40}, "authentication_failed"),
        ({"approval": ["approver"], "api_key": "own"}, "an approver decides on these calls"),
    ],
    ids=["no key", "wrong key", "no approver"],
)
async def test_person_without_the_right_key_is_told_what_is_missing(home, service, changes, expected):
    """In one line, not as a group of errors."""
    if changes.get("api_key") == "own":
        changes = {**changes, "api_key": await make_key(home, "read", "write")}

    with pytest.raises((InvalidSettings, AuthenticationFailed), match=expected):
        async with open_reviewer(load_settings(**{**service, **changes}), home):
            pass


@pytest.mark.system
@needs_redis
async def test_caller_decides_in_a_terminal_on_their_own_calls_with_their_own_key(home, service):
    secret = await make_key(home, "read", "write")
    async with (
        replica_here(home, **service) as port,
        ModernConnection(port, key(secret), capabilities={}) as model,
        open_reviewer(load_settings(**service, api_key=secret), home) as person,
    ):
        ola = {"contact_id": (await model.call("create_contact", name="Ola Nordmann")).content["id"]}
        await model.call("delete_contact", **ola)
        (approval,) = await person.list_pending()
        decision = await person.approve(await person.open(approval), YES)

        assert decision.consent is Consent.TERMINAL
        assert (await model.call("delete_contact", **ola)).content == done(ola)
