"""A scene on a new directory, and the pages of this computer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from approval_page.scenes import LoopbackScene, Scene, scene_in
from approval_page.windows import Desktop, desktop
from support.hosts import enter_in_one_task


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with enter_in_one_task(scene_in(tmp_path / "contacts.db", confirm=("update_contact",))) as made:
        yield made


@pytest.fixture
async def here(scene: Scene, request: pytest.FixtureRequest) -> AsyncIterator[Desktop]:
    """The person's computer, in dark or light if the test has a parameter `scheme`."""
    parameters = getattr(request.node, "callspec", None)
    scheme = parameters.params.get("scheme") if parameters else None
    async with enter_in_one_task(desktop(scene, color_scheme=scheme)) as made:
        yield made


@pytest.fixture
def pages(scene: Scene) -> LoopbackScene:
    return LoopbackScene(scene)
