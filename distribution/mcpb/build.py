"""Build the bundle for Claude Desktop: `python distribution/mcpb/build.py dist/wayscloud-contacts.mcpb`.

It collects the files in a temporary folder and packs them with the official program, `@anthropic-ai/mcpb`, which needs
Node. The bundle has the package's source, but no dependencies: Claude Desktop's uv installs them.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MCPB = ("npx", "--yes", "@anthropic-ai/mcpb@2.1.2")
_SECTIONS = ("build-system", "project", "project.scripts", "tool.hatch.version", "tool.hatch.build.targets.wheel")
"""What stays of pyproject.toml. Without its dependency groups, uv does not install the tools of developers."""
_TABLE = re.compile(r"^\[([\w.-]+)\]\n", re.MULTILINE)


def reduce_project(text: str) -> str:
    """Return pyproject.toml with only the tables that are needed to install the package."""
    head, *parts = _TABLE.split(text)
    tables = dict(zip(parts[::2], parts[1::2], strict=True))
    return head + "".join(f"[{name}]\n{tables[name].rstrip()}\n\n" for name in _SECTIONS)


def collect(folder: Path) -> None:
    """Write the content of the bundle into an empty folder."""
    for name in ("manifest.json", "server.py"):
        shutil.copy2(HERE / name, folder)
    for name in ("README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder)
    (folder / "pyproject.toml").write_text(reduce_project((ROOT / "pyproject.toml").read_text()))
    shutil.copytree(
        ROOT / "src" / "contacts_mcp",
        folder / "src" / "contacts_mcp",
        ignore=shutil.ignore_patterns("__pycache__", "*.py[cod]"),
    )


def pack(bundle: Path, mcpb: Sequence[str | Path] = MCPB) -> None:
    """Write a bundle. Raises CalledProcessError if the official program finds the manifest invalid."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        collect(folder)
        bundle.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*mcpb, "validate", folder / "manifest.json"], check=True)
        subprocess.run([*mcpb, "pack", folder, bundle.absolute()], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: python distribution/mcpb/build.py BUNDLE.mcpb")
    pack(Path(sys.argv[1]))
