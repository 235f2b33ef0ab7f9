"""Ctrl-C while a command starts, at the import of a module that it needs: no traceback, and exit code 130."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import clean_environment

pytestmark = pytest.mark.system

INTERRUPTED = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == chosen:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # the background jobs of a shell ignore it
chosen = sys.argv.pop(1)
sys.modules.pop(chosen, None)
sys.meta_path.insert(0, Interrupt())
from contacts_mcp.__main__ import main
main()
"""
SERVE, HTTP = ["serve"], ["serve", "--transport", "http", "--port", "0"]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("signal", SERVE),
        ("typer", SERVE),
        ("pydantic_settings", SERVE),
        ("anyio", SERVE),
        ("mcp.server.lowlevel", SERVE),
        ("contacts_mcp.transports._stdio", SERVE),
        ("anyio._backends._asyncio", SERVE),
        ("uvicorn", HTTP),
        ("contacts_mcp.transports.http._app", HTTP),
        ("uvicorn.lifespan.on", HTTP),
        ("contacts_mcp.cli._doctor", ["doctor"]),
        ("sqlalchemy", ["directory", "keys", "create", "x"]),
        ("contacts_mcp.directory._directory", ["directory", "serve"]),
        ("rich.console", ["demo"]),
    ],
)
def test_ctrl_c_during_a_start_ends_without_a_traceback(tmp_path: Path, module: str, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
        env=clean_environment(tmp_path),
        text=True,
    )

    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
