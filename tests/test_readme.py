"""README.md: its generated parts, its links and its length; CHANGELOG.md: its tools.

UPDATE_README=1 writes the generated parts again.
"""

import re

import pytest

from contacts_mcp.tools import TOOLS
from doc_buttons import buttons
from doc_parts import README, ROOT, UPDATE, host_configuration, part_of, tool_table, with_part

PARTS = {
    "tools": lambda: tool_table("docs/tools.md"),
    "host": lambda: host_configuration("claude_desktop_config.json"),
    "buttons": lambda: buttons("docs/images/"),
}


@pytest.mark.parametrize("name", PARTS)
def test_generated_part_of_the_readme_is_up_to_date(name: str) -> None:
    """The tool table and the host configuration are those of the code."""
    text = README.read_text()
    expected = with_part(text, name, PARTS[name]())
    if UPDATE:
        README.write_text(expected)

    assert part_of(text, name)
    assert README.read_text() == expected


def test_readme_can_be_read_in_two_minutes() -> None:
    """150 lines at most; everything else is in docs/."""
    assert len(README.read_text().splitlines()) <= 150


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    """Links to pages, pictures and examples, also those in HTML."""
    text = README.read_text()
    targets = [*re.findall(r"\]\((?!https?:)([^)#]+)", text), *re.findall(r'(?:src|href)="(?!https?:)([^"#]+)"', text)]

    assert len(targets) > 10
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_changelog_names_every_tool() -> None:
    """A new tool is a change that a user notices."""
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert [tool.name for tool in TOOLS if f"`{tool.name}`" not in changelog] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """A newcomer runs what is checked."""
    assert "python3 -m uv run pytest\n" in README.read_text()
    assert "python3 -m uv run pytest" in (ROOT / ".ci" / "run").read_text()


def test_ci_runs_the_demo_command_of_the_readme() -> None:
    """It installs no development packages."""
    command = "python3 -m uv run --no-dev contacts-mcp demo"

    assert command in README.read_text()
    assert command in (ROOT / ".ci" / "run").read_text()
