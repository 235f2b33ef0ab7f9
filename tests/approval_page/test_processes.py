"""The page of real processes: `contacts-mcp serve` opens it in the browser that BROWSER names."""

import json
import re
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.fake_browser import FakeBrowser
from support.processes import HttpServer, StdioServer, block_until
from support.raw_hosts import modern
from transports.http.clients import headers_of

pytestmark = pytest.mark.system


class StdioModel:
    """A model whose host shows no forms."""

    def __init__(self, server: StdioServer) -> None:
        self.server, self._number = server, 0

    def send(self, tool: str, **arguments: Any) -> int:
        self._number += 1
        message = modern(self._number, "tools/call", name=tool, arguments=arguments)
        self.server.write_line(json.dumps(message).encode())
        return self._number

    def call(self, tool: str, **arguments: Any) -> Any:
        return self.server.answer(self.send(tool, **arguments))["result"]["structuredContent"]


def decide(address: str, decision: str) -> str:
    """Open an address as a browser does, and press a button; the heading of what comes then."""
    with httpx.Client(follow_redirects=True) as client:
        page = client.get(address)
        token = re.search(r'name="token" value="([^"]*)"', page.text)
        assert token, page.text
        origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
        answer = client.post(page.url, data={"token": token[1], "decision": decision}, headers={"Origin": origin})
    heading = re.search("<h1>(.*?)</h1>", answer.text)
    assert heading, answer.text
    return heading[1]


def test_waiting_call_over_stdio_goes_on_when_the_person_has_decided(tmp_path: Path) -> None:
    """Nothing but messages arrives at the host, and no log has the address."""
    browser = FakeBrowser(tmp_path)
    with StdioServer(tmp_path / "home", BROWSER=browser.command, CONTACTS_MCP_LOG_LEVEL="DEBUG") as server:
        server.start_reading()
        model = StdioModel(server)
        ola = model.call("create_contact", name="Ola Nordmann")["id"]
        deletion = model.send("delete_contact", contact_id=ola)
        block_until(lambda: browser.opened, lambda: server.written)
        (address,) = browser.opened

        assert decide(address, "approve") == "Approved"
        assert server.answer(deletion)["result"]["structuredContent"]["consent"] == "person"
        assert address.rpartition("/")[2] not in server.written
        assert "Nordmann" not in server.written
        assert '"consent": "page"' in server.written


def test_server_whose_page_is_open_ends_within_a_second(tmp_path: Path) -> None:
    """A browser that keeps its connection does not hold it up."""
    browser = FakeBrowser(tmp_path)
    with StdioServer(tmp_path / "home", BROWSER=browser.command) as server:
        server.start_reading()
        model = StdioModel(server)
        ola = model.call("create_contact", name="Ola Nordmann")["id"]
        model.send("delete_contact", contact_id=ola)
        block_until(lambda: browser.opened, lambda: server.written)
        with httpx.Client() as client:
            assert client.get(browser.opened[0]).status_code == 303
            seconds = server.end(signal.SIGTERM)
            with pytest.raises(httpx.ConnectError):
                client.get(browser.opened[0])

    assert seconds < 2


def test_http_server_without_authentication_opens_the_page_as_well(tmp_path: Path) -> None:
    browser = FakeBrowser(tmp_path)
    with (
        HttpServer(tmp_path / "home", BROWSER=browser.command) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):

        def call(tool: str, **arguments: Any) -> Any:
            body = modern(1, "tools/call", name=tool, arguments=arguments)
            answer = client.post("/mcp", json=body, headers=headers_of("tools/call", tool))
            return json.loads(answer.text.rpartition("data: ")[2])["result"]["structuredContent"]

        ola = call("create_contact", name="Ola Nordmann")["id"]
        answers: list[Any] = []
        deletion = threading.Thread(target=lambda: answers.append(call("delete_contact", contact_id=ola)))
        deletion.start()
        block_until(lambda: browser.opened, lambda: server.written)
        assert decide(browser.opened[0], "keep") == "Kept as it is"
        deletion.join()

        assert "the person declined" in answers[0]["reason"]
        assert browser.opened[0].rpartition("/")[2] not in server.written
        assert client.get("/approvals/").status_code == 404


def test_server_without_a_browser_refuses_as_before(tmp_path: Path) -> None:
    with StdioServer(tmp_path / "home") as server:
        server.start_reading()
        model = StdioModel(server)
        ola = model.call("create_contact", name="Ola Nordmann")["id"]
        answer = server.answer(model.send("delete_contact", contact_id=ola))["result"]

    assert answer["isError"]
    assert "this host cannot ask for it" in answer["content"][0]["text"]
