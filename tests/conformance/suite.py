"""The official conformance suite as a function: what it found, scenario by scenario and check by check."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from node import MODULES, install

REVISIONS = ("2025-11-25", "2026-07-28")
BASELINE = Path(__file__).with_name("expected-failures.yaml")
_SUITE = MODULES / "@modelcontextprotocol" / "conformance"
_RECORDER = Path(__file__).with_name("record.mjs")
_FOLDER = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_COMPLAINTS = ("FAILURE", "WARNING")
"""A warning counts: some scenarios do no more than warn where there is no server at all."""
_PATIENCE = 120
"""Seconds for one set of requirements; it takes four where nothing else runs."""


@dataclass(frozen=True)
class Outcome:
    """What required scenarios complain of, by `scenario:check`, and the checks they left out."""

    code: int
    complaints: dict[str, str]
    skipped: frozenset[str]
    asked_for: frozenset[tuple[str, str]]
    """What scenarios asked for by name: scenario, and the name of a tool or prompt or the address of a resource."""


def run_suite(address: str, revision: str, folder: Path) -> Outcome:
    """Run what a revision requires against the server at `address`; `folder` takes what the suite writes."""
    results, asked = folder / "results", folder / "asked.jsonl"
    asked.touch()
    suite = [_SUITE / "dist" / "index.js", "server", "--url", address, "--requirements", revision]
    options = ["--expected-failures", BASELINE, "--output-dir", results]
    done = subprocess.run(
        [install(), "--import", _RECORDER.as_uri(), *suite, *options],
        env={**os.environ, "ASKED_FOR": str(asked)},
        capture_output=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert results.exists(), done.stderr.decode()
    named = frozenset(tuple(json.loads(line)) for line in asked.read_text().splitlines())
    found = _found(results, required(revision))
    complaints = {name: fault for name, status, fault in found if status in _COMPLAINTS}
    skipped = frozenset(name for name, status, _ in found if status == "SKIPPED")
    return Outcome(done.returncode, complaints, skipped, named)


def required(revision: str) -> list[str]:
    """The scenarios that a revision requires of servers."""
    text = (_SUITE / "requirements" / f"{revision}.yaml").read_text()
    scenarios = re.findall(r"^  - (\S+)$", text.partition("\nserver:\n")[2].partition("\nclient:\n")[0], re.MULTILINE)
    assert scenarios, "a file of requirements that cannot be read"
    return scenarios


def _found(results: Path, scenarios: list[str]) -> list[tuple[str, str, str]]:
    """Each check of each scenario: its name, its status, and what was wrong."""
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
