"""Read the files of examples/deploy."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
DOCKERFILE = ROOT / "Dockerfile"
HOST = "contacts.example.com"
STATE_KEY = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Instruction:
    """An instruction of a Dockerfile, joined to one line."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form. Raises ValueError for the shell form."""
        return [str(word) for word in json.loads(self.value)]


def read_dockerfile() -> list[list[Instruction]]:
    """Return the instructions of each stage. The first list has those before the first FROM."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    stages: list[list[Instruction]] = [[]]
    for line in filter(str.strip, text.replace("\\\n", " ").splitlines()):
        name, value = line.split(maxsplit=1)
        if name == "FROM":
            stages.append([])
        stages[-1].append(Instruction(name, " ".join(value.split())))
    return stages


def image_instructions() -> dict[str, Instruction]:
    return {each.name: each for each in read_dockerfile()[-1]}


def health_check_command() -> list[str]:
    _, _, command = image_instructions()["HEALTHCHECK"].value.partition("CMD ")
    return [str(word) for word in json.loads(command)]


def check_health(port: int) -> None:
    """Run the image's health check against another port. Raises CalledProcessError if it fails."""
    _, *words = health_check_command()
    assert words[-1].count("8000") == 1
    words[-1] = words[-1].replace("8000", str(port))
    subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=30)


def read_compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())  # type: ignore[no-any-return]


def compose_settings() -> dict[str, str]:
    """Return what compose.yaml sets for a replica, with the operator's secret filled in."""
    given = dict(read_compose()["services"]["contacts-1"]["environment"])
    assert given["CONTACTS_MCP_STATE_KEYS"].startswith("${CONTACTS_MCP_STATE_KEYS:?")
    return {**given, "CONTACTS_MCP_STATE_KEYS": STATE_KEY}


def read_manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the Kubernetes objects by kind and name, including the template of the Secret."""
    files = [*(DEPLOY / "kubernetes").glob("*.yaml"), *(DEPLOY / "kubernetes").glob("*.yaml.template")]
    objects = [each for path in sorted(files) for each in yaml.safe_load_all(path.read_text())]
    named = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(named) == len(objects)
    return named


def read_pod() -> dict[str, Any]:
    return read_manifests()["Deployment", "contacts-mcp"]["spec"]["template"]["spec"]  # type: ignore[no-any-return]
