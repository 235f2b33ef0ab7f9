"""Settings that stop a network server from starting, and what `doctor` reports."""

import socket
from pathlib import Path
from typing import Any

import pytest

from support.services import directory_service

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("flags", "variables", "words"),
    [
        (("--host", "0.0.0.0"), {}, "without authentication the server binds only to loopback"),
        (("--host", "0.0.0.0", "--auth", "key"), {}, "--public-host"),
        (("--public-host", "contacts.example.com"), {}, "CONTACTS_MCP_AUTH is none"),
        (("--public-host", "https://contacts.example.com", "--auth", "key"), {}, "without https://"),
        (("--auth", "oauth"), {}, "CONTACTS_MCP_OAUTH_ISSUER"),
        ((), {"CONTACTS_MCP_REDIS_URL": "redis://127.0.0.1:1"}, "CONTACTS_MCP_STATE_KEYS"),
        (("--auth", "key", "--directory", "x.db"), {}, "has no keys"),
        ((), {"CONTACTS_MCP_STATE_KEYS": "short"}, "at least 32 random characters"),
        ((), {"CONTACTS_MCP_RATE": "-1"}, "CONTACTS_MCP_RATE"),
    ],
)
def test_contradictory_settings_stop_the_start(
    command: Any, flags: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    """One line that says what to do, and exit code 2."""
    ended = command("serve", "--transport", "http", *flags, **variables)

    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("flag", ["--auth", "--host", "--port", "--public-host", "--allow-origin"])
def test_network_flags_need_the_http_transport(command: Any, flag: str) -> None:
    """Over stdio they would have no effect: `--auth key` would authenticate no caller."""
    ended = command("serve", flag, {"--port": "8000", "--auth": "key"}.get(flag, "contacts.example.com"))

    assert ended.code == 2
    assert f"{flag} is for a server over a network; add --transport http" in ended.err


def test_doctor_checks_the_network_settings(command: Any, tmp_path: Path) -> None:
    """`doctor` checks the service, the OAuth settings and the issuer."""
    with directory_service(tmp_path) as address:
        good = command("doctor", CONTACTS_MCP_AUTH="key", WAYSCLOUD_API_URL=address)
    gone = command("doctor", CONTACTS_MCP_AUTH="key", WAYSCLOUD_API_URL=address)
    oauth = command("doctor", CONTACTS_MCP_AUTH="oauth")
    issuer = "http://127.0.0.1:1"
    away = command(
        "doctor",
        CONTACTS_MCP_AUTH="oauth",
        CONTACTS_MCP_OAUTH_ISSUER=issuer,
        CONTACTS_MCP_OAUTH_AUDIENCE="https://a.example.com/mcp",
    )

    assert good.code == 0, good.out
    assert f"WAYSCloud at {address} (each caller with their own key)" in good.out
    assert (gone.code, oauth.code, away.code) == (1, 1, 1)
    assert "CONTACTS_MCP_OAUTH_ISSUER" in oauth.out
    assert "issuer's keys cannot be fetched" in away.out


def test_port_in_use_is_reported_in_one_line(command: Any) -> None:
    """There is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = command("serve", "--transport", "http", "--port", str(other.getsockname()[1]))

    assert ended.code == 2
    assert "cannot listen on 127.0.0.1" in ended.err
    assert ended.err.count("\n") == 1
