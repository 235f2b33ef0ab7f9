"""The views in the console's frame: long plans, slow and failing servers, and who learns the panel's secret."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.shown import show_contacts, show_plan, show_question, view, window_with_people
from support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page, Route

pytestmark = [pytest.mark.system, needs_chromium]

_ROWS = 10_000
_MAX_ROWS_IN_PAGE = 120
_FRAMES = 40
_STEP_PX = 700
_SCROLL = """async ([frames, step]) => {
  const box = document.querySelector(".grid") ?? document.scrollingElement;
  let most = 0;
  for (let frame = 0; frame < frames; frame++) {
    box.scrollTop += step;
    await new Promise((resolve) => requestAnimationFrame(resolve));
    most = Math.max(most, document.querySelectorAll("[role=row]").length);
  }
  return { most, top: box.scrollTop };
}"""
_EMPTY_PAGE = "data:text/html,<body style='height:400000px'>"
_RECORD = """addEventListener("message", ({ data }) => (window.recorded ??= []).push(JSON.stringify(data)))"""


async def work_of(window: "Page", frame: "Frame") -> tuple[float, dict[str, Any]]:
    """Scroll through a page: the milliseconds of script for each frame, and what was seen.

    The time is that of the processor, so that other programs of this machine do not count.
    """
    session = await window.context.new_cdp_session(frame if frame.parent_frame else window)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def script_seconds() -> float:
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "ScriptDuration"))

    before = await script_seconds()
    seen = await frame.evaluate(_SCROLL, [_FRAMES, _STEP_PX])
    return (await script_seconds() - before) * 1000 / _FRAMES, seen


async def test_plan_of_10000_rows_keeps_few_of_them_in_the_page(tmp_path: Path) -> None:
    """It scrolls as far as an empty page does."""
    lines = (f"Person {number},person{number}@example.com" for number in range(_ROWS))
    async with window_with_people(tmp_path / "home", []) as window:
        await show_plan(window, "\n".join(["Name,Email", *lines]))
        _, seen = await work_of(window, window.frames[-1])
        await view(window).get_by_text("10,000 rows", exact=True).wait_for()
        empty = await window.context.new_page()
        await empty.goto(_EMPTY_PAGE)
        _, scrolled = await work_of(empty, empty.main_frame)

    assert scrolled["top"] == _FRAMES * _STEP_PX
    assert seen["top"] > _FRAMES * _STEP_PX / 2  # rows that need attention are higher
    assert 1 < seen["most"] <= _MAX_ROWS_IN_PAGE


async def test_slow_server_shows_that_it_loads(tmp_path: Path) -> None:
    goes_on = asyncio.Event()

    async def hold(route: "Route") -> None:
        await goes_on.wait()
        await route.continue_()

    async with window_with_people(tmp_path / "home", []) as window:
        await show_contacts(window)
        await window.route("**/mcp", hold)
        await view(window).get_by_text("Emil Strand").click()
        await view(window).get_by_role("button", name="Delete this contact").click()
        await view(window).get_by_role("status", name="Preparing the question").wait_for()
        await window.get_by_role("link", name="Duplicates").click()
        await window.get_by_role("status", name="Loading").wait_for()
        goes_on.set()

        await view(window).get_by_text("Lars Mikkelsen").first.wait_for()


async def test_failing_server_shows_an_error_and_is_tried_again(tmp_path: Path) -> None:
    async def fail(route: "Route") -> None:
        await route.fulfill(status=503, content_type="text/plain", body="<h1>busy</h1>")

    async with window_with_people(tmp_path / "home", []) as window:
        await show_contacts(window)
        await window.route("**/mcp", fail)
        await view(window).get_by_role("searchbox").fill("Marta")
        await view(window).get_by_role("alert").get_by_text("The contacts could not be loaded").wait_for()
        await window.unroute("**/mcp")
        await view(window).get_by_role("button", name="Try again").click()
        await view(window).get_by_text("Marta Kowalska").wait_for()
        await view(window).get_by_role("alert").wait_for(state="detached")

        await window.route("**/mcp", fail)
        await window.get_by_role("link", name="Duplicates").click()
        await window.get_by_role("alert").get_by_text("This did not work").wait_for()
        await window.unroute("**/mcp")
        await window.get_by_role("button", name="Try again").click()
        await view(window).get_by_text("Lars Mikkelsen").first.wait_for()


async def test_secret_of_the_panel_reaches_only_the_call_that_decides(tmp_path: Path) -> None:
    """What a view sends to its host, all that the host would give to a model, and what both pages contain."""
    messages: list[str] = []
    async with window_with_people(tmp_path / "home", messages) as window:
        await window.add_init_script(_RECORD)
        await show_question(window)
        shown = [await frame.content() for frame in window.frames]
        await view(window).get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
        await view(window).get_by_text("The contact is deleted.").wait_for()
        shown += [await frame.content() for frame in window.frames]
        recorded: list[str] = await window.evaluate("window.recorded")

    sent = [json.loads(each) for each in recorded]
    (decision,) = [each for each in sent if each.get("params", {}).get("name") == "decide_in_panel"]
    secret = decision["params"]["arguments"]["secret"]
    assert len(secret) > 16
    assert not [each for each in sent if each.get("method") in ("ui/update-model-context", "ui/message")]  # no model
    assert [each for each in sent if secret in json.dumps(each)] == [decision]
    assert [page for page in shown if secret in page] == []
    assert secret not in "\n".join(messages)
