"""Valid and invalid arguments of every tool: an answer or a one-line error, and a consistent directory."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mcp_types import CallToolResult

from contacts_mcp.directory import Directory
from contacts_mcp.tools import TOOLS
from support.hosts import LEGACY, MODERN, Host, Person, enter_in_one_task, host, text_of, with_ids
from support.texts import MARK, TEXTS, unseen_in
from support.trust_summary import Tried

EXAMPLES = 60
MAX_LINE_LENGTH = 1_100
MAX_ANSWER_LENGTH = 45_000

CONTACTS, GROUPS = [f"contact {number}" for number in range(8)], [f"group {number}" for number in range(3)]
"""Placeholders for the ids of existing records, which are known only after these are created."""
NOWHERE = (
    *("00000000-0000-0000-0000-000000000000", "groups", "../groups", "%2e%2e/groups", "..%2f..%2f", ".", "*", "1"),
    *(f"{'a' * 8}-1111-2222-3333-{'b' * 12}{end}" for end in ("\r\nX: 1", "\n", "/..", "?x", "#", "\0", "%00", " ")),
    *("-".join(["\uff11" * 8, *["\u0661" * 4] * 3, "1" * 12]), "null", "undefined", "NaN"),
)
"""Ids of no record; some would lead to another path."""
IDS = st.sampled_from([*CONTACTS, *GROUPS]) | st.sampled_from(NOWHERE)
LARGE = (MARK * 170_000, "\u202e" * 300_000, f"[{'[' * 100_000}", '["a"' * 50_000, "9" * 5_000, "\U000e0041" * 10_000)
STRINGS = st.sampled_from(TEXTS) | st.text(max_size=40) | st.sampled_from(["", " ", "null", "[]", '["vip"]', "\ud800"])
NUMBERS = st.sampled_from([-1, 0, 2**31, 2**63, 2**64, -(10**300), 10**400, 1e308, -0.0, 0.5, 1.0, float("inf")])
KEYS = st.sampled_from(
    ["__proto__", "constructor", "prototype", "__class__", "confirm", "confirmation_token", "_meta", "id", "", "\0"]
) | st.text(max_size=8)


def nested(depth: int) -> Any:
    value: Any = MARK
    for level in range(depth):
        value = [value] if level % 2 else {"name": value}
    return value


BEYOND = (
    *(st.none(), st.booleans(), NUMBERS, st.integers() | st.floats(), STRINGS, IDS, st.sampled_from(LARGE)),
    st.sampled_from([nested(3), nested(90), [MARK] * 5_001, [[]] * 5_000, [None], {}, {"__proto__": {"x": 1}}]),
    st.lists(STRINGS | IDS | NUMBERS | st.none(), max_size=5),
)
"""Values that no schema allows."""


def fitting(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows; ids are mostly of existing records."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "array":
            least, most = schema.get("minItems", 0), min(schema.get("maxItems", 4), 4)
            return st.lists(fitting(name, schema["items"]), min_size=least, max_size=most)
        case "integer":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 1_000_000))
        case "boolean":
            return st.booleans()
        case _:
            return IDS if "id" in name else STRINGS


def arguments_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a tool: all valid, or with up to three invalid ones."""
    fields = {name: fitting(name, each) for name, each in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    fits = st.fixed_dictionaries(required, optional=fields)
    strays = st.dictionaries(st.sampled_from([*required, *fields]) | KEYS, st.one_of(*BEYOND), max_size=3)
    return st.one_of(fits, st.builds(lambda given, stray: given | stray, fits, strays))


@dataclass(frozen=True)
class World:
    host: Host
    file: Path
    ids: dict[str, str]

    def records(self) -> list[Any]:
        with sqlite3.connect(self.file) as looking:
            tables = ("contacts", "contact_groups", "memberships")
            rows = [looking.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]
        looking.close()
        return rows


@pytest_asyncio.fixture(params=[LEGACY, MODERN])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Afterwards the directory passes its own check."""
    files, file = tmp_path / "files", tmp_path / "contacts.db"
    files.mkdir()
    person = Person(content={"decision": "delete", "typed": "contact 1"})
    async with enter_in_one_task(host(file, request.param, person, files=files, write_budget=0)) as connected:
        ids = {name: (await connected.call("create_contact", name=name))["id"] for name in CONTACTS}
        ids |= {name: (await connected.call("create_contact_group", name=name))["id"] for name in GROUPS}
        yield World(connected, file, ids)
    async with Directory(file) as directory:
        assert not await directory.maintenance.check()


def shows_values(line: str, arguments: dict[str, Any]) -> bool:
    """Whether an error shows values of the call: the columns of a file, or a list as it should be, quoted and cut."""
    return "content" in arguments or "should be a list: write" in line


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
@given(data=st.data())
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],  # each call changes the records, so hypothesis could not shrink a failure
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
async def test_hostile_arguments_get_an_answer_or_a_one_line_error(
    world: World, tried: Tried, tool: Any, data: st.DataObject
) -> None:
    """Answers are bounded and readable and no error is internal. A failed call changes nothing."""
    given_ = data.draw(arguments_of(tool.input_schema), label=tool.name)
    before = world.records()

    arguments = with_ids(given_, world.ids)
    result = await world.host.client.session.call_tool(tool.name, arguments, allow_input_required=True)

    tried("bad inputs tried", 1)
    shown = result.model_dump(mode="json")
    assert not unseen_in(shown)
    if isinstance(result, CallToolResult):
        text = text_of(result)
        assert len(text) <= (MAX_LINE_LENGTH if result.is_error else MAX_ANSWER_LENGTH)
        if result.is_error:
            assert "\n" not in text
            assert not text.startswith("internal_error")
            assert MARK not in text or not text.startswith("invalid") or shows_values(text, given_)
            assert world.records() == before
