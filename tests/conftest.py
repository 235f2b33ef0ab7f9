"""Fixtures of all tests."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from contacts_mcp.__main__ import main
from support.clock import Clock
from support.postgres import PostgresServer, find_programs, run_postgres
from support.processes import clean_environment
from support.quick import load_certificates_once, no_garbage_collection
from support.telemetry import loggers_as_they_were
from support.trust_summary import pytest_terminal_summary, tried

for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):  # no test opens the browser of a developer
    os.environ.pop(name, None)
os.environ["TZ"] = "UTC"  # times that a person reads are local
if sys.platform != "win32":
    time.tzset()
settings.register_profile("here", deadline=None)  # the speed of the machine is not tested
settings.load_profile("here")
load_certificates_once()

__all__ = ["pytest_terminal_summary", "tried"]

_TRUST = Path(__file__).parent / "trust"  # its conftest marks all tests
_ALL_MARKED = re.compile(r"^pytestmark = .*\bmark\.(?:slow|system|load|endurance|frameworks|windows)\b", re.MULTILINE)


@pytest.hookimpl(optionalhook=True)  # on Windows, the tests run without xdist
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """More than there are cores: tests wait for timers, threads and processes as well."""
    return (os.cpu_count() or 1) + (2 if _is_plain(config) else 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect the tests without looking for garbage."""
    with no_garbage_collection():
        return (yield)


def _is_plain(config: pytest.Config) -> bool:
    """Whether only the tests of the plain command run."""
    return str(config.option.markexpr).startswith("not slow and not system and not load and not trust")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import modules of which the plain command runs no test: that takes a quarter of the collection."""
    if not _is_plain(config):
        return None
    is_module = collection_path.suffix == ".py"
    is_left_out = collection_path == _TRUST or (
        is_module and _ALL_MARKED.search(collection_path.read_text(encoding="utf-8"))
    )
    return True if is_left_out else None  # None leaves it to pytest


@pytest.fixture(autouse=True)
def patient_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A creation waits long for the search for duplicates: on a busy machine its answer would have a warning."""
    monkeypatch.setattr("contacts_mcp.tools._duplicate_check.SEARCH_SECONDS", 20.0)


@pytest.fixture(autouse=True)
def quick_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person at a test's host declines at once, which would look like a host that shows no form."""
    monkeypatch.setattr("contacts_mcp.guard._guard.MIN_DECISION_SECONDS", 0.0)


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


Command = Callable[..., Finished]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `contacts-mcp` in this process, in a new home folder and environment."""

    def run(*arguments: str, **variables: str) -> Finished:
        with monkeypatch.context() as patched, loggers_as_they_were():
            patched.setattr(sys, "argv", ["contacts-mcp", *arguments])
            patched.setattr("os.environ", clean_environment(tmp_path, **variables))
            before = signal.getsignal(signal.SIGINT)
            with pytest.raises(SystemExit) as ended:
                main()
            signal.signal(signal.SIGINT, before)
        shown = capsys.readouterr()
        return Finished(ended.value.code or 0, shown.out, shown.err)  # type: ignore[arg-type]

    return run


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the time zone of this process."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process."""
    try:
        find_programs()
    except FileNotFoundError as exc:
        pytest.skip(f"{exc}: install PostgreSQL, or run through `uv run`")
    with run_postgres() as server:
        yield server
