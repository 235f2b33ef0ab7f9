"""PostgreSQL connection URLs, with the parameters and environment variables of libpq that the driver can honor.

https://www.postgresql.org/docs/current/libpq-connect.html. A parameter that would have no effect is refused: it may be
there for security. No message contains a value of the URL, because a mistyped URL may hold the password anywhere.
"""

import getpass
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
DEFAULT_CONNECT_TIMEOUT_SECONDS = 10.0
_TIMEOUT_OF_SEVERAL_SECONDS = 3.0
"""For each of several hosts, so that one whose machine is lost does not hide the others for long."""
SYSTEM_CERTIFICATES = "system"
"""Value of `sslrootcert` for the certificate authorities that the machine trusts."""

_DEFAULT_PORT, _MAX_PORT = 5432, 65_535
_APPLICATION_NAME = "contacts-mcp"
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CHOICES = {
    "sslmode": _SSL_MODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    # The driver uses neither, so only values that do not require them are accepted.
    "channel_binding": ("disable", "prefer"),
    "gssencmode": ("disable", "prefer"),
}
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}
_PARAMETERS = (*_VARIABLES, "sslpassword")
_TLS = tuple(name for name in _PARAMETERS if name.startswith("ssl") and name != "sslnegotiation")
_ALIASES = {"database": "dbname"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,40}")
_CONNECTION_STRING = re.compile(r"\s*(host|hostaddr|port|dbname|user|password|service)\s*=", re.IGNORECASE)
_INVALID = "the URL of the PostgreSQL database is not valid"
_ENCODE = "write special characters of user and password percent-encoded, such as %40 for @ and %2F for /"


@dataclass(frozen=True, slots=True)
class Host:
    """One server: a name or address with a port, or a folder with a socket. An empty name is a local server."""

    name: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether it is reached by a socket, without TLS."""
        return not self.name or self.name.startswith("/")

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == _DEFAULT_PORT else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class ConnectionParameters:
    """Everything that a URL and the environment say about a connection. `repr()` leaves out secrets."""

    hosts: tuple[Host, ...]
    user: str
    database: str
    password: str | None = field(repr=False)
    passfile: str | None
    tls: Mapping[str, str] = field(repr=False)
    """The parameters of TLS by their names in libpq, such as `sslmode`."""
    is_direct_tls: bool
    target_session_attrs: str
    connect_timeout: float | None
    """Seconds for each host, None for no limit."""
    is_random: bool
    """Whether the hosts are tried in random order."""
    session: Mapping[str, str]
    """Settings that the server applies to the session."""

    def __str__(self) -> str:
        """The URL with hosts, user and database, without anything secret."""
        user = f"{quote(self.user)}@"
        if self.hosts[0].is_local:
            port = f"&port={self.hosts[0].port}" if self.hosts[0].port != _DEFAULT_PORT else ""
            where = f"?host={','.join(host.name for host in self.hosts)}{port}" if self.hosts[0].name else ""
            return f"postgresql://{user}/{quote(self.database)}{where}"
        return f"postgresql://{user}{','.join(map(str, self.hosts))}/{quote(self.database)}"


def is_postgres(text: str) -> bool:
    """Whether a text is meant as the address of a PostgreSQL database, and not as a path."""
    return text.partition(":")[0] in SCHEMES or _CONNECTION_STRING.match(text) is not None


def parse_url(text: str, environ: Mapping[str, str]) -> ConnectionParameters:
    """Parse a URL such as `postgresql://user:password@host:5432/contacts?sslmode=require`.

    What it leaves out is taken from libpq's environment variables. Raises ValueError, in one line without any value.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError("write the PostgreSQL database as a URL such as postgresql://user:password@host:5432/contacts")
    values = {**_from_environment(environ), **_parse_parts(rest)}
    _check_choices(values)
    if not values.get("dbname"):
        raise ValueError("the URL of the PostgreSQL database must end with the database's name, such as /contacts")
    hosts = _parse_hosts(values.get("host", ""), values.get("port", ""))
    return ConnectionParameters(
        hosts=hosts,
        user=values.get("user") or getpass.getuser(),
        database=values["dbname"],
        password=values.get("password"),
        passfile=values.get("passfile"),
        tls=_check_tls({name: values[name] for name in _TLS if values.get(name)}),
        is_direct_tls=values.get("sslnegotiation") == "direct",
        # The directory writes, so with several hosts it looks for the primary.
        target_session_attrs=values.get("target_session_attrs") or ("read-write" if len(hosts) > 1 else "any"),
        connect_timeout=_parse_timeout(values.get("connect_timeout", ""), len(hosts)),
        is_random=values.get("load_balance_hosts") == "random",
        session={
            "application_name": values.get("application_name") or _APPLICATION_NAME,
            **({"options": values["options"]} if values.get("options") else {}),
        },
    )


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[variable] for name, variable in _VARIABLES.items() if environ.get(variable)}


def _parse_parts(rest: str) -> dict[str, str]:
    """Return the values of the URL by the names of libpq. Like libpq, a parameter overrides what stands before it."""
    address, _, query = rest.partition("?")
    authority, _, database = address.partition("/")
    account, at, hosts = authority.rpartition("@")
    if "@" in database or (not at and "@" in query):
        raise ValueError(f"{_INVALID}; {_ENCODE}")
    user, has_password, password = account.partition(":")
    hosts, ports = _split_hosts(hosts)
    values = {"dbname": _decode(database), "user": _decode(user), "host": _decode(hosts), "port": ports}
    if has_password:
        values["password"] = _decode(password)
    return {name: value for name, value in values.items() if value} | _parse_query(query)


def _split_hosts(text: str) -> tuple[str, str]:
    """Split `a:1,[::1]:2` into `a,::1` and `1,2`."""
    names, ports = [], []
    for each in text.split(",") if text else ():
        match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?", each)
        if not match:
            raise ValueError(f"{_INVALID}; {_ENCODE}")
        names.append(match[1].strip("[]"))
        ports.append(match[2] or "")
    return ",".join(names), ",".join(ports) if any(ports) else ""


def _parse_query(query: str) -> dict[str, str]:
    values = {}
    for pair in query.split("&") if query else ():
        written, equals, value = pair.partition("=")
        name = _ALIASES.get(written, written)
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(f"{_INVALID}: it has something other than name=value after the ?")
        if name not in _PARAMETERS:
            raise ValueError(f"the URL of the PostgreSQL database has an unsupported parameter: {name}; remove it")
        values[name] = _decode(value)
    return values


def _decode(text: str) -> str:
    if "%00" in text:
        raise ValueError(f"{_INVALID}: it contains a null character")
    return unquote(text)


def _parse_hosts(names: str, ports: str) -> tuple[Host, ...]:
    each_name, each_port = names.split(","), [_parse_port(port) for port in ports.split(",")]
    if len(each_port) == 1:
        each_port *= len(each_name)
    if len(each_port) != len(each_name):
        raise ValueError(f"{_INVALID}: it needs one port, or one for each host")
    return tuple(Host(name, port) for name, port in zip(each_name, each_port, strict=True))


def _parse_port(text: str) -> int:
    return _parse_number(text, "port", lambda number: 0 < number <= _MAX_PORT) if text else _DEFAULT_PORT


def _parse_timeout(text: str, hosts: int) -> float | None:
    if not text:
        return DEFAULT_CONNECT_TIMEOUT_SECONDS if hosts == 1 else _TIMEOUT_OF_SEVERAL_SECONDS
    # libpq waits without limit at 0 and below
    seconds = _parse_number(text, "connect_timeout", lambda _: True)
    return float(seconds) if seconds > 0 else None


def _parse_number(text: str, name: str, is_valid: Callable[[int], bool]) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or not is_valid(int(text)):
        raise ValueError(f"{_INVALID}: {name} is not a number that it accepts{_source(name)}")
    return int(text)


def _check_choices(values: Mapping[str, str]) -> None:
    for name, choices in _CHOICES.items():
        if (value := values.get(name)) and value not in choices:
            raise ValueError(f"{name} of the PostgreSQL database accepts {_join(choices)}{_source(name)}")


def _check_tls(tls: dict[str, str]) -> dict[str, str]:
    """Check a combination that would be less safe than it looks. Raises ValueError."""
    if tls.get("sslrootcert") == SYSTEM_CERTIFICATES and tls.setdefault("sslmode", "verify-full") != "verify-full":
        raise ValueError("sslrootcert=system of the PostgreSQL database needs sslmode=verify-full")
    return tls


def _source(name: str) -> str:
    return f"; it is in the URL or in {_VARIABLES[name]}"


def _join(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
