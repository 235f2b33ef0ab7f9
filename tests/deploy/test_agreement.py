"""What stands in several files is the same in all, and is what the server does."""

import re
from typing import Any

import pytest
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from contacts_mcp import __version__
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS
from contacts_mcp.settings import InvalidSettings, Settings, load_settings
from contacts_mcp.transports.http import _app, _endpoints, _lifecycle, _serve
from contacts_mcp.transports.http.access import _oauth
from deploy.files import DEPLOY, compose, health_check, image, manifests, pod
from deploy.fleet import STATE_KEY, settings
from deploy.running import HOST

NGINX = (DEPLOY / "nginx.conf").read_text()
ANNOTATION = "nginx.ingress.kubernetes.io/"
BOTH = ("contacts-mcp", "contacts-mcp-modern")


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    return only  # type: ignore[no-any-return]


def flag(name: str) -> str:
    """A flag of the image's command."""
    words = image()["CMD"].words
    return words[words.index(name) + 1]


def seconds(value: str) -> int:
    return int(value[:-1]) * {"s": 1, "m": 60}[value[-1]]


def ingress_annotation(name: str) -> str:
    return str(manifests()["Ingress", "contacts-mcp"]["metadata"]["annotations"][ANNOTATION + name])


def pod_settings() -> dict[str, str]:
    """What the Deployment sets, with the template of the Secret filled in."""
    secret = manifests()["Secret", "contacts-mcp"]["stringData"]
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


def test_the_port_is_one() -> None:
    """Image, nginx and Kubernetes; the Ingress and the probes go by its name."""
    port = flag("--port")
    named = {each["name"]: each["containerPort"] for each in container()["ports"]}
    in_policy = manifests()["NetworkPolicy", "contacts-mcp"]["spec"]["ingress"][0]["ports"]

    assert port in image()["EXPOSE"].value.split()
    assert f"'127.0.0.1', {port}," in health_check()[-1]
    assert set(re.findall(r"server contacts-[12]:(\d+)", NGINX)) == {port}
    assert str(named["http"]) == port
    assert [str(each["port"]) for each in in_policy] == [port]
    for name in BOTH:
        (served,) = manifests()["Service", name]["spec"]["ports"]
        assert served == {"name": "http", "port": int(port), "targetPort": "http"}


def test_the_port_of_metrics_is_one() -> None:
    """And it is nobody's whom clients could reach."""
    port = settings()["CONTACTS_MCP_METRICS_PORT"]
    in_policy = manifests()["NetworkPolicy", "contacts-mcp"]["spec"]["ingress"][1]["ports"]

    assert pod_settings()["CONTACTS_MCP_METRICS_PORT"] == port
    assert image()["EXPOSE"].value.split() == [flag("--port"), port]
    assert {each["containerPort"] for each in container()["ports"] if each["name"] == "metrics"} == {int(port)}
    assert [str(each["port"]) for each in in_policy] == [port]
    assert port not in NGINX
    assert port not in str(manifests()["Service", "contacts-mcp"])


def test_the_user_is_one() -> None:
    """Image and pod."""
    context = pod()["securityContext"]

    assert image()["USER"].value == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_the_image_is_one() -> None:
    """The name that is built, the one that compose runs and the one that Kubernetes runs, in this version."""
    (built,) = re.findall(r"docker build .* -t (\S+) \.", (DEPLOY / "Dockerfile").read_text())
    services = compose()["services"]

    assert built == f"wayscloud-contacts-mcp:{__version__}"
    assert services["contacts-1"]["image"] == services["contacts-2"]["image"] == built
    assert container()["image"] == f"registry.example.com/{built}"
    build = services["contacts-1"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_the_command_is_one() -> None:
    """Kubernetes gives the image's own arguments; compose leaves them to the image."""
    assert container()["args"] == image()["CMD"].words
    assert not {"command", "entrypoint"} & (set(container()) | set(compose()["services"]["contacts-1"]))


def test_the_name_is_one() -> None:
    """nginx answers to it, the replicas check it, the Ingress routes it."""
    hosts = {rule["host"] for name in BOTH for rule in manifests()["Ingress", name]["spec"]["rules"]}

    assert re.findall(r"server_name ([^_]\S*);", NGINX) == [HOST]
    assert settings()["CONTACTS_MCP_PUBLIC_HOST"] == pod_settings()["CONTACTS_MCP_PUBLIC_HOST"] == HOST
    assert hosts == {HOST}


def test_settings_are_the_servers_and_the_same_for_compose_and_kubernetes() -> None:
    """The server starts with each, and knows every name."""
    by_compose = load(settings())
    by_kubernetes = load({**pod_settings(), "CONTACTS_MCP_STATE_KEYS": STATE_KEY})

    assert by_compose == by_kubernetes
    assert by_compose.auth == "key"
    assert by_compose.redis_url is not None
    assert by_compose.redis_url.get_secret_value() == "redis://redis:6379/0"
    assert "redis" in compose()["services"]


def test_the_secret_as_it_stands_is_refused() -> None:
    """A placeholder that passed for a key would seal every confirmation with a word that all can read."""
    with pytest.raises(InvalidSettings, match="CONTACTS_MCP_STATE_KEYS"):
        load(pod_settings())


def test_paths_are_the_servers() -> None:
    """Every path that the server serves is passed on, but readiness; and none that it does not."""
    public = {
        _app.MCP_PATH,
        _endpoints.EVENTS_PATH,
        _endpoints.MESSAGES_PATH,
        _lifecycle.HEALTH_PATH,
        _oauth.METADATA_PATH,
    }
    passed = {path for path, body in re.findall(r"location (?:= )?(/\S*) \{([^}]*)\}", NGINX) if "proxy_pass" in body}
    (rule,) = manifests()["Ingress", "contacts-mcp"]["spec"]["rules"]

    assert passed == public
    assert {each["path"] for each in rule["http"]["paths"]} == public


def test_probes_ask_the_servers_pages() -> None:
    """Alive decides on a restart, ready on traffic: on a new pod's at once, on an old one's after an hour."""
    paths = {name: container()[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    ready = container()["readinessProbe"]

    assert paths["startup"] == paths["liveness"] == {"path": _lifecycle.HEALTH_PATH, "port": "http"}
    assert paths["readiness"] == {"path": _lifecycle.READINESS_PATH, "port": "http"}
    assert ready["periodSeconds"] * ready["failureThreshold"] == 3600
    assert ready["timeoutSeconds"] > _lifecycle.READINESS_TIMEOUT_SECONDS
    assert f"'{_lifecycle.HEALTH_PATH}'" in health_check()[-1]


def test_modern_versions_are_the_servers() -> None:
    """nginx spreads each stateless revision that the server speaks, and nothing beside; the canary knows one value."""
    (known,) = re.findall(r"map \$http_mcp_protocol_version \$era \{(.*?)\}", NGINX, re.DOTALL)
    canary = manifests()["Ingress", "contacts-mcp-modern"]["metadata"]["annotations"]

    assert tuple(re.findall(r"(\S+)\s+modern;", known)) == MODERN_PROTOCOL_VERSIONS
    assert (canary[f"{ANNOTATION}canary-by-header-value"],) == MODERN_PROTOCOL_VERSIONS


def test_limits_of_bodies_are_the_servers() -> None:
    """1 MiB."""
    assert _app.MAX_BODY_BYTES == 1024 * 1024
    assert re.findall(r"client_max_body_size (\S+);", NGINX) == ["1m"]
    assert ingress_annotation("proxy-body-size") == "1m"


def test_idle_connections_are_closed_by_nginx_first() -> None:
    """A POST on a connection that the replica is closing would be lost, and is not repeated."""
    upstream = re.findall(r"keepalive \d+;\s+keepalive_timeout (\w+);", NGINX)

    assert len(upstream) == 2
    assert all(seconds(each) < _serve.KEEP_ALIVE_SECONDS for each in upstream)


def test_a_person_has_time_to_answer() -> None:
    """The proxy waits longer than a question lives."""
    (patience,) = re.findall(r"proxy_read_timeout (\w+);", NGINX)

    assert seconds(patience) > ANSWER_LIFETIME_SECONDS
    assert seconds(patience) == int(ingress_annotation("proxy-read-timeout"))


def test_nobody_is_killed_who_is_stopping() -> None:
    """The server takes five seconds at most, nginx as long as it says; both are given more."""
    services = compose()["services"]
    (shutdown,) = re.findall(r"worker_shutdown_timeout (\w+);", NGINX)

    assert seconds(services["contacts-1"]["stop_grace_period"]) > 5
    assert pod()["terminationGracePeriodSeconds"] > 5
    assert services["nginx"]["stop_signal"] == "SIGQUIT"
    assert seconds(services["nginx"]["stop_grace_period"]) > seconds(shutdown)


def test_nginx_finds_what_compose_gives_it() -> None:
    """Replicas by their names, the certificate where secrets lie, the ports that are published, a page for health."""
    services, this = compose()["services"], compose()["services"]["nginx"]
    certificate = re.findall(r"ssl_certificate(?:_key)?\s+/run/secrets/(\S+);", NGINX)
    listens = set(re.findall(r"listen (?:127\.0\.0\.1:)?(\d+)[ ;]", NGINX))

    assert set(re.findall(r"server (contacts-\d):", NGINX)) == {name for name in services if "contacts" in name}
    assert certificate == this["secrets"] == list(compose()["secrets"])
    assert {each.split(":")[1] for each in this["ports"]} < listens
    assert this["healthcheck"]["test"][-1].split(":")[-1].strip("/") in listens
    assert this["volumes"] == [
        {"type": "bind", "source": "./nginx.conf", "target": "/etc/nginx/nginx.conf", "read_only": True}
    ]


def test_the_readme_names_every_file() -> None:
    """And none that is not there."""
    text = (DEPLOY / "README.md").read_text()
    files = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file()}
    files -= {"README.md", ".gitignore", *(DEPLOY / ".gitignore").read_text().splitlines()}
    named = set(re.findall(r"^\| \[`?([^`\]]+)`?\]\(\1\)", text, re.MULTILINE))

    assert {name.replace("Dockerfile.dockerignore", "Dockerfile") for name in files} == named
