"""The official conformance suite as a function that returns the result of each check, and the servers it checks."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.node import MODULES, install
from support.processes import HttpServer, ListeningServer

REVISIONS = ("2025-11-25", "2026-07-28")
BASELINE = Path(__file__).with_name("expected-failures.yaml")
_SUITE = MODULES / "@modelcontextprotocol" / "conformance"
_RECORDER = Path(__file__).with_name("record.mjs")
_FOLDER = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_TESTS = Path(__file__).parents[1]
_COMPLAINTS = ("FAILURE", "WARNING")
"""A warning counts: some scenarios only warn even if no server answers."""
_TIMEOUT_SECONDS = 120
"""For one revision, which takes four seconds on an idle machine."""


@dataclass(frozen=True)
class Outcome:
    """The complaints of the required scenarios by `scenario:check`, and the checks that were skipped."""

    code: int
    complaints: dict[str, str]
    skipped: frozenset[str]
    requested: frozenset[tuple[str, str]]
    """Pairs of a scenario and the name of a tool or prompt, or the address of a resource, that it asked for."""


def served_product(home: Path) -> HttpServer:
    """`contacts-mcp serve` over an embedded directory, without a rate limit."""
    return HttpServer(home, "--directory", str(home / "contacts.db"), CONTACTS_MCP_RATE="0")


def fixture(home: Path) -> ListeningServer:
    return ListeningServer(home, "conformance.fixture_server", str(home / "contacts.db"), cwd=_TESTS)


def run_suite(address: str, revision: str, folder: Path) -> Outcome:
    """Run what a revision requires against the server at `address`; `folder` takes what the suite writes."""
    results, requests = folder / "results", folder / "requests.jsonl"
    requests.touch()
    suite = [_SUITE / "dist" / "index.js", "server", "--url", address, "--requirements", revision]
    options = ["--expected-failures", BASELINE, "--output-dir", results]
    done = subprocess.run(
        [install(), "--import", _RECORDER.as_uri(), *suite, *options],
        env={**os.environ, "ASKED_FOR": str(requests)},
        capture_output=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    assert results.exists(), done.stderr.decode()
    named = frozenset(tuple(json.loads(line)) for line in requests.read_text().splitlines())
    checks = _results(results, required_scenarios(revision))
    complaints = {name: fault for name, status, fault in checks if status in _COMPLAINTS}
    skipped = frozenset(name for name, status, _ in checks if status == "SKIPPED")
    return Outcome(done.returncode, complaints, skipped, named)


def required_scenarios(revision: str) -> list[str]:
    """The scenarios that a revision requires of servers."""
    text = (_SUITE / "requirements" / f"{revision}.yaml").read_text()
    scenarios = re.findall(r"^  - (\S+)$", text.partition("\nserver:\n")[2].partition("\nclient:\n")[0], re.MULTILINE)
    assert scenarios, "the file of requirements has an unknown format"
    return scenarios


def _results(results: Path, scenarios: list[str]) -> list[tuple[str, str, str]]:
    """Each check of each scenario: its name, its status and its error message."""
    checks = {_scenario(file): json.loads(file.read_bytes()) for file in results.glob("*/checks.json")}
    never_ran = [{"id": "", "status": "FAILURE", "errorMessage": "did not run"}]
    return [
        (f"{scenario}:{check['id']}", check["status"], f"{check['status']} {check.get('errorMessage', '')}")
        for scenario in scenarios
        for check in checks.get(scenario) or never_ran
    ]


def _scenario(file: Path) -> str:
    matched = _FOLDER.fullmatch(file.parent.name)
    assert matched, file
    return matched[1]
