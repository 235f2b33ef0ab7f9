"""Log messages to the client: only for failed calls, and only if the client asked for them."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp_types import (
    EmptyResult,
    LoggingLevel,
    LoggingMessageNotificationParams,
    SetLevelRequest,
    SetLevelRequestParams,
)

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.settings import load_settings
from support.hosts import LEGACY, MISSING_ID, MODERN, Host, each_era


class Log:
    """The log messages that a client received."""

    def __init__(self) -> None:
        self.messages: list[LoggingMessageNotificationParams] = []

    async def __call__(self, params: LoggingMessageNotificationParams) -> None:
        self.messages.append(params)


def client_of(folder: Path, era: str, level: LoggingLevel | None, log: Log) -> Client:
    app = build_app(load_settings(), Embedded(folder / "contacts.db", "test"))
    return Client(app.server, mode=era, logging_callback=log, log_level=level if era == MODERN else None)


async def ask_for(client: Client, era: str, level: LoggingLevel | None) -> None:
    """Request log messages as the legacy era does; the modern era requests them with every call."""
    if level and era == LEGACY:
        request = SetLevelRequest(params=SetLevelRequestParams(level=level))
        assert await client.session.send_request(request, EmptyResult) == EmptyResult()


@each_era
async def test_failed_call_sends_one_log_message(tmp_path: Path, era: str) -> None:
    """It has the line that the model reads and the request id; a successful call sends none."""
    log = Log()
    async with client_of(tmp_path, era, "info", log) as client:
        await ask_for(client, era, "info")
        host = Host(client)
        await host.call("create_contact", name="Ola")
        line = await host.error("get_contact", contact_id=MISSING_ID)

    (message,) = log.messages
    assert (message.level, message.logger) == ("warning", "contacts")
    assert message.data["message"] == line
    assert message.data.keys() == {"message", "request"}
    assert message.data["request"]


@each_era
@pytest.mark.parametrize("level", [None, "error", "emergency"])
async def test_client_without_a_matching_log_level_gets_no_messages(
    tmp_path: Path, era: str, level: LoggingLevel | None
) -> None:
    log = Log()
    async with client_of(tmp_path, era, level, log) as client:
        await ask_for(client, era, level)
        host = Host(client)
        await host.error("get_contact", contact_id=MISSING_ID)
        await host.error("get_contact", contact_id="x")
        await host.error("no_such_tool")

    assert log.messages == []


@each_era
async def test_unexpected_exception_is_logged_as_error_without_values(
    tmp_path: Path, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    async def fail(*_: Any, **__: Any) -> httpx.Response:
        raise ZeroDivisionError("Zaphod")

    monkeypatch.setattr(httpx.ASGITransport, "handle_async_request", fail)
    log = Log()
    async with client_of(tmp_path, era, "error", log) as client:
        await ask_for(client, era, "error")
        await Host(client).error("get_contact", contact_id=MISSING_ID)

    (message,) = log.messages
    assert message.level == "error"
    assert message.data["message"].startswith("internal_error: ")
    assert "Zaphod" not in str(message)


async def test_log_level_applies_to_its_own_session_only(tmp_path: Path) -> None:
    app = build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test"))
    asking, silent = Log(), Log()
    async with (
        Client(app.server, mode=LEGACY, logging_callback=asking) as first,
        Client(app.server, mode=LEGACY, logging_callback=silent) as second,
    ):
        await ask_for(first, LEGACY, "debug")
        for client in (first, second):
            await Host(client).error("no_such_tool")

    assert (len(asking.messages), len(silent.messages)) == (1, 0)
