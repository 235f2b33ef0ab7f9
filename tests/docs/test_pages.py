"""The pages in docs/ agree with the code. UPDATE_README=1 writes their generated parts again."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from evals.result import read_published

import doc_buttons
import doc_parts
from contacts_mcp.cli._commands import cli
from contacts_mcp.settings import Settings, env_name
from contacts_mcp.tools import TOOLS
from doc_examples import tool_examples
from doc_parts import DOCS, ROOT, SOURCE, UPDATE, check_part, part_of, with_part
from evals import report

HOSTS = {
    "hosts/claude-desktop.md": "claude_desktop_config.json",
    "hosts/claude-code.md": "claude_code.mcp.json",
    "hosts/vscode.md": "vscode.mcp.json",
    "hosts/cursor.md": "cursor.mcp.json",
}
PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("install.md", "buttons"): lambda: doc_buttons.buttons("images/"),
    ("settings.md", "settings"): doc_parts.settings_table,
    ("commands.md", "commands"): doc_parts.command_reference,
    ("tools.md", "tools"): doc_parts.tool_table,
    ("approvals.md", "ways"): doc_parts.host_ways_table,
    ("library.md", "library"): doc_parts.library_example,
    ("frameworks.md", "clients"): doc_parts.client_table,
    ("evals.md", "results"): lambda: report.to_markdown(read_published()),
    ("evals.md", "tasks"): report.to_task_list,
    **{(page, "host"): (lambda file=file: doc_parts.host_configuration(file)) for page, file in HOSTS.items()},
}
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize(("page", "name"), PARTS)
def test_generated_part_of_a_page_is_up_to_date(page: str, name: str) -> None:
    """Settings, commands, tools, host configurations, examples, evals and their results are those of the code."""
    check_part(page, name, PARTS[page, name]())


def test_tool_reference_shows_what_each_tool_answers() -> None:
    """Every tool has an example call, and the answer is the one that the server gives."""
    examples = tool_examples()

    assert {example.tool for example in examples} == {tool.name for tool in TOOLS}
    check_part("tools.md", "reference", doc_parts.tool_reference(examples))


def test_tool_reference_names_no_type_of_json_schema() -> None:
    """Of nested lists it says what is in them, at each level."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (DOCS / "tools.md").read_text(), re.MULTILINE)

    assert ("clusters", "list of lists of text") in rows
    assert not {kind for _, kind in rows if re.search(r"\b(?:array|string)\b", kind)}


def test_every_setting_and_flag_is_documented() -> None:
    """A setting or flag that is missing from docs/settings.md or docs/commands.md does not exist for a reader."""
    from typer.main import get_command

    settings, commands = (DOCS / "settings.md").read_text(), (DOCS / "commands.md").read_text()
    flags = [flag for option in get_command(cli).commands["serve"].params for flag in option.opts]  # type: ignore[attr-defined]

    assert [name for name in Settings.model_fields if f"`{env_name(name)}`" not in settings] == []
    assert [flag for flag in flags if flag != "--help" and f"`{flag}`" not in commands] == []


def test_every_error_code_is_in_the_troubleshooting_page() -> None:
    """With its meaning and what to do; the page lists no code that the source does not have."""
    codes = part_of((DOCS / "troubleshooting.md").read_text(), "codes") or ""
    rows = re.findall(r"^\| `([a-z_]+)` \|", codes, re.MULTILINE)

    assert len(rows) == len(set(rows))
    assert set(rows) == doc_parts.error_codes()


def test_every_page_is_in_the_navigation() -> None:
    """And the navigation names no page that does not exist."""
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]

    assert sorted(_pages(navigation)) == PAGES


def _pages(entries: Any) -> Iterator[str]:
    match entries:
        case str():
            yield entries
        case list() | dict():
            for entry in entries.values() if isinstance(entries, dict) else entries:
                yield from _pages(entry)


@pytest.mark.parametrize("page", PAGES)
def test_page_names_only_files_that_exist(page: str) -> None:
    """Paths of the repository in code font, such as `examples/library.py`."""
    named = re.findall(r"`((?:src|tests|docs|examples|benchmarks|tool_schemas)/[\w./-]+)`", (DOCS / page).read_text())

    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_page_links_only_to_pages_of_the_site(page: str) -> None:
    """A link out of docs/ would work in the repository and be broken in the built site."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (DOCS / page).read_text())
    found = [(DOCS / page).parent.joinpath(target).resolve() for target in targets]

    assert [str(path) for path in found if not (path.exists() and path.is_relative_to(DOCS))] == []


def test_every_package_is_on_the_architecture_page() -> None:
    """The layers of pyproject.toml are those of the page."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    page = (DOCS / "architecture.md").read_text()

    assert [name for layer in layers for name in layer.split(" | ") if f"`{name}`" not in page] == []


def test_traced_functions_of_the_architecture_page_exist() -> None:
    """Each file and function of the two traced calls; UPDATE_README=1 traces them again."""
    page = DOCS / "architecture.md"
    if UPDATE:
        page.write_text(with_part(page.read_text(), "trace", doc_parts.call_trace()))
    rows = re.findall(r"^\| `([\w/]+\.py)` \| (.+) \|$", page.read_text(), re.MULTILINE)
    missing = [
        f"{file}: {name}"
        for file, names in rows
        for name in re.findall(r"`([^`]+)`", names)
        if name.rpartition(".")[2] not in _functions(SOURCE / file)
    ]

    assert len(rows) > 20
    assert missing == []


@cache
def _functions(path: Path) -> set[str]:
    if not path.exists():
        return set()
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)} | {"__init__"}


def test_benchmark_figures_have_a_row_for_each_target() -> None:
    """Each row of `benchmarks/stdio.py` says by its own figures whether the target was met."""
    rows = (part_of((DOCS / "benchmarks.md").read_text(), "benchmark") or "").splitlines()[2:]
    limits = [re.search(r"\| ([\d.]+) \| ([≤≥]) ([\d.]+) x \| (yes|\*\*no\*\*) \|$", row) for row in rows]
    ratios = [(float(found[1]), found[2], float(found[3]), found[4] == "yes") for found in limits if found]

    assert len(rows) == 19
    assert len(ratios) == 18  # the other row counts tokens
    assert all((ratio <= limit if sign == "≤" else ratio >= limit) == is_met for ratio, sign, limit, is_met in ratios)


def test_costs_are_listed_for_each_workflow_at_each_size() -> None:
    """Seven jobs at 10, 1,000 and 100,000 contacts; `benchmarks/workflows.py --costs` measures them again."""
    header, _, *rows = (part_of((DOCS / "benchmarks.md").read_text(), "costs") or "").splitlines()

    assert header == "| Workflow | 10 contacts | 1,000 contacts | 100,000 contacts |"
    assert len(rows) == 7
    assert all(row.count(" → **") == 3 for row in rows)


def test_contributing_can_be_read_in_five_minutes() -> None:
    """100 lines at most; the reasons for the design are in docs/decisions.md."""
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 100
