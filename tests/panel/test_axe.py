"""Every view of the console with axe-core, in dark and light."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from console.shown import SHOWN, window_with_people
from support.chromium import needs_chromium
from support.node import MODULES, install, only_when_asked

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [needs_chromium, only_when_asked]

_SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


async def findings_of(window: "Page", script: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds in the page, and in its frame. They allow no script: the debugger runs it."""
    found = []
    for frame in window.frames:
        await frame.evaluate(script)
        # The heading of a page with a frame is in the frame.
        rules = {"page-has-heading-one": {"enabled": len(window.frames) == 1 or frame.parent_frame is not None}}
        result = await frame.evaluate("(rules) => axe.run({ iframes: false, rules })", rules)
        assert result["passes"]
        found += [(each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]]
    return found


async def test_views_have_no_findings(tmp_path: Path) -> None:
    """All rules of axe-core, with the view's frame."""
    install()
    script = (MODULES / "axe-core" / "axe.min.js").read_text()
    found = {}
    async with window_with_people(tmp_path / "home", [], reduced_motion="reduce") as window:
        for name, show in SHOWN.items():
            await show(window)
            for scheme in _SCHEMES:
                await window.emulate_media(color_scheme=scheme)
                if each := await findings_of(window, script):
                    found[name, scheme] = each

    assert found == {}
