"""The panel in the Apps tab of the Inspector, a host of others: its sandbox, its content policy, its messages."""

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import CreateContact, GetContact, NotFound
from network.servers import replica_here
from support.chromium import chromium, needs_chromium
from support.node import MODULES, install, only_when_asked
from support.processes import free_port

if TYPE_CHECKING:
    from playwright.async_api import FrameLocator, Page

pytestmark = [needs_chromium, only_when_asked]

_EXPORT = Path(__file__).parents[2] / "examples" / "google_contacts.csv"
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


async def open_app(page: "Page", address: str, port: int, tool: str, **arguments: Any) -> "FrameLocator":
    """Let the Inspector call a tool, as a model would, and show its panel."""
    server = {"transport": "http", "serverUrl": f"http://127.0.0.1:{port}/mcp"}
    given = base64.urlsafe_b64encode(json.dumps(arguments).encode()).decode()
    await page.goto(f"{address}&{urlencode({**server, 'openApp': tool, 'appArgs': given})}")
    await page.wait_for_selector(_READY, timeout=60_000)
    return page.frame_locator("iframe").frame_locator("iframe")


async def test_person_imports_a_google_export_and_sees_the_audience(tmp_path: Path) -> None:
    """In the panel of a host: the plan, its consent, a merge, and whom an SMS reaches."""
    async with (
        replica_here(tmp_path, directory=tmp_path / "contacts.db") as port,
        inspector(tmp_path) as address,
        chromium(viewport={"width": 1280, "height": 900}) as browser,
    ):
        page = await browser.new_page()
        options = {"default_region": "NO", "group": "SMS in spring", "create_group": True}
        plan = await open_app(page, address, port, "import_contacts", content=_EXPORT.read_text(), **options)
        await plan.get_by_text("not reachable by SMS: no number").wait_for()
        await plan.get_by_role("button", name="Apply").click()
        await plan.get_by_text("Done", exact=True).wait_for()

        duplicates = await open_app(page, address, port, "find_duplicate_contacts")
        await duplicates.get_by_role("button", name="Merge 2 contacts into Kari Marie Nordmann").click()
        await duplicates.get_by_role("dialog").get_by_role("button", name="Merge").click()
        await duplicates.get_by_text("1 cluster merged").wait_for()

        audience = await open_app(page, address, port, "check_group_audience", group="SMS in spring")
        await audience.get_by_text("Reaches 4 of 5 members").wait_for()
        await audience.get_by_text("Bjørn Håkonsen").wait_for()


async def test_person_chooses_the_file_of_an_import_in_the_panel(tmp_path: Path) -> None:
    """The call named none, so it is answered with a link for the assistant."""
    async with (
        replica_here(tmp_path, directory=tmp_path / "contacts.db") as port,
        inspector(tmp_path) as address,
        chromium(viewport={"width": 1280, "height": 900}) as browser,
    ):
        page = await browser.new_page()
        plan = await open_app(page, address, port, "import_contacts", default_region="NO")
        await plan.get_by_label("File of contacts").set_input_files(_EXPORT)
        await plan.get_by_text("repeats row 2").wait_for()
        await plan.get_by_role("button", name="Apply").click()
        await plan.get_by_text("Done", exact=True).wait_for()


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
        panel = await open_app(page, address, port, "show_contacts")
        await panel.get_by_role("searchbox").fill("Nordmann")
        await panel.get_by_text("Kari Hansen").wait_for(state="detached")
        await panel.get_by_text("Ola <b>Nordmann</b>").first.click()
        await panel.get_by_role("button", name=re.compile("Delete")).first.click()
        await panel.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
        await panel.get_by_text(re.compile("Deleted|deleted")).first.wait_for()

    async with ContactsClient.for_directory(directory) as api:
        with pytest.raises(NotFound):
            await api.send(GetContact(contact_id=ola.id))
