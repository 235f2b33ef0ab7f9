"""The manifests: valid for the versions in use, and each pod as little as it can be."""

from itertools import product

import kubernetes_validate
import pytest

from contacts_mcp.settings import InvalidSettings, load_settings
from deploy.files import DEPLOY, manifests, pod

VERSIONS = ["1.31", "1.34", "1.37"]
APP = {"app.kubernetes.io/name": "contacts-mcp"}
NGINX = "nginx.ingress.kubernetes.io/"


@pytest.mark.parametrize(("version", "name"), list(product(VERSIONS, manifests())), ids=str)
def test_manifests_are_valid(version: str, name: tuple[str, str]) -> None:
    """By the API's own schema, without a field that it does not know."""
    kubernetes_validate.validate(manifests()[name], version, strict=True)


def test_there_is_what_a_deployment_needs() -> None:
    """And the secret is no file that `kubectl apply -f` would take."""
    assert set(manifests()) == {
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


def test_pods_are_confined() -> None:
    """No root, no capability, no way to more, nothing to write but memory, no token, no end of memory."""
    (container,) = pod()["containers"]

    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["volumes"] == [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}]
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert container["resources"]["limits"]["memory"]


def test_a_pod_is_told_of_no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """CONTACTS_MCP_SERVICE_HOST is no setting, and the server refuses to start with it."""
    assert pod()["enableServiceLinks"] is False
    monkeypatch.setenv("CONTACTS_MCP_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(InvalidSettings):
        load_settings()


def test_a_rollout_and_a_drain_leave_a_replica() -> None:
    """Two replicas, none taken away before another is ready, one at a time by a drain, not both on a node."""
    spec = manifests()["Deployment", "contacts-mcp"]["spec"]
    budget = manifests()["PodDisruptionBudget", "contacts-mcp"]["spec"]

    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert budget["maxUnavailable"] == 1
    assert [each["topologyKey"] for each in pod()["topologySpreadConstraints"]] == ["kubernetes.io/hostname"]


def test_everything_selects_the_pods() -> None:
    """One label, the same everywhere; a slip would make a Service empty or a policy void."""
    objects = manifests()

    assert objects["Deployment", "contacts-mcp"]["spec"]["selector"]["matchLabels"] == APP
    assert objects["Deployment", "contacts-mcp"]["spec"]["template"]["metadata"]["labels"] == APP
    assert objects["PodDisruptionBudget", "contacts-mcp"]["spec"]["selector"]["matchLabels"] == APP
    assert objects["NetworkPolicy", "contacts-mcp"]["spec"]["podSelector"]["matchLabels"] == APP
    for (kind, _), each in objects.items():
        assert each["metadata"]["labels"] == APP
        assert kind != "Service" or each["spec"]["selector"] == APP


def test_legacy_sticks_and_modern_does_not() -> None:
    """The main Ingress hashes the caller's key; the canary takes modern /mcp to a Service of its own."""
    main, canary = (manifests()["Ingress", name] for name in ("contacts-mcp", "contacts-mcp-modern"))
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


def test_streams_pass_and_no_post_is_repeated() -> None:
    """As in nginx.conf, by the annotations that do the same."""
    annotations = manifests()["Ingress", "contacts-mcp"]["metadata"]["annotations"]

    assert annotations[f"{NGINX}proxy-buffering"] == "off"
    assert annotations[f"{NGINX}proxy-next-upstream"] == "error timeout"
    assert all(isinstance(value, str) for value in annotations.values())


def test_policy_names_both_ways() -> None:
    """What a NetworkPolicy does not name it leaves open; and the node's metadata service is out of reach."""
    spec = manifests()["NetworkPolicy", "contacts-mcp"]["spec"]
    blocks = [to["ipBlock"] for rule in spec["egress"] for to in rule["to"] if "ipBlock" in to]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule["from"] and rule["ports"] for rule in spec["ingress"])
    assert all(rule["to"] and rule["ports"] for rule in spec["egress"])
    assert "169.254.0.0/16" in blocks[0]["except"]
