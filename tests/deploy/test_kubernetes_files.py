"""The optional shared volume of Kubernetes: it is valid, and with it the replicas make links for files."""

from itertools import product
from typing import Any

import kubernetes_validate
import pytest
import yaml

from contacts_mcp.app._links import links_warning
from contacts_mcp.file_links import MAX_FILE_BYTES
from contacts_mcp.transports.http import _files
from deploy.files import DEPLOY, STATE_KEY, read_manifests
from deploy.test_agreement import load
from deploy.test_kubernetes import APP, NGINX, VERSIONS

pytestmark = pytest.mark.slow

FOLDER = DEPLOY / "kubernetes" / "files"
OBJECTS = {each["kind"]: each for each in yaml.safe_load_all((FOLDER / "files.yaml").read_text())}


def merge(base: Any, patch: Any) -> Any:
    """Merge as `kubectl patch` does by default: objects by key, and these lists by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return {**base, **{key: merge(base.get(key), value) for key, value in patch.items()}}
    if isinstance(base, list) and isinstance(patch, list):
        names = [each["name"] for each in base]
        changed = [merge(each, next((new for new in patch if new["name"] == each["name"]), {})) for each in base]
        return [*changed, *(new for new in patch if new["name"] not in names)]
    return patch


def patched() -> dict[str, Any]:
    """The Deployment after the patch."""
    patch = yaml.safe_load((FOLDER / "deployment-patch.yaml").read_text())
    return merge(read_manifests()["Deployment", "contacts-mcp"], patch)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("version", "kind"), list(product(VERSIONS, OBJECTS)))
def test_manifest_is_valid(version: str, kind: str) -> None:
    kubernetes_validate.validate(OBJECTS[kind], version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_patched_deployment_is_valid(version: str) -> None:
    kubernetes_validate.validate(patched(), version, strict=True)


def test_patched_replicas_make_links_in_the_shared_volume() -> None:
    """Without the patch they would warn that they make none."""
    pod = patched()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = {each["name"]: each.get("value", STATE_KEY) for each in container["env"]}
    settings["CONTACTS_MCP_REDIS_URL"] = "redis://redis:6379/0"
    loaded = load(settings)
    (mounted,) = [each for each in container["volumeMounts"] if each["mountPath"] == str(loaded.links)]
    (volume,) = [each for each in pod["volumes"] if each["name"] == mounted["name"]]

    assert not links_warning(loaded)
    assert volume["persistentVolumeClaim"]["claimName"] == OBJECTS["PersistentVolumeClaim"]["metadata"]["name"]
    assert OBJECTS["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    assert {"tmp", "files"} == {each["name"] for each in pod["volumes"]}


def test_ingress_passes_files_to_any_replica_without_keeping_them() -> None:
    """With the limit of the server, and the time-outs of the other Ingress."""
    ingress, main = OBJECTS["Ingress"], read_manifests()["Ingress", "contacts-mcp"]
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    annotations, others = ingress["metadata"]["annotations"], main["metadata"]["annotations"]
    same = {name for name in others if "timeout" in name or "next-upstream" in name or "ssl" in name}

    assert path["path"] == _files.FILES_PATH
    assert ("Service", path["backend"]["service"]["name"]) in read_manifests()
    assert ingress["spec"]["rules"][0]["host"] == main["spec"]["rules"][0]["host"]
    assert ingress["spec"]["tls"] == main["spec"]["tls"]
    assert annotations[f"{NGINX}proxy-body-size"] == f"{MAX_FILE_BYTES // 1024**2}m"
    assert annotations[f"{NGINX}proxy-request-buffering"] == "off"
    assert {name: annotations[name] for name in same} == {name: others[name] for name in same}
    assert {each["metadata"]["labels"] == APP for each in OBJECTS.values()} == {True}
