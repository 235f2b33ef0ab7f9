"""The page of this computer on its own port: a real server, and a browser that only records what it is to open."""

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from approval_page.scenes import Browser, Scene
from contacts_mcp.approval_page import LoopbackPage, has_browser
from contacts_mcp.approval_page._loopback import BOOTSTRAP_SECONDS, MAX_OPENINGS_PER_MINUTE
from contacts_mcp.guard import Consent
from support.fake_browser import FakeBrowser
from support.processes import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBrowser:
    made = FakeBrowser(tmp_path)
    monkeypatch.setenv("BROWSER", made.command)
    return made


@pytest.fixture
async def page(scene: Scene) -> AsyncIterator[LoopbackPage]:
    made = LoopbackPage(scene.desk, linger_seconds=60, clock=scene.clock)
    yield made
    await made.aclose()


async def test_opened_page_takes_a_decision(scene: Scene, page: LoopbackPage, browser: FakeBrowser) -> None:
    approval = await scene.ask_to_delete()
    assert await page.open(approval)
    (address,) = browser.opened

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{page.port}", follow_redirects=True) as client:
        shown = await client.get(address)
        assert shown.status_code == 200
        decided = await Browser(client, shown.url.path.rpartition("/")[0]).decide(approval, "approve")

    assert decided.heading == "Approved"
    assert (await scene.model.call("delete_contact", **approval.arguments))["done"]


async def test_browser_gets_no_input_key_or_terminal_of_the_server(
    scene: Scene, page: LoopbackPage, browser: FakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard input is where the host's messages arrive."""
    monkeypatch.setenv("WAYSCLOUD_API_KEY", "wayscloud_pat_secret")
    monkeypatch.setenv("CONTACTS_MCP_STATE_KEYS", "k" * 32)
    monkeypatch.setenv("TERM", "xterm")
    assert await page.open(await scene.ask_to_delete())

    assert browser.notes == [["0", "0", "False"]]


async def test_address_appears_in_no_output_log_or_trail(
    scene: Scene,
    page: LoopbackPage,
    browser: FakeBrowser,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Also if the browser writes it, and everything is logged."""
    caplog.set_level(logging.DEBUG)
    approval = await scene.ask_to_delete()
    assert await page.open(approval)
    (address,) = browser.opened
    async with httpx.AsyncClient(follow_redirects=True) as client:
        caplog.clear()
        for _ in range(2):
            await client.get(address)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    secret = address.rpartition("/")[2]
    written = "".join(capfd.readouterr())

    assert secret not in written + str(scene.trail) + "".join(ours)


async def test_page_that_is_open_is_not_opened_again_before_two_minutes(
    scene: Scene, page: LoopbackPage, browser: FakeBrowser
) -> None:
    """After that the person may have closed the window."""
    approval = await scene.ask_to_delete()
    for _ in range(3):
        assert await page.open(approval)
    assert len(browser.opened) == 1

    scene.clock.now += BOOTSTRAP_SECONDS
    assert await page.open(approval)
    assert len(browser.opened) == 2


async def test_seventh_page_in_a_minute_is_not_opened(scene: Scene, page: LoopbackPage, browser: FakeBrowser) -> None:
    approvals = [await scene.ask_to_delete(f"Contact {number}") for number in range(MAX_OPENINGS_PER_MINUTE + 1)]
    *first, last = approvals
    for each in first:
        assert await page.open(each)

    assert not await page.open(last)
    assert len(browser.opened) == MAX_OPENINGS_PER_MINUTE
    scene.clock.now += 60
    assert await page.open(last)


async def test_port_exists_only_while_a_question_waits(
    scene: Scene, browser: FakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays for a moment, so that the page after the decision can be read."""
    monkeypatch.setattr("contacts_mcp.approval_page._loopback._CHECK_SECONDS", 0.01)
    page = LoopbackPage(scene.desk, linger_seconds=60, clock=scene.clock)
    assert page.port is None
    approval = await scene.ask_to_delete()
    await page.open(approval)
    port = page.port
    assert port
    await scene.desk.keep(approval, Consent.PAGE, "")
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 404
        await wait_until(lambda: _passes(scene, 61) or page.port is None)
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/")
    assert await page.open(await scene.ask_to_delete())
    assert page.port
    await page.aclose()
    assert page.port is None


def _passes(scene: Scene, seconds: float) -> bool:
    """Let time pass; the pages check it in between."""
    scene.clock.now += seconds
    return False


async def test_closed_page_answers_nothing(scene: Scene, page: LoopbackPage, browser: FakeBrowser) -> None:
    await page.open(await scene.ask_to_delete())
    await page.aclose()

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(browser.opened[0])


@pytest.mark.parametrize("command", ["false", "/no/such/browser %s", "w3m", "lynx %s", "'"])
async def test_page_is_not_open_without_a_browser_that_starts(
    scene: Scene, page: LoopbackPage, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", command)

    assert not await page.open(await scene.ask_to_delete())


async def test_browser_that_runs_on_counts_as_open(
    scene: Scene, page: LoopbackPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some commands end only with the browser's window."""
    monkeypatch.setattr("contacts_mcp.approval_page._browser._START_SECONDS", 0.1)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setenv("BROWSER", f"cat {gate} %s")

    assert await page.open(await scene.ask_to_delete())
    gate.write_text("")


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "/usr/bin/code-browser.sh"}, "linux", True),
        ({"BROWSER": "firefox:w3m"}, "linux", True),
        ({"BROWSER": "/usr/bin/w3m %s", "DISPLAY": ":0"}, "linux", False),
        ({"TERM": "xterm"}, "linux", False),
        ({}, "darwin", True),
        ({}, "win32", True),
        ({"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "darwin", False),
    ],
)
def test_browser_with_windows_is_known_by_the_environment(
    environ: dict[str, str], platform: str, expected: bool
) -> None:
    assert has_browser(environ, platform) is expected
