"""`contacts-mcp open` as a process, and a window of Chromium that shows its console."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.chromium import chromium
from support.processes import ChildProcess, clean_environment

if TYPE_CHECKING:
    from playwright.async_api import Page

_TIMEOUT_MS = 60_000
"""Longer than anything takes on a busy machine."""


class OpenConsole(ChildProcess):
    """`contacts-mcp open`, which prints the address that a browser would get."""

    def __init__(self, home: Path, **variables: str) -> None:
        home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "contacts_mcp", "open", "--no-browser"]
        super().__init__(home / "open.log", command, "/console/open/", env=clean_environment(home, **variables))

    @property
    def address(self) -> str:
        found = re.search(r"^http://127\.0\.0\.1:\d+/\S+$", self.written, re.MULTILINE)
        assert found, self.written
        return found[0]


@asynccontextmanager
async def window_at(address: str, messages: list[str], **options: Any) -> "AsyncIterator[Page]":
    """A window of a browser with these `options`; `messages` gets what the browser logs, and what its policy blocks."""
    async with chromium(**{"viewport": {"width": 1180, "height": 760}, **options}) as browser:
        window = await browser.new_page()
        window.set_default_timeout(_TIMEOUT_MS)
        window.on("console", lambda message: messages.append(message.text))
        window.on("pageerror", lambda error: messages.append(str(error)))
        await window.goto(address)
        await window.get_by_role("navigation").get_by_role("link").first.wait_for()
        yield window


async def go_to(window: "Page", page: str) -> None:
    await window.get_by_role("link", name=page).click()
    await window.get_by_role("main").get_by_role("heading", name=page, level=1).wait_for()
