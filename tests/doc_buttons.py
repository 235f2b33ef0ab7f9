"""The buttons that install the server in a host: their links and their pictures, from the host configurations.

The links hold the entry that `examples/hosts/` shows, with the script of the package's own name.
"""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from doc_parts import ROOT, UPDATE

SERVER_NAME = "wayscloud-contacts"
START = {"command": "uvx", "args": ["wayscloud-contacts-mcp", "serve"]}
IMAGES = ROOT / "docs" / "images"
_HEIGHT, _LETTER, _MARGIN = 28, 7.2, 14  # in pixels
_PICTURE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" aria-label="{text}">
  <title>{text}</title>
  <rect width="{width}" height="{height}" rx="5" fill="#1f4b7a"/>
  <text x="{middle}" y="18.5" fill="#ffffff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="12" text-anchor="middle">{text}</text>
</svg>
"""  # noqa: E501


def _read_host(file: str) -> dict[str, Any]:
    return json.loads((ROOT / "examples" / "hosts" / file).read_text())  # type: ignore[no-any-return]


def _to_text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _in_base64(value: object) -> str:
    return quote(b64encode(_to_text(value).encode()).decode(), safe="")


def vscode_link() -> str:
    """The address that opens VS Code and asks for the key; GitHub shows no links that begin with `vscode:`."""
    host = _read_host("vscode.mcp.json")
    entry = {**host["servers"][SERVER_NAME], **START}
    return (
        f"https://insiders.vscode.dev/redirect/mcp/install?name={SERVER_NAME}"
        f"&inputs={quote(_to_text(host['inputs']), safe='')}&config={quote(_to_text(entry), safe='')}"
    )


def cursor_link() -> str:
    """The address that opens Cursor; GitHub shows no links that begin with `cursor:`."""
    entry = {**_read_host("cursor.mcp.json")["mcpServers"][SERVER_NAME], **START}
    return f"https://cursor.com/en/install-mcp?name={SERVER_NAME}&config={_in_base64(entry)}"


def lm_studio_link() -> str:
    """The address that opens LM Studio, with an entry that works on the embedded directory."""
    return f"https://lmstudio.ai/install-mcp?name={SERVER_NAME}&config={_in_base64(START)}"


BUTTONS = {"VS Code": vscode_link, "Cursor": cursor_link, "LM Studio": lm_studio_link}


def picture_name(host: str) -> str:
    return f"install-{host.lower().replace(' ', '-')}.svg"


def picture(host: str) -> str:
    """A button as SVG, so that no other site learns who reads the page."""
    text = f"Install in {host}"
    width = round(len(text) * _LETTER + 2 * _MARGIN)
    return _PICTURE.format(text=text, width=width, height=_HEIGHT, middle=width / 2)


def buttons(images: str) -> str:
    """The buttons in a row; `images` is the folder of the pictures as the page sees it."""
    return "\n".join(
        f"[![Install in {host}]({images}{picture_name(host)})]({link()})" for host, link in BUTTONS.items()
    )


def check_picture(host: str) -> None:
    """Compare a picture with its file; with UPDATE_README=1 write it first."""
    path = IMAGES / picture_name(host)
    if UPDATE:
        path.write_text(picture(host))
    assert path.read_text() == picture(host)
