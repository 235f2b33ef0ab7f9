"""The facts of the package that its descriptions for registries and hosts repeat."""

import json
import tomllib
from pathlib import Path
from typing import Any

from contacts_mcp.settings import Settings, env_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SETTINGS = {env_name(name): info for name, info in Settings.model_fields.items()}
SERVER_NAME = "wayscloud-contacts"
OPTIONS = {"WAYSCLOUD_API_KEY", "CONTACTS_MCP_DIRECTORY", "CONTACTS_MCP_FILES", "CONTACTS_MCP_DEFAULT_REGION"}
"""What a host's form asks for, as `contacts-mcp install` does. All of them are optional."""


def is_secret(variable: str) -> bool:
    """Whether a setting holds a secret, by its type."""
    return "SecretStr" in str(SETTINGS[variable].annotation)


def read_json(path: str) -> dict[str, Any]:
    """Read a file of the repository."""
    return json.loads((ROOT / path).read_text())  # type: ignore[no-any-return]
