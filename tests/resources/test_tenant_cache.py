"""The cache of one value per tenant."""

import anyio
import pytest

from contacts_mcp.resources._completions import TenantCache


class Loader:
    """Counts its loads, and waits until it may answer."""

    def __init__(self) -> None:
        self.loaded = 0
        self.may_answer = anyio.Event()
        self.may_answer.set()

    async def __call__(self) -> int:
        await self.may_answer.wait()
        self.loaded += 1
        return self.loaded


async def test_value_is_loaded_again_after_its_ttl():
    now, loader = [0.0], Loader()
    recent: TenantCache[int] = TenantCache(60.0, clock=lambda: now[0])

    seen = []
    for now[0] in (0.0, 59.9, 60.0, 61.0):
        seen.append(await recent.get("ada", loader))

    assert seen == [1, 1, 2, 2]


async def test_least_recently_used_tenant_is_evicted():
    loader = Loader()
    recent: TenantCache[int] = TenantCache(60.0, max_tenants=2)

    seen = [await recent.get(tenant, loader) for tenant in ("ada", "bob", "ada", "cleo", "ada", "bob")]

    assert seen == [1, 2, 1, 3, 1, 4]


async def test_concurrent_callers_share_one_load():
    """A host may ask at each keystroke."""
    loader, seen = Loader(), []
    loader.may_answer = anyio.Event()
    recent: TenantCache[int] = TenantCache(60.0)

    async def ask() -> None:
        seen.append(await recent.get("ada", loader))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        loader.may_answer.set()

    assert seen == [1] * 5


async def test_failed_load_is_not_cached():
    recent: TenantCache[int] = TenantCache(60.0)

    async def fail() -> int:
        raise ValueError

    with pytest.raises(ValueError):
        await recent.get("ada", fail)

    assert await recent.get("ada", Loader()) == 1
