"""One of two servers is killed in the middle of confirmations; its callers continue with the other."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from network.servers import TenantsApi, by_keys, contacts_api, key_of, over_directory, quick_folder, replicas
from support.processes import HttpServer, free_port, needs_redis, run_redis
from support.raw_hosts import Answer, Headers, ModernConnection, key

pytestmark = pytest.mark.system

CALLERS = 10
KILLED_AFTER = 0.15
"""A share of all confirmations; half of them reach the server that is killed."""
CREATES = "create_contact_group"
"""Guarded as well, because a group that was created twice is visible."""


@dataclass
class GuardedCall:
    """A deletion or a creation that a person confirms, and the answer that its caller got."""

    number: int
    headers: Headers
    arguments: dict[str, str] = field(default_factory=dict)
    question: Answer | None = None
    refusal: str = ""
    """Empty if the action was reported done."""
    tries: int = 0

    def __post_init__(self) -> None:
        self.name = f"Number {self.number}"
        self.tool, self.decision = (CREATES, "change") if self.number % 2 else ("delete_contact", "delete")


@dataclass(frozen=True)
class World:
    """Two servers with shared state, and the API behind them."""

    servers: Sequence[HttpServer]
    headers: Callable[[int], Headers]
    api: TenantsApi | None = None

    def caller(self, server: int, headers: Headers) -> ModernConnection:
        return ModernConnection(self.servers[server].port, headers)


@contextmanager
def over_one_directory() -> Iterator[World]:
    """Without an account: nonces are stored in the directory that both servers open."""
    with quick_folder() as folder:
        settings = over_directory(folder / "contacts.db", CONFIRM=CREATES)
        with replicas(folder, settings, settings) as servers:
            yield World(servers, lambda _: [])


@contextmanager
def over_the_platform() -> Iterator[World]:
    with quick_folder() as folder, contacts_api(folder) as api, free_port() as port, run_redis(port):
        settings = by_keys(api, CONFIRM=CREATES, REDIS_URL=f"redis://127.0.0.1:{port}/0")
        with replicas(folder, settings, settings) as servers:
            yield World(servers, lambda caller: key(key_of(f"tenant{caller}")), api)


@pytest.mark.parametrize(
    ("worlds", "confirmations"),
    [
        (over_one_directory, 40),
        pytest.param(over_one_directory, 200, marks=pytest.mark.load),
        pytest.param(over_the_platform, 200, marks=[pytest.mark.load, needs_redis]),
    ],
)
async def test_killed_server_repeats_nothing_and_reports_nothing_false(worlds, confirmations):
    """Each confirmed call is made at most once, and exactly once if its caller got an answer."""
    killed_after = int(confirmations * KILLED_AFTER)
    with worlds() as world:
        actions = [GuardedCall(number, world.headers(number % CALLERS)) for number in range(confirmations)]
        await asyncio.gather(*(ask(world, action) for action in actions))
        answers = itertools.count(1)
        await asyncio.gather(*(confirm(world, action, lambda: next(answers) == killed_after) for action in actions))

        there = await names_there(world)
        recorded = records_of_deletions(world)
        attempts = world.api.attempts("DELETE") if world.api else Counter({"": 1})

    assert sum(not action.refusal for action in actions) >= confirmations / 2 + killed_after
    assert any(action.tries > 1 for action in actions), "nothing was under way when the server was killed"
    for action in actions:
        assert there[action.name] in allowed(action), action
        assert not action.refusal or action.refusal.startswith("not_confirmed: the answer was used before"), (
            action.refusal
        )
    assert set(recorded.values()) == set(attempts.values()) == {1}


async def ask(world: World, action: GuardedCall) -> None:
    """The first round, at one server; the contact to delete is created first."""
    async with world.caller(action.number // 2 % 2, action.headers) as caller:
        if action.tool == CREATES:
            action.arguments = {"name": action.name}
        else:
            created = await caller.call("create_contact", name=action.name)
            action.arguments = {"contact_id": created.content["id"]}
        action.question = await caller.call(action.tool, **action.arguments)


async def confirm(world: World, action: GuardedCall, is_time: Callable[[], bool]) -> None:
    """The second round, at either server, and again at the other one if the first does not answer."""
    for server in (action.number // 4 % 2, 1):
        action.tries += 1
        try:
            async with world.caller(server, action.headers) as caller:
                answer = await caller.answer(action.question, action.tool, action.decision, **action.arguments)
        except (OSError, EOFError):
            continue
        action.refusal = answer.line if answer.result["isError"] else ""
        if server == 0 and is_time():
            world.servers[0].process.kill()
            world.servers[0].process.wait(10)
        return
    pytest.fail(f"no server answered: {action}")


async def names_there(world: World) -> Counter[str]:
    """Count the contacts and groups of each name, at the surviving server."""
    names: Counter[str] = Counter()
    for headers in {str(world.headers(caller)): world.headers(caller) for caller in range(CALLERS)}.values():
        async with world.caller(1, headers) as caller:
            contacts = (await caller.call("list_contacts", per_page=100)).content
            groups = (await caller.call("list_contact_groups", per_page=100)).content
        assert contacts["total"] == len(contacts["contacts"])
        names.update(record["name"] for record in [*contacts["contacts"], *groups["groups"]])
    return names


def records_of_deletions(world: World) -> Counter[str]:
    """Count the started deletions of each contact in the trails of both servers."""
    lines = [line for server in world.servers for line in server.trail]
    return Counter(line["contact_id"] for line in lines if line["outcome"] == "begun" and "contact_id" in line)


def allowed(action: GuardedCall) -> tuple[int, ...]:
    """The allowed numbers of records of its name: a refused action may have been done by the killed server."""
    if action.refusal:
        return (0, 1)
    return (1,) if action.tool == CREATES else (0,)
