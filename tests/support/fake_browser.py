"""A program in place of a browser, which only records what it is to open."""

import shlex
import sys
from pathlib import Path

_RECORDER = """\
import os, sys
print(sys.argv[1])
print(sys.argv[1], file=sys.stderr)
inherited = {name for name in os.environ if name.startswith(("CONTACTS_MCP_", "WAYSCLOUD_"))}
has_terminal = any(map(os.isatty, range(3))) or "TERM" in os.environ
with open(sys.argv[2], "a") as file:
    file.write(f"{sys.argv[1]} {len(sys.stdin.read())} {len(inherited)} {has_terminal}\\n")
"""


class FakeBrowser:
    """The program that BROWSER names. `opened` are the addresses, `notes` what else it found."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "opened"
        program = folder / "browser.py"
        program.write_text(_RECORDER)
        self.command = shlex.join([sys.executable, str(program), "%s", str(self._log)]).replace("'%s'", "%s")

    @property
    def notes(self) -> list[list[str]]:
        return [line.split()[1:] for line in self._log.read_text().splitlines()] if self._log.exists() else []

    @property
    def opened(self) -> list[str]:
        return [line.split()[0] for line in self._log.read_text().splitlines()] if self._log.exists() else []
