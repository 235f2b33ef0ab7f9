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
    """What axe-core finds in the page and in its frame. They allow no script: the debugger runs it."""
    for frame in window.frames:
        await frame.evaluate(script)
        await frame.evaluate("axe.configure({ allowedOrigins: ['<unsafe_all_origins>'] })")
    found = await window.evaluate("axe.run({ pingWaitTime: 60000, frameWaitTime: 60000 })")
    assert "frame-tested" not in [each["id"] for each in found["incomplete"]]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]


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
