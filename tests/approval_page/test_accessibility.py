"""Every page with axe-core, in dark and light, and the screenshots of the documentation.

UPDATE_README=1 takes the screenshots again.
"""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import pytest

from approval_page.scenes import Scene
from approval_page.windows import Desktop, desktop, press
from contacts_mcp.contract import UpdateContact
from doc_parts import DOCS, UPDATE
from support.chromium import needs_chromium
from support.hosts import enter_in_one_task
from support.node import MODULES, install, only_when_asked

pytestmark = [pytest.mark.system, needs_chromium]

IMAGES = DOCS / "images"
SIZES = {320: 640, 1280: 800}

each_scheme = pytest.mark.parametrize("scheme", ["dark", "light"])
Scheme = Literal["dark", "light"]
Show = Callable[[Desktop], Awaitable[Any]]


async def show_deletion(here: Desktop) -> Any:
    values = {"company_name": "Fjord AS", "email": "ola@fjord.example", "phone_number": "+4790000001"}
    return await here.open(await here.scene.ask_to_delete(**values))


async def show_erasure(here: Desktop) -> Any:
    """With related records, and the form after a wrong text was typed."""
    model, number = here.scene.model, "+4790000001"
    for name in ("O. Nordmann", "שלום עולם"):
        await model.call("create_contact", name=name, phone_number=number, allow_duplicate=True)
    ola = await model.call("create_contact", name="Ola Nordmann", phone_number=number, allow_duplicate=True)
    asked = await here.scene.ask("gdpr_delete_contact", contact_id=ola["id"], reason="request of 28 November")
    window = await here.open(asked)
    await window.get_by_label("To erase, type").fill("Ola")
    await press(window, "Erase permanently")
    return window


async def show_changes(here: Desktop) -> Any:
    """A bulk update, with old and new values."""
    model = here.scene.model
    for name, company in (("Ola Nordmann", "Fjord A/S"), ("Kari Moe", "Fjord"), ("Per Hansen", "")):
        await model.call("create_contact", name=name, company_name=company or None, tags=["fjord"])
    change = {"tags": ["fjord"], "set_company_name": "Fjord AS", "add_tags": ["customer"]}
    plan = await model.call("update_matching_contacts", **change)
    asked = await here.scene.ask("update_matching_contacts", **change, apply=True, plan=plan["plan"])
    return await here.open(asked)


async def show_values(here: Desktop) -> Any:
    ola = await here.scene.model.create()
    values = {"company_name": "Fjord AS", "tags": ["customer", "oslo"], "notes": "A note."}
    return await here.open(await here.scene.ask("update_contact", **ola, **values))


async def show_list(here: Desktop) -> Any:
    window = await here.open(await here.scene.ask_to_delete())
    await here.scene.ask_to_delete("Kari Moe")
    await window.goto(window.url.rpartition("/")[0] + "/")
    return window


async def show_approved(here: Desktop) -> Any:
    window = await show_deletion(here)
    await press(window, "Delete")
    return window


async def show_kept(here: Desktop) -> Any:
    window = await show_deletion(here)
    await press(window, "Keep")
    return window


async def show_outdated(here: Desktop) -> Any:
    approval = await here.scene.ask_to_delete()
    await here.scene.api.send(UpdateContact(contact_id=approval.arguments["contact_id"], name="Ola N."))
    return await here.open(approval)


SHOWN: dict[str, Show] = {
    "deletion": show_deletion,
    "erasure": show_erasure,
    "changes": show_changes,
    "values": show_values,
    "list": show_list,
    "approved": show_approved,
    "kept": show_kept,
    "outdated": show_outdated,
}
PICTURED = ("deletion", "erasure", "changes")


@pytest.fixture
async def here(scene: Scene, scheme: Scheme) -> AsyncIterator[Desktop]:
    scene.clock.now = time.time()
    async with enter_in_one_task(desktop(scene, color_scheme=scheme, device_scale_factor=1)) as made:
        yield made


@only_when_asked
@each_scheme
@pytest.mark.parametrize("name", SHOWN)
async def test_page_has_no_findings(here: Desktop, name: str, scheme: Scheme) -> None:
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


@each_scheme
@pytest.mark.parametrize("name", PICTURED)
async def test_screenshots_of_the_documentation(here: Desktop, name: str, scheme: Scheme) -> None:
    """The pages fit into both windows."""
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
