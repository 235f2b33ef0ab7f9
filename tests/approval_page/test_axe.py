"""Every page with axe-core, in dark and light, wide and narrow."""

import pytest

from approval_page.shown import SHOWN, SIZES
from approval_page.windows import Desktop
from support.chromium import needs_chromium
from support.node import MODULES, install, only_when_asked

pytestmark = [needs_chromium, only_when_asked]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("name", SHOWN)
async def test_page_has_no_findings(here: Desktop, name: str, scheme: str) -> None:
    """All rules of axe-core, in a wide and in a narrow window."""
    install()
    window = await SHOWN[name](here)
    session = await here.browser.new_cdp_session(window)  # the page allows no script: the debugger runs it
    await session.send("Runtime.evaluate", {"expression": (MODULES / "axe-core" / "axe.min.js").read_text()})
    for width, height in SIZES.items():
        await window.set_viewport_size({"width": width, "height": height})
        run = {"expression": "axe.run()", "awaitPromise": True, "returnByValue": True}
        found = (await session.send("Runtime.evaluate", run))["result"]["value"]
        assert found["passes"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
