"""`contacts-mcp open` as a process."""

import signal
import sys
from pathlib import Path

import httpx
import pytest

from console.test_chromium import OpenConsole
from support.fake_browser import FakeBrowser
from support.processes import ChildProcess, block_until, clean_environment

pytestmark = pytest.mark.system


def test_address_is_printed_once_and_ctrl_c_ends_the_command(tmp_path: Path) -> None:
    with OpenConsole(tmp_path / "home") as opened:
        assert httpx.get(opened.address, follow_redirects=True).status_code == 200
        opened.end(signal.SIGINT)

        assert opened.process.returncode == 0
        secret = opened.address.rpartition("/")[2]
        assert opened.written.count(secret) == 1
        assert "Traceback" not in opened.written


def test_browser_gets_an_address_that_is_not_printed(tmp_path: Path) -> None:
    browser = FakeBrowser(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "contacts_mcp", "open"]
    environment = clean_environment(home, BROWSER=browser.command)
    with ChildProcess(home / "open.log", command, "is open in your browser", env=environment) as opened:
        block_until(lambda: browser.opened)
        (address,) = browser.opened

        assert httpx.get(address, follow_redirects=True).status_code == 200
        assert "/console/" not in opened.written
