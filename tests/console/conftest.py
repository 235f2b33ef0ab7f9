"""A computer on which the console runs, in a new home folder."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from console.pages import Computer, running
from support.hosts import enter_in_one_task

Start = Callable[..., Awaitable[Computer]]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start the console with these settings."""
    async with AsyncExitStack() as stack:

        async def begin(**settings: Any) -> Computer:
            made = Computer(tmp_path, **settings)
            await stack.enter_async_context(enter_in_one_task(running(made.app)))
            return made

        yield begin


@pytest.fixture
async def computer(start: Start) -> Computer:
    return await start()
