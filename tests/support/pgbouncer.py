"""A real PgBouncer on a port of its own, in front of a PostgreSQL server."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contacts_mcp.directory import Location, parse_location
from contacts_mcp.directory import PostgresServer as Postgres
from support.postgres import PostgresServer, as_user, new_folder
from support.processes import ChildProcess, free_port


class PgBouncer:
    """A running pooler."""

    def __init__(self, folder: Path, port: int, user: str | None) -> None:
        self._folder, self._user = folder, user
        self._process: ChildProcess | None = None
        self._port = port

    def url(self, database_url: str) -> str:
        """The address of a database of the server, through the pooler."""
        name = database_url.partition("?")[0].rpartition("/")[2]
        return f"postgresql://contacts@127.0.0.1:{self._port}/{name}"

    def location(self, database: Location, query: str = "") -> Location:
        """A directory in a database of the server, through the pooler."""
        assert isinstance(database, Postgres)
        return parse_location(self.url(database.url) + query)

    def start(self) -> None:
        log = self._folder / f"log-{time.monotonic_ns()}"
        command = ["pgbouncer", str(self._folder / "pgbouncer.ini")]
        self._process = ChildProcess(log, command, "process up", cwd="/", **as_user(self._user))
        self._process.__enter__()

    def stop(self) -> None:
        """End it at once: every client loses its connection."""
        if self._process:
            self._process.end(signal.SIGQUIT)  # newer versions wait for clients on SIGTERM


def find_version() -> tuple[int, ...] | None:
    """The version of the installed program, None if there is none."""
    if not shutil.which("pgbouncer"):
        return None
    shown = subprocess.run(["pgbouncer", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in shown.split()[1].split(".")[:2])


@contextmanager
def run_pgbouncer(server: PostgresServer, *, password: str = "", **settings: object) -> Iterator[PgBouncer]:
    """Run a pooler in transaction mode, with a password of its user and settings of its section `[pgbouncer]`."""
    with new_folder(server.user) as folder, free_port() as port:
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": folder / "users",
            "pool_mode": "transaction",
            **settings,
        }
        (folder / "users").write_text(f'"contacts" "{password}"\n')
        lines = [f"[databases]\n* = host={server.folder}", "[pgbouncer]", *(f"{k} = {v}" for k, v in options.items())]
        (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        pooler = PgBouncer(folder, port, server.user)
        try:
            pooler.start()
            yield pooler
        finally:
            pooler.stop()
