"""What may be in a host's file before the server is installed: nothing, or a lot."""

from collections.abc import Iterator

from contacts_mcp.install import INSTALL_HOSTS, FileFormat

_JSON = """\
// Settings of this host
{
  "theme": "dark", // "SECTION": {}
  /* the servers
     of this computer */
  "SECTION": { // mine
    // "old": {"command": "gone"},
    "files": {"command": "npx", "args": ["-y", "files", "/srv",], "env": {"API_KEY": "s3cret"}},
    "web": {
      "url": "https://example.com/mcp"
    },
  },
  "last": [1, 2, {"x": null}],
}
// the end
"""
_TOML = """\
# Settings of this host
model = "o9"
notes = '''
[SECTION.wayscloud-contacts]
'''

[SECTION.files]
command = "npx"  # by npm
args = [
  "-y",
  "files",
]

[SECTION.files.env]
API_KEY = "s3cret"

# colors
[tui]
theme = "dark"
"""
_YAML = """\
# Settings of this host
MODEL: 'o9'
SECTION:
  # mine
  files:
    cmd: npx   # by npm
    args: [-y, files]
    envs:
      API_KEY: s3cret
    description: >
      several
      lines

  # the web
  web: {type: sse, uri: "https://example.com/mcp"}
last: yes
"""
_CROWDED = {FileFormat.JSON: _JSON, FileFormat.TOML: _TOML, FileFormat.YAML: _YAML}


def crowded(host: str) -> bytes:
    """A file of this host with comments, other servers and other settings."""
    found = INSTALL_HOSTS[host]
    return _CROWDED[found.file_format].replace("SECTION", found.section).encode()


def states(host: str) -> Iterator[tuple[str, bytes | None]]:
    """The files that a host may have: their content, or None for no file."""
    is_json = INSTALL_HOSTS[host].file_format is FileFormat.JSON
    yield "absent", None
    yield "empty", b""
    yield "nothing in it", b"{}\n" if is_json else b"\n# nothing yet\n"
    yield "crowded", crowded(host)
    yield "crowded, of Windows", b"\xef\xbb\xbf" + crowded(host).replace(b"\n", b"\r\n")
    yield "without a line end", crowded(host).rstrip()


ALL_STATES = [(host, state) for host in INSTALL_HOSTS for state, _ in states(host)]
