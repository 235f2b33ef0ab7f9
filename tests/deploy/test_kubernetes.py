"""The manifests are valid for the versions in use, and their pods have minimal privileges."""

from itertools import product

import kubernetes_validate
import pytest

from contacts_mcp.settings import InvalidSettings, load_settings
from deploy.files import DEPLOY, read_manifests, read_pod

VERSIONS = ["1.31", "1.34", "1.37"]
APP = {"app.kubernetes.io/name": "contacts-mcp"}
NGINX = "nginx.ingress.kubernetes.io/"


@pytest.mark.slow
@pytest.mark.parametrize(("version", "name"), list(product(VERSIONS, read_manifests())), ids=str)
def test_manifest_is_valid(version: str, name: tuple[str, str]) -> None:
    """By the schema of the Kubernetes API, without unknown fields."""
    kubernetes_validate.validate(read_manifests()[name], version, strict=True)


def test_manifests_contain_the_expected_objects() -> None:
    """The Secret is a template, which `kubectl apply -f` ignores."""
    assert set(read_manifests()) == {
        ("Deployment", "contacts-mcp"),
        ("Service", "contacts-mcp"),
        ("Service", "contacts-mcp-modern"),
        ("Ingress", "contacts-mcp"),
        ("Ingress", "contacts-mcp-modern"),
        ("Secret", "contacts-mcp"),
        ("PodDisruptionBudget", "contacts-mcp"),
        ("NetworkPolicy", "contacts-mcp"),
    }
    assert not any("kind: Secret" in path.read_text() for path in (DEPLOY / "kubernetes").glob("*.yaml"))


def test_pod_has_minimal_privileges() -> None:
    """No root, no capabilities, no privilege escalation, no token; only memory is writable; memory is limited."""
    (container,) = read_pod()["containers"]

    assert read_pod()["securityContext"]["runAsNonRoot"] is True
    assert read_pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert read_pod()["automountServiceAccountToken"] is False
    assert read_pod()["volumes"] == [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}]
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert container["resources"]["limits"]["memory"]


def test_pod_gets_no_service_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses to start with CONTACTS_MCP_SERVICE_HOST, which is not a setting."""
    assert read_pod()["enableServiceLinks"] is False
    monkeypatch.setenv("CONTACTS_MCP_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(InvalidSettings):
        load_settings()


def test_rollout_and_drain_leave_a_ready_replica() -> None:
    """None stops before another is ready, a drain stops one at a time, and they run on different nodes."""
    spec = read_manifests()["Deployment", "contacts-mcp"]["spec"]
    budget = read_manifests()["PodDisruptionBudget", "contacts-mcp"]["spec"]

    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert budget["maxUnavailable"] == 1
    assert [each["topologyKey"] for each in read_pod()["topologySpreadConstraints"]] == ["kubernetes.io/hostname"]


def test_all_objects_have_and_select_the_same_label() -> None:
    """A typing error would leave a Service or a policy without pods."""
    objects = read_manifests()

    assert objects["Deployment", "contacts-mcp"]["spec"]["selector"]["matchLabels"] == APP
    assert objects["Deployment", "contacts-mcp"]["spec"]["template"]["metadata"]["labels"] == APP
    assert objects["PodDisruptionBudget", "contacts-mcp"]["spec"]["selector"]["matchLabels"] == APP
    assert objects["NetworkPolicy", "contacts-mcp"]["spec"]["podSelector"]["matchLabels"] == APP
    for (kind, _), each in objects.items():
        assert each["metadata"]["labels"] == APP
        assert kind != "Service" or each["spec"]["selector"] == APP


def test_ingress_hashes_legacy_callers_and_spreads_modern_requests() -> None:
    """The main Ingress hashes the caller's key; the canary sends modern /mcp to another Service."""
    main, canary = (read_manifests()["Ingress", name] for name in ("contacts-mcp", "contacts-mcp-modern"))
    (rule,), (modern_rule,) = main["spec"]["rules"], canary["spec"]["rules"]
    annotations = canary["metadata"]["annotations"]

    assert main["metadata"]["annotations"][f"{NGINX}upstream-hash-by"] == "$http_authorization$http_x_api_key"
    assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {"contacts-mcp"}
    assert annotations[f"{NGINX}canary"] == "true"
    assert annotations[f"{NGINX}canary-by-header"] == "Mcp-Protocol-Version"
    assert f"{NGINX}upstream-hash-by" not in annotations
    assert [path["path"] for path in modern_rule["http"]["paths"]] == ["/mcp"]
    assert [path["backend"]["service"]["name"] for path in modern_rule["http"]["paths"]] == ["contacts-mcp-modern"]
    assert main["spec"]["ingressClassName"] == canary["spec"]["ingressClassName"] == "nginx"
    assert main["spec"]["tls"] == canary["spec"]["tls"]


def test_ingress_does_not_buffer_streams_or_repeat_posts() -> None:
    """As in nginx.conf."""
    annotations = read_manifests()["Ingress", "contacts-mcp"]["metadata"]["annotations"]

    assert annotations[f"{NGINX}proxy-buffering"] == "off"
    assert annotations[f"{NGINX}proxy-next-upstream"] == "error timeout"
    assert all(isinstance(value, str) for value in annotations.values())


def test_network_policy_restricts_ingress_and_egress() -> None:
    """A policy allows everything in a direction that it does not name. The node's metadata service is excluded."""
    spec = read_manifests()["NetworkPolicy", "contacts-mcp"]["spec"]
    blocks = [to["ipBlock"] for rule in spec["egress"] for to in rule["to"] if "ipBlock" in to]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule["from"] and rule["ports"] for rule in spec["ingress"])
    assert all(rule["to"] and rule["ports"] for rule in spec["egress"])
    assert "169.254.0.0/16" in blocks[0]["except"]
