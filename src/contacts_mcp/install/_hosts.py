"""The hosts that a server can be installed in, as data: where each keeps its servers, and how it writes an entry.

The facts are from the hosts' documentation and source, up to November 2026.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contacts_mcp.install._formats import FileFormat

DESCRIPTION = "Contacts and groups of the WAYSCloud Contacts API"
_GOOSE_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Launch:
    """How a host starts the server."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Places:
    """Where programs of this user keep their files. Nothing is read or created."""

    home: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    platform: str = sys.platform

    @property
    def config(self) -> Path:
        """The folder for configuration of programs that follow XDG, also on macOS."""
        return Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")

    @property
    def app_data(self) -> Path:
        """The folder for configuration of programs that follow the customs of the system."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return Path(self.environ.get("APPDATA") or self.home / "AppData" / "Roaming")
        return self.config

    def by_system(self, *, windows: Path, others: Path) -> Path:
        """Return the place for this system."""
        return windows if self.platform == "win32" else others

    def from_variable(self, name: str, default: Path) -> Path:
        """Return the folder that a variable of a host names, or its default."""
        return Path(self.environ.get(name) or default)


@dataclass(frozen=True, slots=True)
class InstallHost:
    """A host with a file for its servers.

    Attributes:
        locate: returns its file.
        signs: return files or folders, one of which exists if the host is installed.
        section: the name of the part of the file that holds the servers.
        logs: where a person finds what the server wrote to standard error; `NAME` is the entry's name.
        next_step: what a person does so that the host reads its file again.
        has_full_environment: whether it passes its own environment on, instead of a few variables.
        project_file: the file of a project, which is shared with others.
        shape: returns the entry for a name and a launch.
    """

    title: str
    locate: Callable[[Places], Path]
    signs: Callable[[Places], tuple[Path, ...]]
    section: str
    logs: Callable[[Places], str]
    next_step: str
    shape: Callable[[str, Launch], dict[str, Any]]
    file_format: FileFormat = FileFormat.JSON
    has_full_environment: bool = False
    project_file: str | None = None


def _plain(_name: str, launch: Launch) -> dict[str, Any]:
    env = {"env": dict(launch.env)} if launch.env else {}
    return {"command": launch.command, "args": list(launch.args), **env}


def _typed(name: str, launch: Launch) -> dict[str, Any]:
    return {"type": "stdio", **_plain(name, launch)}


def _goose(name: str, launch: Launch) -> dict[str, Any]:
    return {
        "enabled": True,
        "type": "stdio",
        "name": name,
        "description": DESCRIPTION,
        "cmd": launch.command,
        "args": list(launch.args),
        "envs": dict(launch.env),
        "env_keys": [],
        "timeout": _GOOSE_TIMEOUT_SECONDS,
    }


def read_launch(entry: Any) -> Launch | None:
    """Return how an entry of any of these hosts starts a server; None if it starts no process."""
    if not isinstance(entry, dict):
        return None
    command = entry.get("command", entry.get("cmd"))
    if isinstance(command, dict):  # Zed, until 2025
        return read_launch({**command, "command": command.get("path")})
    args, env = entry.get("args") or [], entry.get("env", entry.get("envs")) or {}
    if not isinstance(command, str) or not isinstance(args, list) or not isinstance(env, dict):
        return None
    return Launch(command, tuple(map(str, args)), {str(name): str(value) for name, value in env.items()})


ENTRY_FIELDS = frozenset({"command", "cmd", "args", "env", "envs", "type"})
"""The fields of an entry that this program writes; a person may have added others, such as `disabled`."""


def _claude_logs(places: Places) -> str:
    if places.platform == "darwin":
        return str(places.home / "Library" / "Logs" / "Claude" / "mcp-server-NAME.log")
    return str(places.app_data / "Claude" / "logs" / "mcp-server-NAME.log")


def _zed_logs(places: Places) -> str:
    if places.platform == "darwin":
        return str(places.home / "Library" / "Logs" / "Zed" / "Zed.log")
    share = places.environ.get("XDG_DATA_HOME") or places.home / ".local" / "share"
    return str(places.by_system(windows=places.home / "AppData" / "Local" / "Zed", others=Path(share, "zed")) / "logs")


INSTALL_HOSTS: Mapping[str, InstallHost] = {
    "claude-desktop": InstallHost(
        "Claude Desktop",
        locate=lambda places: places.app_data / "Claude" / "claude_desktop_config.json",
        signs=lambda places: (places.app_data / "Claude",),
        section="mcpServers",
        logs=_claude_logs,
        next_step="quit Claude Desktop and start it again",
        shape=_plain,
    ),
    "claude-code": InstallHost(
        "Claude Code",
        locate=lambda places: places.from_variable("CLAUDE_CONFIG_DIR", places.home) / ".claude.json",
        signs=lambda places: (places.home / ".claude.json", places.home / ".claude"),
        section="mcpServers",
        logs=lambda _: "start it with `claude --debug`",
        next_step="start a new session",
        shape=_typed,
        has_full_environment=True,
        project_file=".mcp.json",
    ),
    "vscode": InstallHost(
        "VS Code",
        locate=lambda places: places.app_data / "Code" / "User" / "mcp.json",
        signs=lambda places: (places.app_data / "Code",),
        section="servers",
        logs=lambda _: "run the command `MCP: List Servers`, choose NAME, then Show Output",
        next_step="run the command `MCP: List Servers` and start NAME",
        shape=_typed,
        has_full_environment=True,
        project_file=".vscode/mcp.json",
    ),
    "cursor": InstallHost(
        "Cursor",
        locate=lambda places: places.home / ".cursor" / "mcp.json",
        signs=lambda places: (places.home / ".cursor",),
        section="mcpServers",
        logs=lambda _: "open the panel Output and choose MCP Logs",
        next_step="open Settings, Tools & MCP, and switch NAME on",
        shape=_plain,
        project_file=".cursor/mcp.json",
    ),
    "windsurf": InstallHost(
        "Windsurf",
        locate=lambda places: places.home / ".codeium" / "windsurf" / "mcp_config.json",
        signs=lambda places: (places.home / ".codeium" / "windsurf",),
        section="mcpServers",
        logs=lambda _: "open the panel Output and choose Windsurf",
        next_step="open the MCP servers in the settings of Cascade, and press Refresh",
        shape=_plain,
    ),
    "codex": InstallHost(
        "Codex",
        locate=lambda places: places.from_variable("CODEX_HOME", places.home / ".codex") / "config.toml",
        signs=lambda places: (places.from_variable("CODEX_HOME", places.home / ".codex"),),
        section="mcp_servers",
        logs=lambda places: str(places.from_variable("CODEX_HOME", places.home / ".codex") / "log" / "codex-tui.log"),
        next_step="start a new session",
        shape=_plain,
        file_format=FileFormat.TOML,
    ),
    "gemini": InstallHost(
        "Gemini CLI",
        locate=lambda places: places.home / ".gemini" / "settings.json",
        signs=lambda places: (places.home / ".gemini",),
        section="mcpServers",
        logs=lambda _: "start it with `gemini --debug`, and press F12",
        next_step="start a new session",
        shape=_plain,
        project_file=".gemini/settings.json",
    ),
    "zed": InstallHost(
        "Zed",
        locate=lambda places: (
            places.by_system(windows=places.app_data / "Zed", others=places.config / "zed") / "settings.json"
        ),
        signs=lambda places: (places.by_system(windows=places.app_data / "Zed", others=places.config / "zed"),),
        section="context_servers",
        logs=_zed_logs,
        next_step="Zed starts it by itself",
        shape=_plain,
        has_full_environment=True,
        project_file=".zed/settings.json",
    ),
    "goose": InstallHost(
        "Goose",
        locate=lambda places: _goose_folder(places) / "config.yaml",
        signs=lambda places: (_goose_folder(places),),
        section="extensions",
        logs=lambda places: str(
            places.by_system(
                windows=places.app_data / "Block" / "goose" / "data" / "logs",
                others=places.home / ".local" / "state" / "goose" / "logs",
            )
        ),
        next_step="start a new session",
        shape=_goose,
        file_format=FileFormat.YAML,
        has_full_environment=True,
    ),
    "lm-studio": InstallHost(
        "LM Studio",
        locate=lambda places: places.home / ".lmstudio" / "mcp.json",
        signs=lambda places: (places.home / ".lmstudio",),
        section="mcpServers",
        logs=lambda places: str(places.home / ".lmstudio" / "server-logs"),
        next_step="open the tab Program and switch NAME on",
        shape=_plain,
    ),
}
"""The hosts, by the name that commands use."""


def _goose_folder(places: Places) -> Path:
    windows = places.app_data / "Block" / "goose" / "config"
    return places.by_system(windows=windows, others=places.config / "goose")


def is_installed(host: InstallHost, places: Places) -> bool:
    """Whether this user has the host, by its files."""
    return any(each.exists() for each in (host.locate(places), *host.signs(places)))
