"""Guarded actions in the console by keyboard alone, and names that try to be markup."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.shown import IMPORT, show_plan, view, window_with_people
from support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.async_api import FileChooser, Page

pytestmark = [pytest.mark.system, needs_chromium]

_MAX_TABS = 80
_CHOOSER_TIMEOUT_SECONDS = 60.0
_FOCUSED = """() => {
  const element = document.activeElement;
  if (!document.hasFocus() || !element || element.tagName === "IFRAME" || element === document.body) return "";
  const named = element.getAttribute("aria-label") || element.labels?.[0]?.textContent;
  return (named || element.textContent || "").trim();
}"""
MARKUP = "<img src=x onerror=\"parent.postMessage('broken','*')\"><script>document.title='broken'</script>"


async def focused(window: "Page") -> str:
    """The label of the element that has the focus, in the page or in the view's frame."""
    labels = [await frame.evaluate(_FOCUSED) for frame in window.frames]
    return next((label for label in reversed(labels) if label), "")


async def tab_to(window: "Page", label: str, key: str = "Tab") -> None:
    """Press Tab until the element with this label has the focus."""
    seen = []
    for _ in range(_MAX_TABS):
        seen.append(await focused(window))
        if seen[-1].startswith(label):
            return
        await window.keyboard.press(key)
    raise AssertionError(f"Tab does not reach {label}: {seen}")


async def choose(window: "Page", label: str) -> None:
    await tab_to(window, label)
    await window.keyboard.press("Enter")


async def go_to(window: "Page", page: str) -> None:
    await choose(window, page)
    await window.get_by_role("link", name=page).and_(window.locator("[aria-current]")).wait_for()


async def test_contact_is_kept_and_then_deleted_by_keyboard(tmp_path: Path) -> None:
    """The question opens with the focus on Keep, so that the Enter key alone deletes nothing."""
    messages: list[str] = []
    async with window_with_people(tmp_path / "home", messages) as window:
        contacts = view(window)
        await contacts.get_by_text("Emil Strand").wait_for()
        await tab_to(window, "Search contacts")
        await window.keyboard.type("Emil Strand")
        await contacts.get_by_text("Marta Kowalska").wait_for(state="detached")
        await window.keyboard.press("ArrowDown")
        await window.keyboard.press("Enter")
        await contacts.get_by_text("Prefers calls before noon.").wait_for()

        await choose(window, "Delete this contact")
        await contacts.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).wait_for()
        assert await focused(window) == "Keep"
        await window.keyboard.press("Enter")
        await contacts.get_by_role("dialog").wait_for(state="detached")
        await contacts.get_by_text("Prefers calls before noon.").wait_for()
        assert await focused(window) == "Delete this contact"

        await window.keyboard.press("Enter")
        await contacts.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).wait_for()
        await choose(window, "Delete")
        await contacts.get_by_text("The contact is deleted.").wait_for()
        await contacts.get_by_text("Emil Strand").wait_for(state="detached")
        assert messages == []


async def test_erasure_takes_the_typed_name_by_keyboard(tmp_path: Path) -> None:
    async with window_with_people(tmp_path / "home", []) as window:
        await go_to(window, "Approvals")
        await window.get_by_role("button", name="Keep as it is").wait_for()
        await choose(window, "GDPR delete contact")
        await window.get_by_role("textbox").wait_for()
        await tab_to(window, "Type Ola Fossum")
        await window.keyboard.type("Ola Fossum")
        await choose(window, "Erase permanently")

        await window.get_by_text("Approved. The assistant's call can go on.").wait_for()


async def test_plan_that_overwrites_is_applied_by_keyboard(tmp_path: Path) -> None:
    """From the choice of the file to the result. Its question is the consent, with Keep before the other button."""
    text = "Name,Phone,Email\nKari Moe,,kari@moe.example\nEmil Strand,+4741230111,emil@new.example\n"
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": text.encode()}
    async with window_with_people(tmp_path / "home", []) as window:
        choosing: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()
        # Early, because the browser is slow to turn its own dialog off. Playwright refuses a builtin method.
        window.on("filechooser", lambda chooser: choosing.set_result(chooser))  # noqa: PLW0108
        await go_to(window, "Import")
        await choose(window, "Choose a file")
        await (await asyncio.wait_for(choosing, _CHOOSER_TIMEOUT_SECONDS)).set_files(file)  # type: ignore[arg-type]
        await tab_to(window, "Contacts that exist already")
        await window.keyboard.press("ArrowDown")
        await choose(window, "Show the plan")
        await view(window).get_by_text("Kari Moe").wait_for()
        await view(window).get_by_role("button", name="Keep").wait_for()
        await tab_to(window, "Keep")
        await window.keyboard.press("Tab")
        assert await focused(window) == "Change"
        await window.keyboard.press("Enter")

        await view(window).get_by_text("Done", exact=True).wait_for()
        await go_to(window, "Contacts")
        await view(window).get_by_text("emil@new.example").wait_for()


async def test_duplicates_are_merged_by_keyboard(tmp_path: Path) -> None:
    async with window_with_people(tmp_path / "home", []) as window:
        await go_to(window, "Duplicates")
        await view(window).get_by_text("Lars Mikkelsen").first.wait_for()
        await choose(window, "Merge 2 contacts into Ingrid Solheim")
        await view(window).get_by_role("dialog").get_by_role("button", name="Keep", exact=True).wait_for()
        assert await focused(window) == "Keep"
        await choose(window, "Merge")

        await view(window).get_by_text("1 cluster merged").wait_for()


async def test_names_that_are_markup_stay_text(tmp_path: Path) -> None:
    """In the list, the card, a plan and the question; nothing they contain is loaded or run."""
    messages: list[str] = []
    quoted = MARKUP.replace('"', '""')
    async with window_with_people(tmp_path / "home", messages, name=MARKUP) as window:
        await view(window).get_by_text(MARKUP).first.click()
        await view(window).get_by_role("button", name="Delete this contact").click()
        await view(window).get_by_role("dialog").get_by_text("<img src=x").first.wait_for()
        await assert_no_markup(window)
        await show_plan(window, f'{IMPORT}"{quoted}",,,m@example.com,\n')
        await view(window).get_by_text("<img src=x").first.wait_for()
        await assert_no_markup(window)
    assert messages == []


async def assert_no_markup(window: "Page") -> None:
    for frame in window.frames:
        found: Any = await frame.evaluate("[document.images.length, document.title]")
        assert found[0] == 0
        assert found[1] != "broken"
