"""A scene on a new directory, and the pages of this computer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from approval_page.scenes import LoopbackScene, Scene, scene_in
from support.hosts import enter_in_one_task


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with enter_in_one_task(scene_in(tmp_path / "contacts.db", confirm=("update_contact",))) as made:
        yield made


@pytest.fixture
def pages(scene: Scene) -> LoopbackScene:
    return LoopbackScene(scene)
