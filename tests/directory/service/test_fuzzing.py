"""Schemathesis tests a running service against its OpenAPI document.

All of its checks are on, also the one that two tenants do not see each other's records.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import ContactsService, make_keys

pytestmark = pytest.mark.system

PHASES = ("Examples", "Coverage", "Fuzzing", "Stateful")


def configure(folder: Path, **keys: str) -> Path:
    """Configure callers by name, who must not see each other's records."""
    callers = [{"name": name, "fixedHeaders": [{"name": "X-API-Key", "value": key}]} for name, key in keys.items()]
    (folder / "callers.json").write_text(json.dumps({"auth": callers}))
    config = folder / "schemathesis.toml"
    config.write_text(f'[auth.wfc]\npath = "callers.json"\npeers = {json.dumps(list(keys))}\n')
    return config


def run_schemathesis(folder: Path, location, examples: int) -> str:
    """Run schemathesis on a service at this location, and assert that it finds nothing. Returns its output."""
    ola, kari = make_keys(location, "ola", "kari")
    config = configure(folder, ola=ola, kari=kari)
    with ContactsService(folder, location, "--rate", "0") as service:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
        options = ["--checks", "all", "--max-examples", str(examples), "--no-color", "--generation-database", "none"]
        done = subprocess.run(
            [*command, f"{service.url}/openapi.json", *options],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=folder,
            check=False,
        )
        log = service.written
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert '"level": "ERROR"' not in log
    assert all(f"✅ {phase}" in done.stdout for phase in PHASES), done.stdout
    return done.stdout


def test_schemathesis_finds_no_contradiction(tmp_path, path):
    assert "Tested: 17" in run_schemathesis(tmp_path, path, examples=2)


@pytest.mark.load
def test_schemathesis_finds_no_contradiction_in_thousands_of_requests(tmp_path, location):
    assert "Tested: 17" in run_schemathesis(tmp_path, location, examples=75)
