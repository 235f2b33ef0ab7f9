"""The command that starts the server without the shell's PATH, and which entries of a host's file start it."""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from contacts_mcp.install._hosts import Launch

PACKAGE, SCRIPT, MODULE = "wayscloud-contacts-mcp", "contacts-mcp", "contacts_mcp"
SERVER_NAME = "wayscloud-contacts"
"""The name of the entry of the default profile, as the documentation writes it."""

_CACHE_TAG = "CACHEDIR.TAG"
_OURS = re.compile(r"""(?:^|[\s/\\"'])(?:wayscloud-contacts-mcp|contacts-mcp|contacts_mcp)(?=$|[\s"'=\[@]|\.exe)""")


def entry_name(profile: str, default: str) -> str:
    """Return the name of a profile's entry."""
    return SERVER_NAME if profile == default else f"{SERVER_NAME}-{profile}"


def starts_this_server(launch: Launch | None) -> bool:
    """Whether an entry starts this program, however it does."""
    return launch is not None and any(_OURS.search(word) for word in (launch.command, *launch.args))


def find_command(environ: Mapping[str, str], prefix: Path, executable: Path) -> tuple[str, tuple[str, ...]]:
    """Return an absolute command that starts this program again, with its first arguments.

    From a cache, where `uvx` runs programs, that is `uvx`: the cache may be emptied. Otherwise it is the running
    environment. Raises ValueError if the program runs in a cache and uv is not found.
    """
    if _is_in_cache(prefix):
        return _find_uvx(environ)
    script = executable.with_name(f"{SCRIPT}{executable.suffix}")
    if script.is_file():
        return str(script), ()
    return str(executable), ("-m", MODULE)


def running_command(environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the command for the program that is running now; see find_command."""
    return find_command(environ, Path(sys.prefix), Path(sys.executable))


def _is_in_cache(prefix: Path) -> bool:
    """Whether an environment is inside of uv's cache; a virtual environment of a project has a tag of its own."""
    return any((each / _CACHE_TAG).is_file() for each in prefix.absolute().parents)


def _find_uvx(environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    uv = Path(environ.get("UV") or shutil.which("uv", path=environ.get("PATH")) or "uv")
    uvx = uv.with_name(f"uvx{uv.suffix}")
    if uvx.is_absolute() and uvx.is_file():
        return str(uvx), (PACKAGE,)
    if uv.is_absolute() and uv.is_file():
        return str(uv), ("tool", "run", PACKAGE)
    raise ValueError(
        f"uv was not found in PATH; install this program with `uv tool install {PACKAGE}`, and run it again"
    )
