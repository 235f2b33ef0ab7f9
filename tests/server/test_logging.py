"""Log messages to the client: only for internal errors, and only if the client asked for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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
from contacts_mcp.directory import Directory
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


async def _fail(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("Zaphod")


@pytest.fixture
def broken(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server with a bug in its client."""
    monkeypatch.setattr(Directory, "answer", _fail)
    return server


@each_era
async def test_error_for_the_model_sends_no_log_message(server: Any, era: str) -> None:
    """The result has its line already; clients would print it a second time, as a warning."""
    log = Log()
    async with connect(server, era, "debug", log) as host:
        await host.call("create_contact", name="Ola")
        await host.error("get_contact", contact_id=MISSING_ID)
        await host.error("get_contact", contact_id="x")
        await host.error("no_such_tool")

    assert log.messages == []


@each_era
async def test_internal_error_sends_one_log_message_without_values(broken: Any, era: str) -> None:
    """It has the line that the model reads and the request id."""
    log = Log()
    async with connect(broken, era, "error", log) as host:
        line = await host.error("get_contact", contact_id=MISSING_ID)

    (message,) = log.messages
    assert (message.level, message.logger) == ("error", "contacts")
    assert message.data["message"] == line
    assert line.startswith("internal_error: ")
    assert message.data.keys() == {"message", "request"}
    assert message.data["request"]
    assert "Zaphod" not in str(message)


@each_era
@pytest.mark.parametrize("level", [None, "critical", "emergency"])
async def test_client_without_a_matching_log_level_gets_no_messages(
    broken: Any, era: str, level: LoggingLevel | None
) -> None:
    log = Log()
    async with connect(broken, era, level, log) as host:
        await host.error("get_contact", contact_id=MISSING_ID)

    assert log.messages == []


async def test_log_level_applies_to_its_own_session_only(broken: Any) -> None:
    asking, silent = Log(), Log()
    async with connect(broken, LEGACY, "debug", asking) as first, connect(broken, LEGACY, None, silent) as second:
        for host in (first, second):
            await host.error("get_contact", contact_id=MISSING_ID)

    assert (len(asking.messages), len(silent.messages)) == (1, 0)
