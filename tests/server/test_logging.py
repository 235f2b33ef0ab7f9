"""Log messages to the client: only for failed calls, and only if the client asked for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    def __init__(self) -> None:
        self.messages: list[LoggingMessageNotificationParams] = []

    async def __call__(self, params: LoggingMessageNotificationParams) -> None:
        self.messages.append(params)


@asynccontextmanager
async def connect(server: Any, era: str, level: LoggingLevel | None, log: Log) -> AsyncIterator[Host]:
    """A host that requests log messages: once in the legacy era, with every call in the modern one."""
    modern_level = level if era == MODERN else None
    async with Client(server, mode=era, logging_callback=log, log_level=modern_level) as client:
        if level and era == LEGACY:
            request = SetLevelRequest(params=SetLevelRequestParams(level=level))
            assert await client.session.send_request(request, EmptyResult) == EmptyResult()
        yield Host(client)


@pytest.fixture
def server(tmp_path: Path) -> Any:
    return build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test")).server


@each_era
async def test_failed_call_sends_one_log_message(server: Any, era: str) -> None:
    """It has the line that the model reads and the request id; a successful call sends none."""
    log = Log()
    async with connect(server, era, "info", log) as host:
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
    server: Any, era: str, level: LoggingLevel | None
) -> None:
    log = Log()
    async with connect(server, era, level, log) as host:
        await host.error("get_contact", contact_id=MISSING_ID)
        await host.error("get_contact", contact_id="x")
        await host.error("no_such_tool")

    assert log.messages == []


@each_era
async def test_unexpected_exception_is_logged_as_error_without_values(
    server: Any, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    async def fail(*_: Any, **__: Any) -> httpx.Response:
        raise ZeroDivisionError("Zaphod")

    monkeypatch.setattr(httpx.ASGITransport, "handle_async_request", fail)
    log = Log()
    async with connect(server, era, "error", log) as host:
        await host.error("get_contact", contact_id=MISSING_ID)

    (message,) = log.messages
    assert message.level == "error"
    assert message.data["message"].startswith("internal_error: ")
    assert "Zaphod" not in str(message)


async def test_log_level_applies_to_its_own_session_only(server: Any) -> None:
    asking, silent = Log(), Log()
    async with connect(server, LEGACY, "debug", asking) as first, connect(server, LEGACY, None, silent) as second:
        for host in (first, second):
            await host.error("no_such_tool")

    assert (len(asking.messages), len(silent.messages)) == (1, 0)
