"""Values that several files of the deployment repeat are equal, and match the server."""

import re
from pathlib import Path
from typing import Any

import pytest
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from contacts_mcp import __version__, http_server
from contacts_mcp.file_links import MAX_FILE_BYTES
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS
from contacts_mcp.settings import InvalidSettings, Settings, load_settings
from contacts_mcp.transports.http import _app, _endpoints, _files, _lifecycle
from contacts_mcp.transports.http.access import _oauth
from deploy import files as deploy

NGINX = (deploy.DEPLOY / "nginx.conf").read_text()
ANNOTATION = "nginx.ingress.kubernetes.io/"
SERVICES = ("contacts-mcp", "contacts-mcp-modern")


def container() -> dict[str, Any]:
    (only,) = deploy.read_pod()["containers"]
    return only  # type: ignore[no-any-return]


def flag(name: str) -> str:
    words = deploy.image_instructions()["CMD"].words
    return words[words.index(name) + 1]


def seconds(value: str) -> int:
    return int(value[:-1]) * {"s": 1, "m": 60}[value[-1]]


def ingress_annotation(name: str) -> str:
    return str(deploy.read_manifests()["Ingress", "contacts-mcp"]["metadata"]["annotations"][ANNOTATION + name])


def pod_settings() -> dict[str, str]:
    """Return what the Deployment sets, with the values of the Secret's template."""
    secret = deploy.read_manifests()["Secret", "contacts-mcp"]["stringData"]
    given = {}
    for each in container()["env"]:
        reference = each.get("valueFrom", {}).get("secretKeyRef")
        assert reference is None or reference["name"] == "contacts-mcp"
        given[each["name"]] = each["value"] if reference is None else secret[reference["key"]]
    return given


def load(variables: dict[str, str]) -> Settings:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        return load_settings()


def test_image_nginx_and_kubernetes_use_the_same_port() -> None:
    """The Ingress and the probes refer to it by name."""
    port = flag("--port")
    named = {each["name"]: each["containerPort"] for each in container()["ports"]}
    in_policy = deploy.read_manifests()["NetworkPolicy", "contacts-mcp"]["spec"]["ingress"][0]["ports"]

    assert port in deploy.image_instructions()["EXPOSE"].value.split()
    assert f"'127.0.0.1', {port}," in deploy.health_check_command()[-1]
    assert set(re.findall(r"server contacts-[12]:(\d+)", NGINX)) == {port}
    assert str(named["http"]) == port
    assert [str(each["port"]) for each in in_policy] == [port]
    for name in SERVICES:
        (served,) = deploy.read_manifests()["Service", name]["spec"]["ports"]
        assert served == {"name": "http", "port": int(port), "targetPort": "http"}


def test_metrics_port_is_the_same_everywhere_and_not_public() -> None:
    """Clients cannot reach it through nginx or the Service."""
    port = deploy.compose_settings()["CONTACTS_MCP_METRICS_PORT"]
    in_policy = deploy.read_manifests()["NetworkPolicy", "contacts-mcp"]["spec"]["ingress"][1]["ports"]

    assert pod_settings()["CONTACTS_MCP_METRICS_PORT"] == port
    assert deploy.image_instructions()["EXPOSE"].value.split() == [flag("--port"), port]
    assert {each["containerPort"] for each in container()["ports"] if each["name"] == "metrics"} == {int(port)}
    assert [str(each["port"]) for each in in_policy] == [port]
    assert port not in NGINX
    assert port not in str(deploy.read_manifests()["Service", "contacts-mcp"])


def test_image_and_pod_run_as_the_same_user() -> None:
    context = deploy.read_pod()["securityContext"]

    assert deploy.image_instructions()["USER"].value == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_compose_and_kubernetes_run_the_image_that_is_built() -> None:
    """Its name has the current version."""
    (built,) = re.findall(r"docker build -t (\S+) \.\n", deploy.DOCKERFILE.read_text())
    services = deploy.read_compose()["services"]

    assert built == f"wayscloud-contacts-mcp:{__version__}"
    assert services["contacts-1"]["image"] == services["contacts-2"]["image"] == built
    assert container()["image"] == f"registry.example.com/{built}"
    build = services["contacts-1"]["build"]
    assert (deploy.DEPLOY / build["context"] / build["dockerfile"]).samefile(deploy.DOCKERFILE)


def test_compose_and_kubernetes_run_the_command_of_the_image() -> None:
    """Kubernetes repeats its arguments; compose sets none."""
    assert container()["args"] == deploy.image_instructions()["CMD"].words
    assert not {"command", "entrypoint"} & (set(container()) | set(deploy.read_compose()["services"]["contacts-1"]))


def test_public_host_name_is_the_same_everywhere() -> None:
    """nginx serves it, the replicas check it, the Ingress routes it."""
    hosts = {rule["host"] for name in SERVICES for rule in deploy.read_manifests()["Ingress", name]["spec"]["rules"]}

    assert re.findall(r"server_name ([^_]\S*);", NGINX) == [deploy.HOST]
    assert (
        deploy.compose_settings()["CONTACTS_MCP_PUBLIC_HOST"]
        == pod_settings()["CONTACTS_MCP_PUBLIC_HOST"]
        == deploy.HOST
    )
    assert hosts == {deploy.HOST}


def test_compose_and_kubernetes_have_the_same_valid_settings() -> None:
    """The server loads both. Links need a volume that pods on several machines share, which not every cluster has."""
    of_compose = load(deploy.compose_settings())
    of_kubernetes = load({**pod_settings(), "CONTACTS_MCP_STATE_KEYS": deploy.STATE_KEY})

    assert of_compose.links == Path("/data")
    assert {**of_compose.model_dump(), "links": None} == of_kubernetes.model_dump()
    assert of_compose.auth == "key"
    assert of_compose.redis_url is not None
    assert of_compose.redis_url.get_secret_value() == "redis://redis:6379/0"
    assert "redis" in deploy.read_compose()["services"]


def test_placeholder_state_key_is_rejected() -> None:
    """A placeholder that was accepted would sign confirmations with a key that everyone can read."""
    with pytest.raises(InvalidSettings, match="CONTACTS_MCP_STATE_KEYS"):
        load(pod_settings())


def test_nginx_and_ingress_pass_on_all_public_paths_of_the_server() -> None:
    """All that it serves except readiness, and no others."""
    public = {
        _app.MCP_PATH,
        _endpoints.EVENTS_PATH,
        _endpoints.MESSAGES_PATH,
        _lifecycle.HEALTH_PATH,
        _oauth.METADATA_PATH,
    }
    passed = {path for path, body in re.findall(r"location (?:= )?(/\S*) \{([^}]*)\}", NGINX) if "proxy_pass" in body}
    (rule,) = deploy.read_manifests()["Ingress", "contacts-mcp"]["spec"]["rules"]

    assert passed == public | {_files.FILES_PATH}
    assert {each["path"] for each in rule["http"]["paths"]} == public


def test_probes_request_the_health_and_readiness_paths() -> None:
    """Readiness decides on traffic: at once for a new pod, and only after an hour for a running one."""
    paths = {name: container()[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    ready = container()["readinessProbe"]

    assert paths["startup"] == paths["liveness"] == {"path": _lifecycle.HEALTH_PATH, "port": "http"}
    assert paths["readiness"] == {"path": _lifecycle.READINESS_PATH, "port": "http"}
    assert ready["periodSeconds"] * ready["failureThreshold"] == 3600
    assert ready["timeoutSeconds"] > _lifecycle.READINESS_TIMEOUT_SECONDS
    assert f"'{_lifecycle.HEALTH_PATH}'" in deploy.health_check_command()[-1]


def test_nginx_and_canary_know_the_modern_protocol_versions() -> None:
    """nginx spreads exactly the stateless revisions that the server speaks; the canary matches a single value."""
    (known,) = re.findall(r"map \$http_mcp_protocol_version \$era \{(.*?)\}", NGINX, re.DOTALL)
    canary = deploy.read_manifests()["Ingress", "contacts-mcp-modern"]["metadata"]["annotations"]

    assert tuple(re.findall(r"(\S+)\s+modern;", known)) == MODERN_PROTOCOL_VERSIONS
    assert (canary[f"{ANNOTATION}canary-by-header-value"],) == MODERN_PROTOCOL_VERSIONS


def test_body_limit_is_one_mebibyte_everywhere_except_for_files() -> None:
    assert _app.MAX_BODY_BYTES == 1024 * 1024
    assert MAX_FILE_BYTES == 64 * 1024 * 1024
    assert re.findall(r"client_max_body_size (\S+);", NGINX) == ["1m", "64m"]
    assert ingress_annotation("proxy-body-size") == "1m"


def test_nginx_closes_idle_connections_before_the_server() -> None:
    """A POST on a connection that the replica is closing would be lost, and nginx does not repeat it."""
    upstream = re.findall(r"keepalive \d+;\s+keepalive_timeout (\w+);", NGINX)

    assert len(upstream) == 2
    assert all(seconds(each) < http_server.KEEP_ALIVE_SECONDS for each in upstream)


def test_read_timeout_of_the_proxy_exceeds_the_lifetime_of_a_question() -> None:
    (read_timeout,) = re.findall(r"proxy_read_timeout (\w+);", NGINX)

    assert seconds(read_timeout) > ANSWER_LIFETIME_SECONDS
    assert seconds(read_timeout) == int(ingress_annotation("proxy-read-timeout"))


def test_grace_periods_exceed_shutdown_times() -> None:
    """The server takes at most five seconds, nginx at most its worker_shutdown_timeout."""
    services = deploy.read_compose()["services"]
    (shutdown,) = re.findall(r"worker_shutdown_timeout (\w+);", NGINX)

    assert seconds(services["contacts-1"]["stop_grace_period"]) > 5
    assert deploy.read_pod()["terminationGracePeriodSeconds"] > 5
    assert services["nginx"]["stop_signal"] == "SIGQUIT"
    assert seconds(services["nginx"]["stop_grace_period"]) > seconds(shutdown)


def test_names_files_and_ports_of_nginx_match_compose() -> None:
    """The replicas' names, the certificate's secrets, the published ports, and the health check's port."""
    services, this = deploy.read_compose()["services"], deploy.read_compose()["services"]["nginx"]
    certificate = re.findall(r"ssl_certificate(?:_key)?\s+/run/secrets/(\S+);", NGINX)
    listens = set(re.findall(r"listen (?:127\.0\.0\.1:)?(\d+)[ ;]", NGINX))

    assert set(re.findall(r"server (contacts-\d):", NGINX)) == {name for name in services if "contacts" in name}
    assert certificate == this["secrets"] == list(deploy.read_compose()["secrets"])
    assert {each.split(":")[1] for each in this["ports"]} < listens
    assert this["healthcheck"]["test"][-1].split(":")[-1].strip("/") in listens
    assert this["volumes"] == [
        {"type": "bind", "source": "./nginx.conf", "target": "/etc/nginx/nginx.conf", "read_only": True}
    ]


def test_readme_lists_exactly_the_files_of_the_folder() -> None:
    text = (deploy.DEPLOY / "README.md").read_text()
    files = {str(path.relative_to(deploy.DEPLOY)) for path in deploy.DEPLOY.rglob("*") if path.is_file()}
    files -= {"README.md", ".gitignore", *(deploy.DEPLOY / ".gitignore").read_text().splitlines()}
    named = set(re.findall(r"^\| \[`?([^`\]]+)`?\]\(\1\)", text, re.MULTILINE))

    assert files == named
