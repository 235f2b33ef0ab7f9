"""Measure the script time of each frame while a plan of 10,000 rows scrolls in the console, in Chromium.

    uv run python benchmarks/plan_scrolling.py [--rows 10000] [--check]

The console runs on a new directory. The page scrolls by 700 pixels each frame, which is as fast as a wheel is turned;
a second pass goes back over rows that are already loaded. Times are those of the processor, so that other programs of
the machine count little. A frame of a screen with 60 of them a second takes 16.7 ms.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from common.report import Row, describe_machine, exit_code, to_markdown

if TYPE_CHECKING:
    from playwright.async_api import Browser, Frame

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
_TIMEOUT_MS = 300_000
_MAX_FRAME_MS = 8.0
_FRAMES = 60
_STEP_PX = 700
_SCROLL = """async ([frames, step]) => {
  const box = document.querySelector(".grid");
  for (let frame = 0; frame < frames; frame++) {
    box.scrollTop += step;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how a long plan scrolls.")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()
    print(f"{describe_machine()}\n")
    rows = asyncio.run(_measure(options.rows))
    print(to_markdown(rows))
    return exit_code(rows, check=options.check)


async def _measure(count: int) -> list[Row]:
    from playwright.async_api import async_playwright

    with tempfile.TemporaryDirectory() as home:
        async with _console(Path(home)) as address, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*_FLAGS])
            frame = await _show_plan(browser, address, count)
            await asyncio.sleep(2)  # the first rows and what the machine does for them
            first = await _work_of(frame, _STEP_PX)
            again = await _work_of(frame, -_STEP_PX)
            await browser.close()
    return [_row("script of a frame, rows being loaded", first), _row("script of a frame, rows that are there", again)]


def _row(what: str, milliseconds: float) -> Row:
    target = f"< {_MAX_FRAME_MS:g} ms"
    return Row(what, f"{milliseconds:.1f} ms", "", "", target, met=milliseconds < _MAX_FRAME_MS)


@asynccontextmanager
async def _console(home: Path) -> AsyncIterator[str]:
    """Run `contacts-mcp open` on a new directory; the address for the browser."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {"HOME": str(home)}
    command = (sys.executable, "-u", "-m", "contacts_mcp", "open", "--no-browser")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout
    try:
        while not (found := re.search(rb"http://127\.0\.0\.1:\d+/\S+", line := await process.stdout.readline())):
            if not line:
                raise SystemExit("contacts-mcp open did not start")
        reading = asyncio.create_task(process.stdout.read())  # a full pipe would stop it
        yield found[0].decode()
    finally:
        process.terminate()
        await process.wait()
    await reading


async def _show_plan(browser: "Browser", address: str, count: int) -> "Frame":
    window = await (await browser.new_context(viewport={"width": 1180, "height": 760})).new_page()
    window.set_default_timeout(_TIMEOUT_MS)
    await window.goto(address)
    await window.get_by_role("link", name="Import").click()
    lines = (f"Person {number},Company {number % 97} AS,person{number}@example.com" for number in range(count))
    text = "\n".join(["Name,Company,Email", *lines])
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": text.encode()}
    await window.get_by_label("File of contacts").set_input_files(file)  # type: ignore[arg-type]
    await window.get_by_role("button", name="Show the plan").click()
    await window.frame_locator("iframe").get_by_role("gridcell").first.wait_for()
    return window.frames[-1]


async def _work_of(frame: "Frame", step: int) -> float:
    """Scroll through a page; the milliseconds of script for each frame."""
    session = await frame.page.context.new_cdp_session(frame)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def script_seconds() -> float:
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "ScriptDuration"))

    before = await script_seconds()
    await frame.evaluate(_SCROLL, [_FRAMES, step])
    return (await script_seconds() - before) * 1000 / _FRAMES


if __name__ == "__main__":
    raise SystemExit(main())
