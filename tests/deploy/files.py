"""What stands in examples/deploy, read by what it means."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, on one line."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form. ValueError for the shell form."""
        return [str(word) for word in json.loads(self.value)]


def dockerfile() -> list[list[Instruction]]:
    """The instructions of each stage; the first list holds what comes before the first FROM."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: list[list[Instruction]] = [[]]
    for line in filter(str.strip, text.replace("\\\n", " ").splitlines()):
        name, value = line.split(maxsplit=1)
        if name == "FROM":
            stages.append([])
        stages[-1].append(Instruction(name, " ".join(value.split())))
    return stages


def image() -> dict[str, Instruction]:
    """The last instruction of each name in the stage that becomes the image."""
    return {each.name: each for each in dockerfile()[-1]}


def health_check() -> list[str]:
    """The command by which the image tells whether it is alive."""
    _, _, command = image()["HEALTHCHECK"].value.partition("CMD ")
    return [str(word) for word in json.loads(command)]


def check_health(port: int) -> None:
    """Run the image's own check against another port. CalledProcessError where it fails."""
    _, *words = health_check()
    assert words[-1].count("8000") == 1
    words[-1] = words[-1].replace("8000", str(port))
    subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=30)


def compose() -> dict[str, Any]:
    """The compose file, merged and with its anchors followed."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())  # type: ignore[no-any-return]


def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """The Kubernetes objects by kind and name, the template of the Secret among them."""
    files = [*(DEPLOY / "kubernetes").glob("*.yaml"), *(DEPLOY / "kubernetes").glob("*.yaml.template")]
    objects = [each for path in sorted(files) for each in yaml.safe_load_all(path.read_text())]
    named = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(named) == len(objects)
    return named


def pod() -> dict[str, Any]:
    """The pod of the Deployment."""
    return manifests()["Deployment", "contacts-mcp"]["spec"]["template"]["spec"]  # type: ignore[no-any-return]
