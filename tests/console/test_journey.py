"""A person imports a Google export, looks at what would happen, applies it, merges duplicates and sees the audience."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.windows import OpenConsole, go_to, window_at
from support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.async_api import FrameLocator, Page

pytestmark = [pytest.mark.system, needs_chromium]

_EXPORT = Path(__file__).parents[2] / "examples" / "google_contacts.csv"


async def choose_file(window: "Page", on_match: str = "skip") -> "FrameLocator":
    """Choose the export and its options; the view of the plan."""
    await go_to(window, "Import")
    await window.get_by_label("File of contacts").set_input_files(_EXPORT)
    await window.get_by_label("Contacts that exist already").select_option(on_match)
    await window.get_by_label("Country of numbers").fill("no")
    await window.get_by_label("Add all to the group").fill("SMS in spring")
    await window.get_by_role("button", name="Show the plan").click()
    plan = window.frame_locator("iframe")
    await plan.get_by_role("gridcell").first.wait_for()
    return plan


async def test_google_export_becomes_an_audience_without_reading_json(tmp_path: Path) -> None:
    messages: list[str] = []
    with OpenConsole(tmp_path / "home") as opened:
        async with window_at(opened.address, messages) as window:
            plan = await choose_file(window)
            await plan.get_by_text("csv, Google Contacts, UTF-8, commas · country of numbers: NO").wait_for()
            await plan.get_by_text("not reachable by SMS: no number").wait_for()
            await plan.get_by_text("repeats row 2").wait_for()
            await plan.get_by_role("button", name="1 not reachable by SMS").click()
            await plan.get_by_role("dialog").get_by_text("Organization Name → company", exact=True).wait_for()
            await plan.get_by_role("button", name="Close").click()
            await plan.get_by_role("button", name="Apply").click()
            await plan.get_by_text("Done", exact=True).wait_for()
            assert await plan.locator(".count").all_inner_texts() == ["created\n6", "repeated\n1"]

            await window.get_by_role("link", name="Duplicates").click()
            duplicates = window.frame_locator("iframe")
            await duplicates.get_by_role("button", name="Merge 2 contacts into Kari Marie Nordmann").click()
            question = duplicates.get_by_role("dialog")
            await question.get_by_text("which are then deleted").wait_for()
            await question.get_by_role("button", name="Merge").click()
            await duplicates.get_by_text("1 cluster merged").wait_for()

            await go_to(window, "Groups and audience")
            await window.get_by_role("button", name="SMS in spring").click()
            audience = window.frame_locator("iframe")
            await audience.get_by_text("Reaches 4 of 5 members").wait_for()
            await audience.get_by_text("Bjørn Håkonsen").wait_for()  # the one without a number
            for page in (window, audience):
                assert "{" not in await page.locator("body").inner_text()
    assert messages == []
