"""The compose file is valid, and its containers have minimal privileges."""

import re
import subprocess
import sys
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from deploy.files import DEPLOY, read_compose

SERVICES = ["nginx", "contacts-1", "contacts-2", "redis"]
each_service = pytest.mark.parametrize("name", SERVICES)


def service(name: str) -> dict[str, Any]:
    return read_compose()["services"][name]  # type: ignore[no-any-return]


def test_compose_file_is_valid() -> None:
    """By the schema of the Compose specification, which check-jsonschema contains."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert list(read_compose()["services"]) == SERVICES


@each_service
def test_container_has_minimal_privileges(name: str) -> None:
    """Only memory and named volumes are writable; memory and processes are limited."""
    this = service(name)

    assert this["read_only"] is True
    assert this["cap_drop"] == ["ALL"]
    assert this["security_opt"] == ["no-new-privileges:true"]
    assert this["tmpfs"] == ["/tmp:size=16m,mode=1777,noexec,nosuid,nodev"]
    assert this["mem_limit"]
    assert this["pids_limit"] <= 128
    assert this["restart"] == "unless-stopped"
    assert this["logging"] == {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}}
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(this)
    assert not any("docker.sock" in str(volume) for volume in this.get("volumes", []))


@each_service
def test_container_runs_as_a_numeric_non_root_user(name: str) -> None:
    """The replicas' user is set in the image."""
    if name.startswith("contacts-"):
        assert "user" not in service(name)
        return
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service(name)["user"])


@each_service
def test_image_is_pinned_to_a_full_version(name: str) -> None:
    assert re.fullmatch(r"[a-z-]+:\d+\.\d+\.\d+(-[a-z]+)?", service(name)["image"])


@each_service
def test_container_has_a_health_check_and_waits_for_healthy_dependencies(name: str) -> None:
    """The replicas' check is in the image."""
    this = service(name)

    assert name.startswith("contacts-") or this["healthcheck"]["test"][0] == "CMD"
    assert all(wanted["condition"] == "service_healthy" for wanted in this.get("depends_on", {}).values())


def test_compose_file_contains_no_secret() -> None:
    """The state keys come from the environment, without a default; the TLS key is a file."""
    text = (DEPLOY / "compose.yaml").read_text()

    assert re.search(r"CONTACTS_MCP_STATE_KEYS: \$\{CONTACTS_MCP_STATE_KEYS:\?[^}]+\}", text)
    assert all(set(secret) == {"file"} for secret in read_compose()["secrets"].values())
    assert not re.search(r"[0-9a-f]{32}|wayscloud_pat_|BEGIN .*PRIVATE", text)


def test_git_ignores_keys_and_certificates_of_the_operator() -> None:
    ignored = set((DEPLOY / ".gitignore").read_text().splitlines())

    assert {
        ".env",
        "kubernetes/secret.yaml",
        *(secret["file"][2:] for secret in read_compose()["secrets"].values()),
    } <= ignored


def test_only_nginx_is_reachable_from_outside() -> None:
    """Redis connects to nothing, and only the replicas connect to it."""
    networks = {name: set(service(name)["networks"]) for name in SERVICES}

    assert [name for name in SERVICES if "ports" in service(name)] == ["nginx"]
    assert networks == {
        "nginx": {"front"},
        "contacts-1": {"front", "memory"},
        "contacts-2": {"front", "memory"},
        "redis": {"memory"},
    }
    assert read_compose()["networks"]["memory"]["internal"] is True


def test_replicas_have_fixed_addresses_in_one_network() -> None:
    """nginx resolves a name only once."""
    (config,) = read_compose()["networks"]["front"]["ipam"]["config"]
    addresses = [service(name)["networks"]["front"]["ipv4_address"] for name in ("contacts-1", "contacts-2")]

    assert len(set(addresses)) == 2
    assert all(ip_address(address) in ip_network(config["subnet"]) for address in addresses)


def test_replicas_differ_only_in_their_address() -> None:
    """The second round of a confirmation needs the same keys and the same Redis."""
    first, second = service("contacts-1"), service("contacts-2")
    del first["networks"], second["networks"]

    assert first == second


def test_redis_persists_used_answers_and_evicts_none() -> None:
    """A used answer must survive a restart."""
    command = service("redis")["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))

    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    assert service("redis")["volumes"] == ["nonces:/data"]
