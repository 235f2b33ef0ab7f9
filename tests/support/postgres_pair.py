"""Two PostgreSQL servers on TCP: a primary, and a standby that follows it by synchronous streaming replication."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.lost_host import Host
from support.postgres import as_user, find_programs, new_folder, run_program, user_of_servers
from support.processes import ChildProcess, block_until, free_ports

_OPTIONS = ("fsync=off", "wal_keep_size=64MB")  # processes are killed, not machines


class Node:
    """One of the two servers: a folder with its data, and a port, on this machine or on a host of its own."""

    def __init__(self, bin_folder: Path, folder: Path, port: int, user: str | None, host: Host | None = None) -> None:
        self._bin, self._folder, self._user, self._host = bin_folder, folder, user, host
        self._address, self._port = host.address if host else "127.0.0.1", port
        self._data = folder / f"data-{port}"
        self._process: ChildProcess | None = None

    @property
    def place(self) -> str:
        """Its address and port."""
        return f"{self._address}:{self._port}"

    def create(self) -> None:
        """Make an empty database cluster."""
        self._run("initdb", "-D", self._data, "-U", "contacts", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.writelines(f"host {what} all samenet trust\n" for what in ("all", "replication"))

    def copy_from(self, primary: "Node") -> None:
        """Replace the data with a copy of the primary, which this server will follow."""
        shutil.rmtree(self._data, ignore_errors=True)
        source = f"host={primary._address} port={primary._port} user=contacts application_name=standby"
        how = ("--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf", "--no-sync")
        self._run("pg_basebackup", "-D", self._data, "-d", source, *how)

    def start(self) -> None:
        where = [f"listen_addresses={self._address}", f"port={self._port}", f"unix_socket_directories={self._folder}"]
        options = [word for each in (*where, *_OPTIONS) for word in ("-c", each)]
        log = self._folder / f"log-{time.monotonic_ns()}"
        command = [str(self._bin / "postgres"), "-D", str(self._data), *options]
        if self._host:
            self._process = ChildProcess(log, self._host.command(command, self._user), "ready to accept")
        else:
            self._process = ChildProcess(log, command, "ready to accept", **as_user(self._user))
        self._process.__enter__()

    def kill(self) -> None:
        """End all of its processes at once, without a word to its clients."""
        assert self._process
        self._process.kill_all()

    def stop(self) -> None:
        if self._process:
            self._process.end(signal.SIGQUIT)

    def sql(self, statement: str, database: str = "postgres") -> str:
        where = ("-h", self._address, "-p", self._port, "-U", "contacts", "-d", database)
        return self._run("psql", "-XAtq", *where, "-c", statement).strip()

    def _run(self, program: str, *arguments: object) -> str:
        return run_program([self._bin / program, *arguments], self._user)


class PostgresPair:
    """A primary that commits only what its standby has stored, so that nothing committed is lost with the primary."""

    def __init__(self, primary: Node, standby: Node) -> None:
        self.primary, self.standby = primary, standby

    def url(self, database: str) -> str:
        """The address that finds the primary, whichever of the two servers it is."""
        hosts = ",".join(sorted(node.place for node in (self.primary, self.standby)))
        return f"postgresql://contacts@{hosts}/{database}?target_session_attrs=read-write"

    @staticmethod
    def url_of(node: Node, database: str) -> str:
        """The address of one of the two servers."""
        return f"postgresql://contacts@{node.place}/{database}"

    def follow(self) -> None:
        """Start the standby on a copy of the primary, and make commits wait for it."""
        self.standby.copy_from(self.primary)
        self.standby.start()
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.primary.sql("SELECT pg_reload_conf()")
        synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
        block_until(lambda: self.primary.sql(synchronous) == "1", "the standby does not follow the primary")

    def wait_for_replay(self) -> None:
        """Wait until the standby shows what the primary has committed: a commit waits only until it is stored there."""
        written = self.primary.sql("SELECT pg_current_wal_lsn()")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{written}'"
        block_until(lambda: self.standby.sql(replayed) == "t", "the standby does not replay what it has stored")

    def promote(self) -> None:
        """Let the standby take the place of the killed primary. It commits alone until another one follows it."""
        self.standby.sql("SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary


@contextmanager
def run_pair(host: Host | None = None) -> Iterator[PostgresPair]:
    """Run a primary, on `host` if there is one, and its standby; delete both afterwards."""
    bin_folder, user = find_programs(), user_of_servers()
    with new_folder(user) as folder, free_ports(2) as ports:
        primary, standby = (
            Node(bin_folder, folder, port, user, on) for port, on in zip(ports, (host, None), strict=True)
        )
        pair = PostgresPair(primary, standby)
        try:
            pair.primary.create()
            pair.primary.start()
            pair.follow()
            yield pair
        finally:
            pair.primary.stop()
            pair.standby.stop()
