"""A real browser: Debian's Chromium, driven by playwright."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--hide-scrollbars"),
)


@asynccontextmanager
async def chromium(flags: Sequence[str] = (), **options: Any) -> "AsyncIterator[BrowserContext]":
    """A new profile without windows, with further `flags`; `options` are those of a playwright context."""
    from playwright.async_api import async_playwright

    assert CHROMIUM
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *flags])
        try:
            yield await browser.new_context(**options)
        finally:
            await browser.close()
