"""Open connections to PostgreSQL as libpq does: each host in turn, the password file, and TLS.

The driver would limit the time for all hosts together, so that one host that is cut off hides the others, and it does
not remove the backslashes in a password file.
"""

import logging
import os
import random
import re
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import asyncpg
from asyncpg.exceptions import (
    CannotConnectNowError,
    InvalidPasswordError,
    PostgresConnectionError,
    ProtocolViolationError,
    TargetServerAttributeNotMatched,
)

from contacts_mcp.directory._postgres_url import SYSTEM_CERTIFICATES, ConnectionParameters, Host
from contacts_mcp.directory.database._postgres_pooler import (
    ConnectionRefused,
    PooledConnection,
    explain_refusal,
    is_direct,
    refuses_settings,
)
from contacts_mcp.operating_system import may_others_read

_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_FIELDS = re.compile(r"((?:\\.|[^:\\])*)(?::|$)")

_SILENCE = {
    "TCP_KEEPIDLE": 4,  # seconds until the first question to a silent server
    "TCP_KEEPINTVL": 2,  # seconds between questions
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 10_000,  # milliseconds for the confirmation of what was sent
}
"""When the system gives up a connection: after ten seconds without a sign of the server."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connector:
    """Opens connections to the first host of a URL that fits.

    `session` are settings of each session, except for those that the `options` of the URL set. `poolers` are the hosts
    that turned out to be poolers: their sessions are shared, so they get no settings. Several connectors can share the
    set.
    """

    parameters: ConnectionParameters
    session: Mapping[str, str]
    poolers: set[Host] = field(default_factory=set)

    async def __call__(self) -> "asyncpg.Connection":
        """Connect. Raises ConnectionRefused, OSError, and what the server answers."""
        last: Exception | None = None
        for host, target in self._attempts():
            try:
                return _give_up_on_silence(await self._connect(host, target))
            except (OSError, CannotConnectNowError, TargetServerAttributeNotMatched) as exc:
                last = exc
        assert last is not None  # there is at least one host
        raise _explain(last, self.parameters.target_session_attrs) from last

    def _attempts(self) -> Iterator[tuple[Host, str]]:
        hosts: Sequence[Host] = self.parameters.hosts
        if self.parameters.is_random:
            hosts = random.sample(hosts, len(hosts))
        target = self.parameters.target_session_attrs
        if target == "prefer-standby":
            yield from ((host, "standby") for host in hosts)
            target = "any"
        yield from ((host, target) for host in hosts)

    def _own_settings(self) -> Mapping[str, str]:
        """Return the settings that the options of the URL do not set: a server applies options first."""
        options = self.parameters.session.get("options", "")
        return {name: value for name, value in self.session.items() if not re.search(rf"\b{name}=", options)}

    async def _connect(self, host: Host, target: str) -> "asyncpg.Connection":
        try:
            if host not in self.poolers and (direct := await self._connect_directly(host, target)):
                return direct
            return await self._connect_to_pooler(host, target)
        except PostgresConnectionError as exc:
            raise explain_refusal(exc) or exc from exc

    async def _connect_directly(self, host: Host, target: str) -> "asyncpg.Connection | None":
        """Connect with a session of one's own; None if the host turns out to be a pooler."""
        own = self._own_settings()
        try:
            connection = await self._open(host, target, server_settings={**self.parameters.session, **own})
            if await is_direct(connection, own):
                return connection
        except ProtocolViolationError as exc:
            if not refuses_settings(exc):
                raise
        self.poolers.add(host)
        _log.info("The database %s is behind a pooler, whose sessions are shared", self.parameters)
        return None

    async def _connect_to_pooler(self, host: Host, target: str) -> "asyncpg.Connection":
        if "options" in self.parameters.session:
            raise ConnectionRefused(
                "is behind a pooler, whose sessions are shared and have no `options`",
                "remove them from the URL or PGOPTIONS, and use ALTER ROLE … SET",
            )
        return await self._open(
            host,
            target,
            server_settings=dict(self.parameters.session),
            statement_cache_size=0,
            connection_class=PooledConnection,
        )

    async def _open(self, host: Host, target: str, **arguments: Any) -> "asyncpg.Connection":
        known = self.parameters
        password = known.password or find_password(known, host)
        try:
            return await asyncpg.connect(
                **_tls_arguments(known, host),
                host=host.name or None,
                port=host.port,
                user=known.user,
                password=password or "",  # None would have the driver search for it
                database=known.database,
                timeout=known.connect_timeout,  # pyright: ignore[reportArgumentType] - it may be None or a float
                target_session_attrs=target,
                **arguments,
            )
        except InvalidPasswordError as exc:
            if password:
                raise
            raise ConnectionRefused(
                "needs a password", "put it into the URL, PGPASSWORD or ~/.pgpass, which only its owner may read"
            ) from exc


def _give_up_on_silence(connection: "asyncpg.Connection") -> "asyncpg.Connection":
    """Have the system end the connection if the server's machine is lost, which closes nothing; return it.

    The driver has no option for that.
    """
    transport = connection._transport  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    channel = transport.get_extra_info("socket")
    if channel.family in (socket.AF_INET, socket.AF_INET6):
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _SILENCE.items():
            if option := getattr(socket, name, None):  # not every system has all of them
                channel.setsockopt(socket.IPPROTO_TCP, option, value)
    return connection


def _explain(error: Exception, target: str) -> Exception:
    """Return the error with what a person can do about it, if it is not one of the network."""
    if isinstance(error, TargetServerAttributeNotMatched):
        return ConnectionRefused(
            f"has no host that is {target} (target_session_attrs)", "try again after a failover, or correct the URL"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionRefused(
            f"has a TLS certificate that is not accepted ({error.verify_message})", "check sslrootcert and the host"
        )
    if isinstance(error, ssl.SSLError):
        return ConnectionRefused(f"cannot be reached by TLS ({error.reason})", "check sslmode and the certificates")
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        return ConnectionRefused("does not offer TLS", "enable it on the server, or choose another sslmode")
    return error


def _tls_arguments(parameters: ConnectionParameters, host: Host) -> dict[str, Any]:
    """Return the driver's arguments for TLS. Raises ConnectionRefused."""
    if host.is_local:
        return {}
    tls = dict(parameters.tls)
    for name in _TLS_FILES:
        if name in tls and tls[name] != SYSTEM_CERTIFICATES:
            _require_readable(name, tls[name])
    arguments: dict[str, Any] = {"direct_tls": True} if parameters.is_direct_tls else {}
    if tls.get("sslrootcert") == SYSTEM_CERTIFICATES:
        context = ssl.create_default_context()
        if "sslcert" in tls:
            context.load_cert_chain(tls["sslcert"], tls.get("sslkey"), tls.get("sslpassword", ""))
        return {**arguments, "ssl": context}
    return {**arguments, "dsn": f"postgresql://?{urlencode(tls)}"} if tls else arguments


def _require_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123 - Path would change the name of the file
            pass
    except OSError as exc:
        raise ConnectionRefused(
            f"cannot be reached, because {name} is {path}, which cannot be read ({exc.strerror})", "correct it"
        ) from exc


def find_password(parameters: ConnectionParameters, host: Host) -> str | None:
    """Return the password for a host from the password file, None if it has none or others may read it."""
    path = Path(parameters.passfile) if parameters.passfile else Path.home() / ".pgpass"
    name = "localhost" if host.is_local else host.name
    wanted = (name, str(host.port), parameters.database, parameters.user)
    for line in _read_private_lines(path):
        *keys, password = (re.sub(r"\\(.)", r"\1", each) for each in _split_line(line))
        if all(key in ("*", value) for key, value in zip(keys, wanted, strict=True)):
            return password
    return None


def _read_private_lines(path: Path) -> list[str]:
    """Return the entries of a password file, none if others may read it, as libpq does."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or may_others_read(file.fileno()):
                _log.warning("The password file %s is not used: it must be a file that only its owner may read", path)
                return []
            lines = [line.rstrip("\r\n") for line in file]
    except OSError:
        return []
    return [line for line in lines if not line.startswith("#") and len(_split_line(line)) == 5]  # noqa: PLR2004


def _split_line(line: str) -> list[str]:
    """Split `host:port:database:user:password`; a password may contain colons that are not escaped."""
    fields: list[str] = []
    position = 0
    while len(fields) < 4 and (match := _FIELDS.match(line, position)) and match.end() > position:  # noqa: PLR2004
        fields.append(match[1])
        position = match.end()
    return [*fields, line[position:]]
