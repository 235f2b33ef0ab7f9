"""The screenshots of the documentation. UPDATE_README=1 takes them again."""

import re
import time

import pytest

from approval_page.shown import PICTURED, SHOWN, SIZES
from approval_page.windows import Desktop
from doc_parts import DOCS, UPDATE
from support.chromium import needs_chromium

IMAGES = DOCS / "images"


@pytest.mark.system
@needs_chromium
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("name", PICTURED)
async def test_screenshots_are_there_and_pages_fit_into_the_windows(here: Desktop, name: str, scheme: str) -> None:
    here.scene.clock.now = time.time()
    window = await SHOWN[name](here)
    for width, height in SIZES.items():
        await window.set_viewport_size({"width": width, "height": height})
        assert await window.evaluate("document.documentElement.scrollWidth") == width
        picture = await window.screenshot(full_page=True)
        path = IMAGES / f"page-{name}-{scheme}-{width}.png"
        if UPDATE:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture)
        assert path.exists(), f"UPDATE_README=1 takes {path.name}"


def test_every_screenshot_is_in_the_documentation() -> None:
    shown = set(re.findall(r"images/(page-[a-z]+-[a-z]+-\d+\.png)", (DOCS / "guard.md").read_text()))

    assert shown == {path.name for path in IMAGES.glob("page-*.png")}
    assert len(shown) == len(PICTURED) * 2 * len(SIZES)
