"""The page of this computer in a real browser, which the server opens through a fake one."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from approval_page.scenes import Scene
from contacts_mcp.approval_page import LoopbackPage
from contacts_mcp.approval_page._loopback_server import LoopbackServer
from contacts_mcp.guard import Approval
from support.chromium import chromium

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page


class Desktop:
    """A person's computer: `addresses` are those that the server opened in the browser."""

    def __init__(self, scene: Scene, browser: "BrowserContext") -> None:
        self.scene, self.browser = scene, browser
        self.addresses: list[str] = []
        self.server = LoopbackPage(scene.desk, self._remember, clock=scene.clock)
        self._others: list[LoopbackServer] = []

    async def _remember(self, address: str) -> bool:
        self.addresses.append(address)
        return True

    async def open(self, approval: Approval) -> "Page":
        """The window that the server opens for an approval."""
        assert await self.server.open(approval)
        return await self.visit(self.addresses[-1])

    def serve(self, app: ASGIApp) -> str:
        """Serve other pages until the end of the test; returns their origin."""
        self._others.append(LoopbackServer(app, socket.create_server(("127.0.0.1", 0))))
        return self._others[-1].origin

    async def aclose(self) -> None:
        await self.server.aclose()
        for each in self._others:
            await each.stop()

    async def visit(self, address: str) -> "Page":
        window = await self.browser.new_page()
        await window.goto(address)
        return window


@asynccontextmanager
async def desktop(scene: Scene, **options: Any) -> AsyncIterator[Desktop]:
    async with chromium(**options) as browser:
        made = Desktop(scene, browser)
        try:
            yield made
        finally:
            await made.aclose()


async def heading_of(window: "Page") -> str:
    return await window.locator("h1").inner_text()


async def press(window: "Page", button: str) -> str:
    """Press a button, and return the heading of what comes then."""
    await window.get_by_role("button", name=button).click()
    return await heading_of(window)
