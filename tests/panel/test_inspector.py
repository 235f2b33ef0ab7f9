"""The panel in the Apps tab of the Inspector, a host of others: its sandbox, its content policy, its messages."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import CreateContact, GetContact, NotFound
from network.servers import replica_here
from support.chromium import chromium, needs_chromium
from support.node import MODULES, install, only_when_asked
from support.processes import free_port

pytestmark = [needs_chromium, only_when_asked]

_TOKEN = "t0ken"
_LAUNCHER = MODULES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
_READY = '[data-testid="apps-form"][data-app-status="ready"]'


@asynccontextmanager
async def inspector(home: Path) -> AsyncIterator[str]:
    """The Inspector's web page on this machine; its address."""
    node = install()
    with free_port() as port, free_port() as sandbox_port:
        environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "CLIENT_PORT": str(port),
            "MCP_SANDBOX_PORT": str(sandbox_port),
            "MCP_AUTO_OPEN_ENABLED": "false",
            "MCP_INSPECTOR_API_TOKEN": _TOKEN,
        }
        process = await asyncio.create_subprocess_exec(
            node, _LAUNCHER, "--web", env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            assert process.stdout
            async with asyncio.timeout(60):
                while b"up and running" not in await process.stdout.readline():
                    assert process.returncode is None
            reading = asyncio.create_task(process.stdout.read())  # a full pipe would stop it
            yield f"http://127.0.0.1:{port}/?MCP_INSPECTOR_API_TOKEN={_TOKEN}&autoConnect={_TOKEN}&autoOpen={_TOKEN}"
        finally:
            process.terminate()
            await process.wait()
        await reading


async def test_person_deletes_a_contact_in_the_panel(tmp_path: Path) -> None:
    directory = tmp_path / "contacts.db"
    async with ContactsClient.for_directory(directory) as api:
        ola = await api.send(CreateContact(name="Ola <b>Nordmann</b>"))
        await api.send(CreateContact(name="Kari Hansen"))
    async with (
        replica_here(tmp_path, directory=directory) as port,
        inspector(tmp_path) as address,
        chromium(viewport={"width": 1280, "height": 900}) as browser,
    ):
        page = await browser.new_page()
        await page.goto(f"{address}&transport=http&serverUrl=http://127.0.0.1:{port}/mcp&openApp=show_contacts")
        await page.wait_for_selector(_READY, timeout=60_000)
        panel = page.frame_locator("iframe").frame_locator("iframe")
        await panel.get_by_role("searchbox").fill("Nordmann")
        await panel.get_by_text("Kari Hansen").wait_for(state="detached")
        await panel.get_by_text("Ola <b>Nordmann</b>").first.click()
        await panel.get_by_role("button", name=re.compile("Delete")).first.click()
        await panel.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
        await panel.get_by_text(re.compile("Deleted|deleted")).first.wait_for()

    async with ContactsClient.for_directory(directory) as api:
        with pytest.raises(NotFound):
            await api.send(GetContact(contact_id=ola.id))
