"""Arbitrary arguments get an answer or one error line, never a protocol error."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp_types import CallToolResult, InputRequiredResult

from contacts_mcp.tools import TOOLS
from support.hosts import LEGACY, MODERN, Host, Person, enter_in_one_task, host

ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
WORDS = st.sampled_from(
    ["", "null", "[]", "[1", '["a"]', "{}", ID, "groups", "../x", "\x00", "\ud800", "%", "0" * 5000]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text() | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3)
)
NAMES = sorted({name for tool in TOOLS for name in tool.input_schema["properties"]})
ARGUMENTS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), VALUES, max_size=6)


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=[LEGACY, MODERN])
async def hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Host]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    person = Person(content={"decision": "delete", "typed": "delete"})
    async with enter_in_one_task(host(folder / "contacts.db", request.param, person)) as connected:
        yield connected


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
@given(tool=st.sampled_from([tool.name for tool in TOOLS]), arguments=ARGUMENTS)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
async def test_arbitrary_arguments_get_an_answer_or_one_error_line(
    hosts: Host, tool: str, arguments: dict[str, Any]
) -> None:
    """No call ends in -32603, and the server keeps running."""
    result = await hosts.client.session.call_tool(tool, arguments, allow_input_required=True)

    if isinstance(result, CallToolResult) and result.is_error:
        (block,) = result.content
        assert "\n" not in block.text  # type: ignore[union-attr]
        assert not block.text.startswith("internal_error")  # type: ignore[union-attr]
    else:
        assert isinstance(result, CallToolResult | InputRequiredResult)
