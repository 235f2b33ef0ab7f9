"""Schemathesis tests a running service against its OpenAPI document.

All of its checks are on, also the one that two tenants do not see each other's records.
"""

import json
import subprocess
import sys

import pytest

from support.processes import ContactsService, make_keys

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("examples", "location"),
    [
        (2, "sqlite"),
        pytest.param(75, "sqlite", marks=pytest.mark.load),
        pytest.param(75, "postgresql", marks=pytest.mark.load),
    ],
    indirect=["location"],
)
def test_schemathesis_finds_no_contradiction(tmp_path, location, examples):
    keys = dict(zip(("ola", "kari"), make_keys(location, "ola", "kari"), strict=True))
    callers = [{"name": name, "fixedHeaders": [{"name": "X-API-Key", "value": key}]} for name, key in keys.items()]
    (tmp_path / "callers.json").write_text(json.dumps({"auth": callers}))
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'[auth.wfc]\npath = "callers.json"\npeers = {json.dumps(list(keys))}\n')
    with ContactsService(tmp_path, location, "--rate", "0") as service:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
        options = ["--checks", "all", "--max-examples", str(examples), "--no-color", "--generation-database", "none"]
        done = subprocess.run(
            [*command, f"{service.url}/openapi.json", *options],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=tmp_path,
            check=False,
        )
        log = service.written

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert '"level": "ERROR"' not in log
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout, done.stdout
    assert "Tested: 17" in done.stdout
