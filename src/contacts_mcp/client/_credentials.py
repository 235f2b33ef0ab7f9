"""The credential and the base URL: where they are found, how the key is sent, and how it stays out of messages.

Nothing here imports httpx: the command line checks both before it loads the client.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from contacts_mcp.pseudonyms import digest
from contacts_mcp.setting_values import UNEXPANDED, is_not_set, is_placeholder_key, strip_key_noise
from contacts_mcp.text import quote, sanitize

BASE_URL = "https://api.wayscloud.services"
"""The platform (API page: Base URL)."""
MAX_QUOTE_LENGTH = 200

HeaderName = Literal["X-API-Key", "Authorization"]

_FILE = Path(".wayscloud") / "credentials"
_KEY_PREFIX = re.compile(r"wayscloud_[a-z]{2,8}_(?=.)")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
_ANY_KEY = r"wayscloud_[a-z]{2,8}_[^\s\"'<>,;]+"
_MIN_SECRET_PART = 6  # shorter parts of a key occur in ordinary text
_MAX_QUOTE_INPUT = 20_000
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


class InvalidCredential(ValueError):
    """A credential was found but cannot be read or sent. The message never quotes it."""


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """A WAYSCloud key or token. `source` names where it was found; its repr never shows the secret."""

    secret: str = field(repr=False)
    header_name: HeaderName
    source: str

    def __post_init__(self) -> None:
        if is_placeholder_key(self.secret):
            raise InvalidCredential(f"{self.source}: {UNEXPANDED}")
        if not _HEADER_VALUE.fullmatch(self.secret):
            raise InvalidCredential(
                f"the key from {self.source} contains spaces, line breaks or characters outside ASCII"
                " and cannot be sent; copy it again, on one line"
            )

    @classmethod
    def key(cls, secret: str, source: str) -> "Credential":
        """Make a credential from an API key, which is sent as `X-API-Key` (API page: List contacts)."""
        return cls(secret, "X-API-Key", source)

    @classmethod
    def token(cls, secret: str, source: str) -> "Credential":
        """Make a credential from a token: the platform's own are sent as `X-API-Key`, others as bearer tokens."""
        return cls(secret, "X-API-Key" if secret.startswith("wayscloud_") else "Authorization", source)

    @property
    def masked(self) -> str:
        """The kind of key, such as `wayscloud_pat_…`, without any part of the secret."""
        prefix = _KEY_PREFIX.match(self.secret)
        return f"{prefix[0] if prefix else ''}…"

    @property
    def is_of_directory(self) -> bool:
        """Whether the key has the form of a directory service's keys; such a service tells what its keys allow."""
        return self.secret.startswith("wayscloud_contacts_")

    @property
    def fingerprint(self) -> str:
        """The first 128 bits of the key's SHA-256, in hexadecimal; identifies the key without revealing it."""
        return digest(self.secret)

    @property
    def header(self) -> tuple[str, str]:
        """Name and value of the header that carries the key."""
        return (self.header_name, self.secret if self.header_name == "X-API-Key" else f"Bearer {self.secret}")

    @property
    def alternatives(self) -> tuple["Credential", ...]:
        """The ways to send this key, most likely first: the platform's pages show access tokens in both headers."""
        if self.header_name == "X-API-Key" and self.secret.startswith("wayscloud_pat_"):
            return (self, replace(self, header_name="Authorization"))
        return (self,)

    def __repr__(self) -> str:
        return f"<Credential {self.masked} from {self.source}, sent as {self.header_name}>"

    __str__ = __repr__


def find_credential(
    environ: Mapping[str, str], home: Path, *, api_key: str | None = None, token: str | None = None
) -> Credential | None:
    """Find the key as the official SDK and CLI do: arguments, then environment, then `~/.wayscloud/credentials`.

    Blank values count as absent; quotes, white space and `Bearer ` around a key are removed. Raises InvalidCredential
    if the first credential found cannot be read or sent.
    """
    candidates = (
        (Credential.key, api_key, "the api_key argument"),
        (Credential.token, token, "the token argument"),
        (Credential.key, environ.get("WAYSCLOUD_API_KEY"), "WAYSCLOUD_API_KEY"),
        (Credential.token, environ.get("WAYSCLOUD_TOKEN"), "WAYSCLOUD_TOKEN"),
    )
    for make, secret, source in candidates:
        if secret and not is_not_set(secret):
            return make(strip_key_noise(secret), source)
    secret = strip_key_noise(_read_token_file(credential_file(home)))
    return Credential.token(secret, f"~/{_FILE.as_posix()}") if secret else None


def credential_file(home: Path) -> Path:
    """Return the file of the WAYSCloud CLI with its token, which may not exist."""
    return home / _FILE


def _read_token_file(path: Path) -> str:
    """Read the official CLI's token, stored as `{"version": 1, "token": "…"}`; empty if there is no file."""
    remedy = "fix or delete it, or set WAYSCLOUD_API_KEY"
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise InvalidCredential(f"{path} cannot be read ({exc.strerror}); {remedy}") from exc
    except ValueError:  # the decoder's own error contains the file's content
        raise InvalidCredential(f"{path} is not the JSON that the WAYSCloud CLI writes; {remedy}") from None
    token = content.get("token") if isinstance(content, dict) else None
    if not isinstance(token, str):
        raise InvalidCredential(f"{path} has no `token` string; {remedy}")
    return token


def quote_without_keys(credential: Credential | None, text: str) -> str:
    """Quote the service's text on one line: at most 200 visible characters, and never a key.

    Invisible characters are removed first, as they could hide a key; the text is cut last, so that no half of a key
    is left.
    """
    return quote(redact(sanitize(text[:_MAX_QUOTE_INPUT], _MAX_QUOTE_INPUT), credential), MAX_QUOTE_LENGTH)


def redact(text: str, credential: Credential | None) -> str:
    """Replace every key in a text, and also parts of the key of `credential`."""
    patterns = [_ANY_KEY]
    if credential is not None:
        without_prefix = _KEY_PREFIX.sub("", credential.secret)
        parts = {credential.secret, without_prefix, without_prefix.rpartition("_")[2]}
        patterns += [re.escape(part) for part in sorted(parts, key=len, reverse=True) if len(part) >= _MIN_SECRET_PART]
    return re.sub("|".join(patterns), "…", text, flags=re.IGNORECASE)


def parse_base_url(base_url: str, *, allow_http: bool = False) -> str:
    """Check a base URL, with or without a path prefix, and return it without a trailing slash.

    `http` is accepted for loopback hosts, or with `allow_http` for a transport that does not leave the process:
    otherwise the key would travel unencrypted. Raises ValueError if no key may be sent to the URL.
    """
    try:
        url = urlsplit(base_url.strip())
        host, _ = url.hostname or "", url.port
    except ValueError:  # its message may quote a password
        raise ValueError(f"the base URL is not a URL; expected one such as {BASE_URL}") from None
    if "@" in url.netloc:
        raise ValueError("the base URL must not contain a user name or password; the key has its own settings")
    if url.query or url.fragment:
        raise ValueError("the base URL must not contain a query or fragment")
    if not _HOST.fullmatch(host) or url.scheme not in ("https", "http"):
        raise ValueError(f"the base URL must be an https URL such as {BASE_URL}")
    if url.scheme == "http" and not (allow_http or is_loopback(host)):
        raise ValueError("the base URL must begin with https: http would send the key unencrypted")
    return url.geturl().rstrip("/")


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
