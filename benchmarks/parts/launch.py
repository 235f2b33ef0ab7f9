"""How the processes of a run are started: our server, the bare one, and the API they talk to."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from child import Child

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Program:
    """A Python module with its arguments and settings, as a host would start it."""

    module: str
    arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


BARE = Program("bare_server")
EMBEDDED = Program("contacts_mcp", ("serve",))
"""Our server without a key: the embedded directory, in a fresh home."""


def platform(api: str) -> Program:
    """Our server with a key, talking to the API at that address."""
    return Program("contacts_mcp", ("serve",), {"WAYSCLOUD_API_KEY": "wayscloud_pat_bench_x", "WAYSCLOUD_API_URL": api})


@contextmanager
def started(program: Program) -> Iterator[Child]:
    """The program's process, in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.defpath, "HOME": home, "LANG": "C.UTF-8", **program.settings}
        with Child([sys.executable, "-m", program.module, *program.arguments], environment, _HERE) as child:
            yield child


@contextmanager
def loopback_api(delay_ms: float = 0) -> Iterator[str]:
    """The address of an API that answers after a delay."""
    with started(Program("loopback_api", (str(delay_ms),))) as child:
        yield f"http://127.0.0.1:{int(child.read_line())}"
