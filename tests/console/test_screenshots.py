"""The pictures of the console in the documentation. UPDATE_README=1 takes them again."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from console.shown import PICTURED, window_with_people
from doc_parts import DOCS, README, UPDATE
from support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.async_api import Page

IMAGES = DOCS / "images"
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
WIDTH, HEIGHT = 880, 480
HEIGHTS = {"plan": 600, "card": 440, "receipt": 480}
"""The heights of windows whose view needs another one, in pixels."""
_SCALE = 2
_FLAGS = [f"--force-device-scale-factor={_SCALE}"]
"""A frame without an origin has its own process, which does not follow what playwright sets for the page."""
_MAX_TOTAL_BYTES = 3_000_000


async def assert_fits(window: "Page", name: str) -> None:
    """Neither the page nor the view in its frame is wider than its window."""
    for frame in window.frames:
        width = await frame.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], f"{name}: {frame.url} is {width[0]} px wide"


@pytest.mark.system
@needs_chromium
async def test_pictures_are_there_and_views_fit_into_the_window(tmp_path: Path) -> None:
    messages: list[str] = []
    options = {"device_scale_factor": _SCALE, "reduced_motion": "reduce"}
    async with window_with_people(tmp_path / "home", messages, flags=_FLAGS, **options) as window:
        for name, show in PICTURED.items():
            await window.set_viewport_size({"width": WIDTH, "height": HEIGHTS.get(name, HEIGHT)})
            await show(window)
            await window.get_by_label("2 waiting").wait_for()
            await assert_fits(window, name)
            assert messages == [], name
            for scheme in SCHEMES:
                path = IMAGES / f"console-{name}-{scheme}.png"
                if UPDATE:
                    await window.emulate_media(color_scheme=scheme)
                    path.write_bytes(await window.screenshot(animations="disabled", caret="hide"))
                assert path.exists(), f"UPDATE_README=1 takes {path.name}"


def test_every_picture_is_in_the_documentation() -> None:
    pages = [README, DOCS / "console.md", DOCS / "guard.md"]
    shown = {name for page in pages for name in re.findall(r"images/(console-[a-z]+-[a-z]+\.png)", page.read_text())}

    assert shown == {path.name for path in IMAGES.glob("console-*.png")}
    assert len(shown) == len(PICTURED) * len(SCHEMES)


def test_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.glob("console-*.png")) < _MAX_TOTAL_BYTES
