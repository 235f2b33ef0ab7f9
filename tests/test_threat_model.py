"""The threat model speaks of tests and tools that there are."""

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


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_it_names_exists(path, name):
    """By its file and its own name; one that was renamed has to be renamed there as well."""
    parts = ast.walk(ast.parse((ROOT / path).read_text()))

    assert name in {part.name for part in parts if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_threat_has_a_test():
    """A row is a threat, what stops it, and at least one test."""
    threats = [row for row in ROWS if not row.startswith("| Threat |")]

    assert len(threats) > 30
    assert [row for row in threats if "::test_" not in row.rsplit("|", 2)[1]] == []


def test_every_tool_that_destroys_is_mentioned():
    """Whoever adds one has to say what it threatens."""
    destroying = [tool.name for tool in TOOLS if tool.risk in {Risk.DESTROY, Risk.ERASE}]

    assert "gdpr_delete_contact" in destroying
    assert [name for name in destroying if f"`{name}`" not in MODEL] == []


def test_it_is_signed_off_for_this_version():
    """With a date; a new version has to look through it again."""
    assert re.search(rf"Signed off by the maintainers for version {re.escape(__version__)} on \d+ \w+ \d{{4}}", MODEL)
