"""What the first answers depend on, as one digest: a start with another digest does not use their snapshot.

It covers this package's files, the installed packages, Python, the arguments and the settings in the environment. It is
made without secrets, so that nobody can test guesses against it: of a key, only what says whose key it is counts.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

_FORMAT = "1"
_PREFIXES = ("CONTACTS_MCP_", "WAYSCLOUD_")
_FOLDERS = frozenset({"HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"})
_SECRETS = frozenset(
    {
        "WAYSCLOUD_API_KEY",
        "WAYSCLOUD_TOKEN",
        "CONTACTS_MCP_STATE_KEYS",
        "CONTACTS_MCP_REDIS_URL",
        "CONTACTS_MCP_APPROVAL_WEBHOOK",
        "CONTACTS_MCP_OIDC_CLIENT_SECRET",
    }
)
_KEY_KINDS = ("wayscloud_contacts_", "wayscloud_")
"""How keys begin; those of a directory service have other tools than those of the platform."""
_CONFIG = "CONTACTS_MCP_CONFIG"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is heavy


def start_key(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the digest of what a start with these arguments and this environment depends on. Raises OSError."""
    parts = [_FORMAT, sys.version, sys.prefix, str(sys.flags.optimize), _PACKAGE]
    parts += (_without_password(each) for each in arguments)
    parts += _environment(environ)
    parts += _source_files(_PACKAGE)
    parts += _distributions(sys.path)
    digest = sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:%b" % (len(content), content))
    return digest.hexdigest()


def _environment(environ: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(environ):
        upper = name.upper()  # the names of settings may have any case
        if upper in _SECRETS:
            yield f"{name} {_kind_of(environ[name])}"
        elif upper.startswith(_PREFIXES) or upper in _FOLDERS:
            yield f"{name} {_without_password(environ[name]) if upper != 'WAYSCLOUD_API_URL' else environ[name]}"
        if upper == _CONFIG:  # may be relative
            yield os.getcwd()  # noqa: PTH109 - pathlib is heavy


def _kind_of(secret: str) -> str:
    """Return how a key begins, without what is secret; blanks and quotes around it do not count.

    A reference that a host did not expand, such as `${user_config.key}`, is no secret, and often means that there is no
    key.
    """
    plain = secret.strip(" \t\r\n\"'")
    if not plain or (plain.startswith("${") and plain.endswith("}")):
        return plain
    return next((kind for kind in _KEY_KINDS if kind in secret), "other")


def _without_password(value: str) -> str:
    """Return a value, or only the scheme of an address: the address of a database may contain a password."""
    return value.partition("://")[0] + "://" if "://" in value else value


def _source_files(package: str) -> Iterator[str]:
    """Yield name, size and time of each file of the package, which change during development without a new version."""
    folders = [package]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        folders.append(entry.path)
                else:
                    status = entry.stat()
                    yield f"{entry.name} {status.st_size} {status.st_mtime_ns}"


def _distributions(path: Sequence[str]) -> Iterator[str]:
    """Yield the folders that say which version of which package is installed."""
    for folder in path:
        if folder.endswith("-packages"):
            with os.scandir(folder) as entries:
                yield from sorted(entry.name for entry in entries if entry.name.endswith((".dist-info", ".pth")))
