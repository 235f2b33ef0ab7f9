"""Connections to a real PostgreSQL server: passwords, the password file, TLS, several hosts and what a failure says."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from contacts_mcp.directory import Directory, DirectoryUnavailable, parse_location
from contacts_mcp.directory._postgres_url import Host, parse_url
from contacts_mcp.directory.database import Database
from support.postgres import run_postgres
from support.processes import free_port

pytestmark = pytest.mark.system

PASSWORD = "p@:/ss #%"
ENCODED = "p%40%3A%2Fss%20%23%25"
ACCESS = """
local all all trust
hostssl all tls_only 127.0.0.1/32 trust
hostnossl all no_tls 127.0.0.1/32 trust
host all contacts,ola 127.0.0.1/32 scram-sha-256
"""


class Server:
    """A server on a port of this machine, with TLS if its build has it, and a user with a password."""

    def __init__(self, port, folder, sockets):
        self.port, self.folder, self.sockets = port, folder, sockets

    def url(self, query="", user=f"ola:{ENCODED}", hosts=None, database="contacts"):
        return f"postgresql://{user}@{hosts or f'localhost:{self.port}'}/{database}{query and '?'}{query}"


@contextmanager
def own_folder(user):
    folder = Path(tempfile.mkdtemp(prefix="contacts-tls-"))
    try:
        subprocess.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
            " -addext subjectAltName=DNS:localhost -keyout server.key -out server.crt".split(),
            cwd=folder,
            check=True,
            capture_output=True,
        )
        (folder / "hba").write_text(ACCESS)
        folder.chmod(0o755)
        (folder / "server.key").chmod(0o600)
        if user:
            for each in folder.iterdir():
                shutil.chown(each, user)
        yield folder
    finally:
        shutil.rmtree(folder)


def has_tls(postgres):
    return bool(postgres.sql("SHOW ssl_library"))


@pytest.fixture(scope="module")
def server(postgres):
    with own_folder(postgres.user) as folder, free_port() as port:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "hba_file": folder / "hba",
            "ssl_cert_file": folder / "server.crt",
            "ssl_key_file": folder / "server.key",
        }
        if has_tls(postgres):
            settings["ssl"] = "on"
        with run_postgres(*(f"{name}={value}" for name, value in settings.items())) as started:
            sockets = started.url("x").rpartition("=")[2]
            admin = ["psql", "-XAtq", "-h", sockets, "-p", str(port), "-U", "contacts", "-d", "postgres"]
            statements = (
                f"CREATE ROLE ola LOGIN PASSWORD '{PASSWORD}'",
                "CREATE ROLE tls_only LOGIN",
                "CREATE ROLE no_tls LOGIN",
                "CREATE DATABASE contacts OWNER ola",
                "CREATE DATABASE bare OWNER tls_only",
            )
            for statement in statements:
                subprocess.run([*admin, "-c", statement], check=True, capture_output=True)
            subprocess.run([*admin[:-1], "contacts", "-c", "CREATE EXTENSION pg_trgm"], check=True, capture_output=True)
            yield Server(port, folder, sockets)


@pytest.fixture
def tls_server(postgres, server):
    if not has_tls(postgres):
        pytest.skip("this build of PostgreSQL has no TLS")
    return server


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def session_of(url, statement="SELECT current_user"):
    """Open a directory and return what a statement gives in its session."""
    async with aclosing(Database(parse_location(url))) as database:
        return await database.read(lambda connection: connection.execute(text(statement)).scalar_one())


async def refusal(url):
    async with Directory(parse_location(url)) as directory:
        with pytest.raises(DirectoryUnavailable) as refused:
            await directory.list_keys()
    assert refused.value.nothing_changed
    assert len(str(refused.value).splitlines()) == 1
    assert PASSWORD not in str(refused.value)
    assert str(parse_location(url)) in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("given", ["url", "parameter", "environment", "file"])
async def test_password_comes_from_the_url_the_environment_or_the_password_file(server, home, monkeypatch, given):
    if given == "environment":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
    if given == "file":
        escaped = PASSWORD.replace("\\", r"\\").replace(":", r"\:")
        (home / ".pgpass").write_text(f"# mine\nother:*:*:*:no\nlocalhost:{server.port}:contacts:ola:{escaped}\n")
        (home / ".pgpass").chmod(0o600)
    url = {"url": server.url(), "parameter": server.url(f"password={ENCODED}", "ola")}.get(given, server.url("", "ola"))

    assert await session_of(url) == "ola"


async def test_password_file_that_others_may_read_is_not_used(server, home, caplog):
    (home / ".pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (home / ".pgpass").chmod(0o640)

    assert "needs a password; put it into the URL, PGPASSWORD or ~/.pgpass" in await refusal(server.url("", "ola"))
    assert "only its owner may read" in caplog.text


async def test_directory_opens_over_a_socket_by_folder_or_encoded_host(server):
    sockets = server.sockets.replace("/", "%2F")

    assert await session_of(f"postgres://ola@/contacts?host={server.sockets}&port={server.port}") == "ola"
    assert await session_of(f"postgres://ola@{sockets}:{server.port}/contacts?sslmode=require") == "ola"


async def test_session_has_the_name_and_options_of_the_url(server):
    url = server.url("application_name=crm&options=-c%20statement_timeout%3D12s%20-csearch_path%3Dpublic")

    assert await session_of(url, "SELECT current_setting('application_name')") == "crm"
    assert await session_of(url, "SELECT current_setting('statement_timeout')") == "12s"
    assert await session_of(server.url(), "SELECT current_setting('application_name')") == "contacts-mcp"


async def test_options_of_the_url_replace_a_setting_of_the_directory(server):
    url = server.url("options=-c%20plan_cache_mode%3Dauto")

    assert await session_of(url, "SELECT current_setting('plan_cache_mode')") == "auto"
    assert await session_of(url, "SELECT current_setting('jit')") == "off"


@pytest.mark.parametrize(
    ("mode", "is_encrypted"),
    [
        ("disable", False),
        ("allow", False),
        ("prefer", True),
        ("require", True),
        ("verify-ca&sslrootcert={ca}", True),
        ("verify-full&sslrootcert={ca}", True),
    ],
)
async def test_sslmode_decides_whether_the_connection_is_encrypted(tls_server, mode, is_encrypted):
    url = tls_server.url(f"sslmode={mode.format(ca=tls_server.folder / 'server.crt')}")

    assert await session_of(url, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is is_encrypted


@pytest.mark.parametrize(
    ("query", "hosts", "said"),
    [
        ("sslmode=verify-full&sslrootcert={ca}", "127.0.0.1", "TLS certificate that is not accepted"),
        ("sslmode=verify-full&sslrootcert=system", None, "TLS certificate that is not accepted"),
        ("sslmode=verify-ca&sslrootcert=/nowhere/ca.crt", None, "sslrootcert is /nowhere/ca.crt, which cannot be read"),
        ("sslmode=require&sslcert={ca}&sslkey=/nowhere/k", None, "sslkey is /nowhere/k, which cannot be read"),
    ],
)
async def test_failure_of_tls_names_its_reason(tls_server, query, hosts, said):
    hosts = hosts and f"{hosts}:{tls_server.port}"
    ca = tls_server.folder / "server.crt"

    assert said in await refusal(tls_server.url(query.format(ca=ca), hosts=hosts))


async def test_wrong_password_and_missing_database_are_reported_as_such(server):
    assert "does not accept this user or password" in await refusal(server.url(user="ola:wrong"))
    assert "does not exist" in await refusal(server.url(database="nowhere"))
    assert "does not accept this user" in await refusal(server.url(user="eve:x"))


async def test_unusable_hosts_are_passed_over(server):
    """Nothing listens at the first; the second accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent, free_port() as closed:
        hosts = f"127.0.0.1:{closed},127.0.0.1:{silent.getsockname()[1]},localhost:{server.port}"

        assert await session_of(server.url("connect_timeout=1&sslmode=disable", hosts=hosts)) == "ola"


async def test_silent_host_is_reported_after_the_connect_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = f"127.0.0.1:{silent.getsockname()[1]}"

        assert "does not answer" in await refusal(f"postgresql://ola@{hosts}/contacts?connect_timeout=1")


async def test_server_that_cannot_be_written_does_not_match_target_session_attrs(server):
    refused = await refusal(server.url("target_session_attrs=standby"))

    assert "has no host that is standby" in refused
    assert await session_of(server.url("target_session_attrs=prefer-standby")) == "ola"
    assert await session_of(server.url("target_session_attrs=read-write&load_balance_hosts=random")) == "ola"


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("h:5432:d:u:secret", "secret"),
        ("*:*:*:*:a:b", "a:b"),
        (r"h:5432:d:u:a\:b\\c", r"a:b\c"),
        ("h:6432:d:u:secret", None),
        ("h:5432:d:x:secret", None),
        ("#h:5432:d:u:secret", None),
        ("h:5432:d", None),
        ("", None),
    ],
)
def test_password_file_is_read_as_libpq_reads_it(home, line, password):
    from contacts_mcp.directory.database._postgres_connect import find_password

    file = home / "passwords"
    file.write_text(f"{line}\n")
    file.chmod(0o600)

    assert find_password(parse_url(f"postgresql://u@h/d?passfile={file}", os.environ), Host("h", 5432)) == password


def test_socket_is_localhost_in_the_password_file(home):
    from contacts_mcp.directory.database._postgres_connect import find_password

    (home / ".pgpass").write_text("localhost:*:*:*:secret\n")
    (home / ".pgpass").chmod(0o400)

    assert find_password(parse_url("postgresql://u@/d", os.environ), Host("/run/pg", 5432)) == "secret"
