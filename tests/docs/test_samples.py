"""The samples of README.md and docs/ run as they are printed."""

import ast
import asyncio
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contacts_mcp.cli._commands import cli
from doc_parts import DOCS, README
from support.processes import clean_environment

PAGES = [README, *sorted(DOCS.rglob("*.md"))]
NAMES = [str(page.relative_to(README.parent)) for page in PAGES]
_SAMPLE = re.compile(
    r"^```python\n(.*?)^```\n(?:\n?^(?:It prints|The output is).*?\n\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE
)
_STARTS_A_SERVER = "StdioServerParameters"


def samples(page: Path) -> list[tuple[str, str]]:
    """The Python samples of a page, and what each is said to print (or an empty text)."""
    return _SAMPLE.findall(page.read_text())


def run_sample(source: str) -> None:
    """Run a sample as a script, or as a notebook's cell if it awaits something outside of a function."""
    code = compile(source, "<sample>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = {"__name__": "__main__"}
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))
    else:
        exec(code, names)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, and the environment of a user who has set what the pages name."""
    variables = clean_environment(tmp_path, CONTACTS_MCP_DIRECTORY="contacts.db", MY_KEY="wayscloud_pat_0123456789")
    monkeypatch.setattr("os.environ", variables)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_samples_of_a_page_run_in_their_order(page, capsys):
    """Each is a script of its own; they share the folder."""
    for source, printed in samples(page):
        if _STARTS_A_SERVER in source:
            continue
        run_sample(source)
        out = capsys.readouterr().out
        assert not printed or out == printed


@pytest.mark.system
def test_python_samples_that_start_a_server_run(tmp_path):
    """They find `contacts-mcp` on the PATH, as after an installation."""
    found = [source for page in PAGES for source, _ in samples(page) if _STARTS_A_SERVER in source]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for source in found:
        done = subprocess.run(
            [sys.executable, "-c", source],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env=clean_environment(tmp_path, PATH=path),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "'candidates': []" in done.stdout

    assert found


def test_library_page_has_samples():
    """The test above would also pass if it found none."""
    assert len(samples(DOCS / "library.md")) >= 6
    assert any(printed for _, printed in samples(DOCS / "library.md"))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_shell_samples_name_commands_and_options_that_exist(page):
    """With `--help` a command only reads its line."""
    blocks = re.findall(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = re.findall(r"(?:^|\s)contacts-mcp +([^\n]+)", "\n".join(blocks).replace("\\\n", " "))
    wrong = [line for line in lines if not is_command(shlex.split(line, comments=True))]

    assert wrong == []


def is_command(words: list[str]) -> bool:
    return CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0


@pytest.mark.parametrize("line", ["directory lists", "serve --transprot http", "audit show --tools x"])
def test_misspelled_shell_sample_is_found(line):
    assert not is_command(line.split())
