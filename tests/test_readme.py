"""The README says what is so. What repeats the code is generated: UPDATE_README=1 writes it again."""

import os
import re
from pathlib import Path

import pytest

from contacts_mcp.cli._commands import cli
from contacts_mcp.contract import CALLS, Risk
from contacts_mcp.settings import Settings, variable
from contacts_mcp.tools import ENDPOINTS, WORKFLOWS, Tool

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
_CONSENT = {
    Risk.READ: "",
    Risk.WRITE: "",
    Risk.DESTROY: "a person chooses `delete`",
    Risk.ERASE: "a person types the name",
}


def tool_table() -> str:
    rows = [
        f"| `{tool.name}` | `{call.route}` | {tool.description} | {_consent(tool)} |"
        for tool, call in zip(ENDPOINTS, CALLS, strict=True)
    ]
    return "\n".join(["| Tool | Endpoint | What it does | Consent |", "|---|---|---|---|", *rows])


def workflow_table() -> str:
    rows = [f"| `{tool.name}` | {tool.description} | {_consent(tool)} |" for tool in WORKFLOWS]
    return "\n".join(["| Tool | What it does | Consent |", "|---|---|---|", *rows])


def _consent(tool: Tool) -> str:
    if tool.wording is None:
        return _CONSENT[tool.risk]
    often = "from 25 contacts on, or where something is overwritten, " if tool.min_risk else ""
    return f"{often}a person chooses `{tool.wording.yes}`"


def settings_table() -> str:
    rows = [
        f"| `{variable(name)}` | {_default(info.default)} | {info.description} |"
        for name, info in Settings.model_fields.items()
    ]
    return "\n".join(["| Variable | Default | What it does |", "|---|---|---|", *rows])


def _default(value: object) -> str:
    return f"`{value}`" if value not in (None, [], False) else ""


def library() -> str:
    """The part of the example that shows the client at work."""
    source = (ROOT / "examples" / "library.py").read_text()
    imports = "from contacts_mcp.client import ContactsClient\nfrom contacts_mcp.contract import "
    names = re.search(r"from contacts_mcp.contract import (.*)", source)
    body = re.search(r'async def use.*?"""\n(.*?)\n\n\nasync def', source, re.DOTALL)
    assert names
    assert body
    return f"```python\n{imports}{names[1]}\n\nasync with ContactsClient.from_environment() as client:\n{body[1]}\n```"


GENERATED = {
    "tools": tool_table(),
    "workflows": workflow_table(),
    "settings": settings_table(),
    "library": library(),
    **{
        f"host: {path.name}": f"```json\n{path.read_text()}```"
        for path in sorted((ROOT / "examples" / "hosts").glob("*.json"))
    },
}


def section(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {re.escape(name)} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_parts_are_up_to_date(name: str) -> None:
    """Tables, configurations and the library's example are those of the code."""
    text = README.read_text()
    wanted = section(name).sub(lambda found: f"{found[1]}{GENERATED[name]}\n{found[3]}", text)
    if os.environ.get("UPDATE_README"):
        README.write_text(wanted)

    assert section(name).search(text)
    assert README.read_text() == wanted


def test_the_figures_hold_a_row_for_each_target() -> None:
    """And each was met when they were measured; `benchmarks/stdio.py` measures them again."""
    figures = section("benchmark").search(README.read_text())
    assert figures
    rows = [line for line in figures[2].splitlines() if line.startswith("| ")][1:]

    assert len(rows) == 9
    assert all(row.endswith("| yes |") for row in rows)


def test_the_costs_are_there_for_each_workflow_at_each_size() -> None:
    """Seven jobs at 10, 1,000 and 100,000 contacts; `benchmarks/workflows.py --costs` measures them again."""
    costs = section("costs").search(README.read_text())
    assert costs
    header, _, *rows = costs[2].strip().splitlines()

    assert header == "| Workflow | 10 contacts | 1,000 contacts | 100,000 contacts |"
    assert len(rows) == 7
    assert all(row.count(" → **") == 3 for row in rows)


def test_every_command_is_in_the_readme() -> None:
    """A command nobody can find does not exist."""
    text = README.read_text()

    for command in cli.registered_commands:
        assert command.callback
        assert f"contacts-mcp {command.callback.__name__}" in text


def test_every_serving_flag_is_in_the_readme() -> None:
    """And so for the flags of `serve`."""
    from typer.main import get_command

    text = README.read_text()
    for option in get_command(cli).commands["serve"].params:  # type: ignore[attr-defined]
        for flag in option.opts:
            assert flag in text


def test_links_lead_somewhere() -> None:
    """Files the README names are there."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target


def test_the_first_commands_are_the_ones_that_ci_runs() -> None:
    """What the README promises is what is checked."""
    assert "python3 -m uv run pytest\n" in README.read_text()
    assert "python3 -m uv run pytest" in (ROOT / ".ci" / "run").read_text()
