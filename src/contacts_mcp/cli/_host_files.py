"""Where hosts keep the settings of the servers that they start, so that a fault in one can be found."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_APP_DATA = {"darwin": "Library/Application Support", "win32": "AppData/Roaming"}.get(sys.platform, ".config")
_IN_HOME = (
    ("Claude Desktop", f"{_APP_DATA}/Claude/claude_desktop_config.json"),
    ("Claude Code", ".claude.json"),
    ("VS Code", f"{_APP_DATA}/Code/User/mcp.json"),
    ("Cursor", ".cursor/mcp.json"),
    ("Codex", ".codex/config.toml"),
    ("Gemini CLI", ".gemini/settings.json"),
    ("Zed", ".config/zed/settings.json"),
    ("Goose", ".config/goose/config.yaml"),
    ("LM Studio", ".lmstudio/mcp.json"),
    ("Windsurf", ".codeium/windsurf/mcp_config.json"),
)
_IN_PROJECT = (
    ("Claude Code", ".mcp.json"),
    ("VS Code", ".vscode/mcp.json"),
    ("Cursor", ".cursor/mcp.json"),
    ("Gemini CLI", ".gemini/settings.json"),
    ("Zed", ".zed/settings.json"),
)
_MENTIONS = ("contacts-mcp", "contacts_mcp", "WAYSCLOUD_", "CONTACTS_MCP_")
_MAX_BYTES = 4 * 1024 * 1024


def find_host_files(home: Path, project: Path) -> list[str]:
    """Describe the hosts' files that mention this server, or if none does, all that exist on this machine."""
    found = list(_existing(home, project))
    return [each for each, mentions in found if mentions] or [each for each, _ in found]


def _existing(home: Path, project: Path) -> Iterator[tuple[str, bool]]:
    for folder, files in ((project, _IN_PROJECT), (home, _IN_HOME)):
        for host, name in files:
            path = folder / name
            with suppress(OSError):
                if path.is_file():
                    shown = f"~/{name}" if folder == home else str(path)
                    yield f"{shown} ({host})", _mentions_us(path)


def _mentions_us(path: Path) -> bool:
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES).decode(errors="replace")
    return any(name in content for name in _MENTIONS)
