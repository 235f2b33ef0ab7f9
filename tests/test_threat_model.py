"""docs/threat-model.md names only tests that exist, and every destructive tool."""

import ast
import re
from pathlib import Path

import pytest

from contacts_mcp import __version__
from contacts_mcp.contract import Risk
from contacts_mcp.tools import TOOLS

ROOT = Path(__file__).parents[1]
MODEL = (ROOT / "docs/threat-model.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", MODEL)))
ROWS = [line for line in MODEL.partition("## Threats")[2].splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_named_test_exists(path):
    """A test that is renamed or moved has to be renamed there, too."""
    parts = ast.walk(ast.parse((ROOT / path).read_text()))
    present = {part.name for part in parts if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}

    assert {name for file, name in NAMED if file == path} <= present


def test_every_threat_has_a_test():
    """Each row has a threat, what stops it, and at least one test."""
    threats = [row for row in ROWS if not row.startswith("| Threat |")]

    assert len(threats) > 30
    assert [row for row in threats if "::test_" not in row.rsplit("|", 2)[1]] == []


def test_every_destructive_tool_is_mentioned():
    """A new destructive tool needs its threats described."""
    destroying = [tool.name for tool in TOOLS if tool.risk in {Risk.DESTROY, Risk.ERASE}]

    assert "gdpr_delete_contact" in destroying
    assert [name for name in destroying if f"`{name}`" not in MODEL] == []


def test_threat_model_is_signed_off_for_this_version():
    """With a date; every new version needs a new review."""
    assert re.search(rf"Signed off by the maintainers for version {re.escape(__version__)} on \d+ \w+ \d{{4}}", MODEL)
