"""PostgreSQL URLs as libpq accepts them: what is taken, what is refused, and that no message holds the password."""

import getpass

import pytest

from contacts_mcp.directory import parse_location
from contacts_mcp.directory._postgres_url import Host, parse_url


@pytest.fixture
def parse(monkeypatch):
    return lambda url, **environ: parse_url(url, environ)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_url_gives_user_password_host_port_and_database(parse, scheme):
    found = parse(f"{scheme}://ola:s3cret@db.example.com:6432/contacts")

    assert (found.user, found.password, found.database) == ("ola", "s3cret", "contacts")
    assert found.hosts == (Host("db.example.com", 6432),)


def test_percent_encoded_parts_are_decoded_and_a_plus_stays(parse):
    found = parse("postgresql://o%40a:p%40%3A%2F%3F%23%25+@%2Frun%2Fpg/my%20db?options=-c+x%3D1%20-c%20y%3D2")

    assert (found.user, found.password, found.database) == ("o@a", "p@:/?#%+", "my db")
    assert found.hosts == (Host("/run/pg", 5432),)
    assert found.session["options"] == "-c+x=1 -c y=2"


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://a,b:6000/x", [("a", 5432), ("b", 6000)]),
        ("postgresql://a,b/x?port=6000", [("a", 6000), ("b", 6000)]),
        ("postgresql:///x?host=a,b&port=1,2", [("a", 1), ("b", 2)]),
        ("postgresql://[::1]:6000,[fe80::1]/x", [("::1", 6000), ("fe80::1", 5432)]),
        ("postgresql://old/x?host=/run/pg", [("/run/pg", 5432)]),
        ("postgresql:///x", [("", 5432)]),
    ],
)
def test_hosts_and_ports_stand_in_the_address_or_in_parameters(parse, url, hosts):
    assert parse(url).hosts == tuple(Host(*each) for each in hosts)


def test_parameters_of_libpq_are_accepted(parse):
    found = parse(
        "postgresql:///?dbname=x&user=u&password=p&passfile=/f&sslmode=verify-full&sslrootcert=/ca&sslcert=/c&sslkey=/k"
        "&sslcrl=/l&sslpassword=q&ssl_min_protocol_version=TLSv1.3&sslnegotiation=direct&application_name=crm"
        "&connect_timeout=3&target_session_attrs=primary&load_balance_hosts=random&channel_binding=prefer"
    )

    assert (found.database, found.user, found.password, found.passfile) == ("x", "u", "p", "/f")
    assert found.tls == {
        "sslmode": "verify-full",
        "sslrootcert": "/ca",
        "sslcert": "/c",
        "sslkey": "/k",
        "sslcrl": "/l",
        "sslpassword": "q",
        "ssl_min_protocol_version": "TLSv1.3",
    }
    assert (found.is_direct_tls, found.is_random, found.connect_timeout) == (True, True, 3.0)
    assert (found.session, found.target_session_attrs) == ({"application_name": "crm"}, "primary")


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_every_sslmode_is_accepted(parse, mode):
    assert parse(f"postgresql://h/x?sslmode={mode}").tls == {"sslmode": mode}


def test_environment_fills_what_the_url_leaves_out(parse):
    environ = {
        "PGHOST": "h",
        "PGPORT": "7",
        "PGUSER": "u",
        "PGPASSWORD": "p",
        "PGDATABASE": "d",
        "PGSSLMODE": "require",
        "PGAPPNAME": "crm",
        "PGOPTIONS": "-c x=1",
        "PGCONNECT_TIMEOUT": "0",
    }

    found = parse("postgresql://", **environ)
    given = parse("postgresql://me:mine@there:8/mine?sslmode=disable", **environ)

    assert (found.hosts, found.user, found.password, found.database) == ((Host("h", 7),), "u", "p", "d")
    assert (found.tls, found.connect_timeout) == ({"sslmode": "require"}, None)
    assert found.session == {"application_name": "crm", "options": "-c x=1"}
    assert (given.hosts, given.user, given.password, given.database) == ((Host("there", 8),), "me", "mine", "mine")
    assert given.tls == {"sslmode": "disable"}


def test_default_user_is_that_of_the_system(parse):
    assert parse("postgresql://h/x").user == getpass.getuser()


def test_several_hosts_are_searched_for_one_that_can_be_written(parse):
    assert parse("postgresql://a,b/x").target_session_attrs == "read-write"
    assert parse("postgresql://a/x").target_session_attrs == "any"
    assert parse("postgresql://a,b/x?target_session_attrs=any").target_session_attrs == "any"


def test_certificates_of_the_machine_are_used_only_with_full_verification(parse):
    assert parse("postgresql://h/x?sslrootcert=system").tls["sslmode"] == "verify-full"
    with pytest.raises(ValueError, match="needs sslmode=verify-full"):
        parse("postgresql://h/x?sslrootcert=system&sslmode=require")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("service=x", "service"),
        ("hostaddr=127.0.0.1", "hostaddr"),
        ("krbsrvname=x", "krbsrvname"),
        ("sslMode=require", "sslMode"),
        ("prepared_statement_cache_size=0", "prepared_statement_cache_size"),
        ("sslmode=sometimes", "sslmode"),
        ("channel_binding=require", "channel_binding"),
        ("target_session_attrs=best", "target_session_attrs"),
        ("connect_timeout=soon", "connect_timeout"),
        ("port=1,2", "port"),
        ("port=70000", "port"),
        ("sslmode", "name=value"),
    ],
)
def test_unsupported_parameter_is_refused_by_its_name(query, named):
    with pytest.raises(ValueError, match=named) as refused:
        parse_location(f"postgresql://me:s3cret@host/contacts?{query}")

    assert "s3cret" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret/x@host/contacts",
        "postgresql://me:s3cret?x=y@host/contacts",
        "postgresql://me:s3cret@host:port/contacts",
        "postgresql://me:s3cret@host",
        "postgresql://me:s3cret@host/",
        "postgresql://me:s3cret@ho[st/contacts",
        "postgresql://me:s3cret%00@host/contacts",
        "postgresql:/me:s3cret@host/contacts",
        "postgres:me:s3cret@host/contacts",
        "host=host user=me password=s3cret dbname=contacts",
        "mysql://me:s3cret@host/contacts",
        "jdbc:postgresql://me:s3cret@host/contacts",
    ],
)
def test_address_that_cannot_be_used_is_refused_without_the_password(url):
    with pytest.raises(ValueError, match=r"PostgreSQL|postgresql") as refused:
        parse_location(url)

    assert "s3cret" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_variable_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "sometimes")

    with pytest.raises(ValueError, match="PGSSLMODE"):
        parse_location("postgresql://host/contacts")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@host:6432/contacts?sslmode=require", "postgresql://me@host:6432/contacts"),
        ("postgres://me:s3cret@a:5432,b:6432/x", "postgresql://me@a,b:6432/x"),
        ("postgresql://me:s3cret@[::1]/x", "postgresql://me@[::1]/x"),
        ("postgresql://me@/x?host=/run/pg&port=6432", "postgresql://me@/x?host=/run/pg&port=6432"),
        ("postgresql:///x?user=me&password=s3cret", "postgresql://me@/x"),
    ],
)
def test_location_shows_hosts_user_and_database_but_no_secret(url, shown):
    location = parse_location(url)

    assert str(location) == shown
    assert "s3cret" not in f"{location!r} {parse_url(url, {})!r}"
