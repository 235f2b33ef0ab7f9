"""Every view of the console with axe-core, in dark and light."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from console.shown import SHOWN, window_with_people
from support.chromium import needs_chromium
from support.node import MODULES, install, only_when_asked

if TYPE_CHECKING:
    from playwright.async_api import Frame

pytestmark = [needs_chromium, only_when_asked]

_SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


async def findings_of(frame: "Frame", script: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds in a page or in the frame of a view, which allow no script: the debugger runs it."""
    await frame.evaluate(script)
    found = await frame.evaluate("axe.run({ iframes: false })")
    assert found["passes"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]


async def test_views_have_no_findings(tmp_path: Path) -> None:
    """All rules of axe-core, in the page and in the view's frame."""
    install()
    script = (MODULES / "axe-core" / "axe.min.js").read_text()
    found = {}
    async with window_with_people(tmp_path / "home", [], reduced_motion="reduce") as window:
        for name, show in SHOWN.items():
            await show(window)
            for scheme in _SCHEMES:
                await window.emulate_media(color_scheme=scheme)
                for frame in window.frames:
                    if each := await findings_of(frame, script):
                        found[name, scheme, frame.parent_frame is not None] = each

    assert found == {}
