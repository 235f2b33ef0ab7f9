"""The console in Chromium, on a real server: what a person does on its pages, and what its frames cannot do."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from approval_page.test_processes import StdioModel
from console.pages import CONSOLE_TOOLS
from console.windows import OpenConsole, go_to, window_at
from support.chromium import needs_chromium
from support.fake_browser import FakeBrowser
from support.hosts import enter_in_one_task
from support.processes import StdioServer

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.system, needs_chromium]

_PANEL_TOOLS = {"show_contacts", "list_plan_rows"}

CSV = "Name,Company,Phone,Email\nHilde Berg,Fjord AS,+47 412 30 011,hilde@example.com\n<b>Bo</b>,,+47 412 30 012,\n"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenConsole]:
    with OpenConsole(tmp_path / "home") as running:
        yield running


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[StdioModel]:
    """An assistant on the same computer, whose host shows no forms."""
    with StdioServer(tmp_path / "home", BROWSER=FakeBrowser(tmp_path).command) as server:
        server.start_reading()
        yield StdioModel(server)


@pytest.fixture
async def messages() -> list[str]:
    """What the browser has logged: errors, and what its policy has blocked."""
    return []


@pytest.fixture
async def window(opened: OpenConsole, messages: list[str]) -> "AsyncIterator[Page]":
    async with enter_in_one_task(window_at(opened.address, messages)) as made:
        yield made


async def call(model: StdioModel, tool: str, **arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(lambda: model.call(tool, **arguments))


async def test_person_decides_on_a_pending_call_and_reads_the_trail(
    assistant: StdioModel, window: "Page", messages: list[str]
) -> None:
    ola = (await call(assistant, "create_contact", name="Ola Nordmann <i>"))["id"]
    deletion = assistant.send("delete_contact", contact_id=ola)
    await go_to(window, "Approvals")

    await window.get_by_role("heading", name="Delete person “Ola Nordmann <i>”?").wait_for()
    await window.get_by_role("button", name="Delete", exact=True).click()
    await window.get_by_text("Approved. The assistant's call can go on.").wait_for()
    answer = await anyio.to_thread.run_sync(assistant.server.answer, deletion)
    assert answer["result"]["structuredContent"]["consent"] == "person"

    await go_to(window, "Audit trail")
    row = window.get_by_role("row").filter(has_text="Delete contact").filter(has_text="Done")
    assert "on a page of this computer" in await row.inner_text()
    await row.get_by_role("button").click()
    await window.get_by_text(ola).first.wait_for()
    await window.get_by_role("button", name="Verify the chain").click()
    await window.get_by_text("The chain is unbroken").wait_for()

    await window.get_by_role("link", name="Deleted").click()
    await window.get_by_role("button", name="Restore Ola Nordmann <i>").click()
    await window.get_by_text("is restored").wait_for()
    assert await anyio.to_thread.run_sync(lambda: assistant.call("get_contact", contact_id=ola)["id"]) == ola
    assert messages == []


async def test_person_keeps_by_the_enter_key(assistant: StdioModel, window: "Page") -> None:
    ola = (await call(assistant, "create_contact", name="Ola Nordmann"))["id"]
    deletion = assistant.send("gdpr_delete_contact", contact_id=ola, reason="request")
    await go_to(window, "Approvals")
    phrase = window.get_by_role("textbox", name="Ola Nordmann")
    await phrase.fill("Ola")
    assert await window.get_by_role("button", name="Erase permanently").is_disabled()
    await phrase.fill("Ola Nordmann")
    await phrase.press("Enter")

    await window.get_by_text("Kept as it is.").wait_for()
    answer = await anyio.to_thread.run_sync(assistant.server.answer, deletion)
    assert "declined" in answer["result"]["structuredContent"]["reason"]


async def test_person_imports_a_file_after_looking_at_the_plan(window: "Page", messages: list[str]) -> None:
    if missing := _PANEL_TOOLS - await tools_of(window):
        pytest.skip(f"this server has no {' and no '.join(sorted(missing))}")
    await go_to(window, "Import")
    await window.get_by_label("File of contacts").set_input_files(
        {"name": "contacts.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    )
    await window.get_by_label("Add all to the group").fill("From the fair")
    await window.get_by_role("button", name="Show the plan").click()
    plan = window.frame_locator("iframe")
    await plan.get_by_text("Hilde Berg").first.wait_for()
    await plan.get_by_text("<b>Bo</b>").first.wait_for()
    await plan.get_by_role("button", name=re.compile("^(Apply|Import)")).first.click()
    await plan.get_by_text(re.compile("2 .*(created|imported|new)", re.IGNORECASE)).first.wait_for()

    await go_to_frame(window, "Contacts")
    await window.frame_locator("iframe").get_by_text("Hilde Berg").first.wait_for()
    await go_to(window, "Groups and audience")
    await window.get_by_role("button", name="From the fair").wait_for()
    assert messages == []


async def go_to_frame(window: "Page", page: str) -> None:
    await window.get_by_role("link", name=page).click()
    await window.frame_locator("iframe").get_by_role("heading", name=page, level=1).wait_for()


async def tools_of(window: "Page") -> set[str]:
    """The tools that the page can call, asked as its script asks."""
    names: list[str] = await window.evaluate(
        """async () => {
          const meta = "io.modelcontextprotocol/";
          const info = {
            [meta + "protocolVersion"]: "2026-07-28",
            [meta + "clientInfo"]: { name: "test", version: "1" },
            [meta + "clientCapabilities"]: {
              extensions: { [meta + "ui"]: { mimeTypes: ["text/html;profile=mcp-app"] } },
            },
          };
          const headers = {
            "Content-Type": "application/json", Accept: "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list", "X-Contacts-Console": "1",
          };
          const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: info } });
          const text = await (await fetch("mcp", { method: "POST", headers, body })).text();
          return [...text.matchAll(/"name":"(\\w+)"/g)].map((match) => match[1]);
        }"""
    )
    return set(names)


async def test_frame_has_no_origin_and_reaches_neither_the_page_nor_the_server(window: "Page") -> None:
    """A view shows what other people wrote. If it ran their script, the script could do nothing."""
    await window.get_by_role("link", name="Duplicates").click()
    element = await window.locator("iframe").element_handle()
    assert element
    frame = await element.content_frame()
    assert frame
    await frame.wait_for_url(re.compile(r"/view/duplicates\.html$"))

    assert await frame.evaluate("self.origin") == "null"
    for forbidden in ("parent.document.title", "localStorage.length", "document.cookie"):
        attempt = f"(() => {{ try {{ return {forbidden} }} catch (error) {{ return error.name }} }})()"
        assert await frame.evaluate(attempt) == "SecurityError", forbidden
    outcome = await frame.evaluate("fetch(location.href.replace(/view.*/, 'mcp')).then(() => 'sent', () => 'blocked')")
    assert outcome == "blocked"


async def test_frame_cannot_call_the_tools_of_the_console(window: "Page") -> None:
    """The page passes on what a view asks of its host, but not these."""
    await window.get_by_role("link", name="Duplicates").click()
    element = await window.locator("iframe").element_handle()
    assert element
    frame = await element.content_frame()
    assert frame
    await frame.wait_for_url(re.compile(r"/view/duplicates\.html$"))
    ask = """(tool) => new Promise((resolve) => {
      addEventListener("message", ({ data }) => data.id === tool && resolve(JSON.stringify(data)));
      const params = { name: tool, arguments: {} };
      parent.postMessage({ jsonrpc: "2.0", id: tool, method: "tools/call", params }, "*");
    })"""

    assert '"groups":[]' in await frame.evaluate(ask, "list_contact_groups")
    for tool in sorted(CONSOLE_TOOLS):
        assert "a view cannot call this tool" in await frame.evaluate(ask, tool)


async def test_page_of_another_port_neither_sends_nor_reads_anything(opened: OpenConsole, window: "Page") -> None:
    """A page of another local server, in the same browser, that even knows the address."""
    address = f"{window.url.partition('#')[0]}mcp"
    other = await window.context.new_page()
    await other.goto("data:text/html,<p>other</p>")
    headers = "{'X-Contacts-Console': '1'}"
    sent = f"fetch('{address}', {{method: 'POST', credentials: 'include', headers: {headers}, body: '{{}}'}})"
    outcome = await other.evaluate(f"{sent}.then(() => 'read', () => 'blocked')")

    assert outcome == "blocked"
    assert await tools_of(window)


async def test_page_says_that_the_server_has_ended(opened: OpenConsole, window: "Page") -> None:
    await go_to(window, "Approvals")
    opened.end()
    await window.get_by_role("button", name="Load again").click()

    await window.get_by_role("alert").get_by_text("The server cannot be reached.").wait_for()
