"""The key: where it is found, how it is sent, and how it is kept out of sight."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

HeaderName = Literal["X-API-Key", "Authorization"]

_FILE = Path(".wayscloud") / "credentials"
_KIND = re.compile(r"wayscloud_[a-z]{2,8}_(?=.)")
_SENDABLE = re.compile(r"[\x21-\x7e]+")
_ANY_KEY = r"wayscloud_[a-z]{2,8}_[^\s\"'<>,;]+"
_TELLING = 6  # shorter pieces of a key are too common to be struck out of other people's sentences


class InvalidCredential(ValueError):
    """A credential was found that cannot be read or sent. The message never quotes it."""


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """A WAYSCloud key or token. `source` says where it was found; nothing printed holds any part of the secret."""

    secret: str = field(repr=False)
    header_name: HeaderName
    source: str

    def __post_init__(self) -> None:
        if self.secret.startswith("${"):
            raise InvalidCredential(
                f"{self.source} holds a placeholder that the host did not fill in; put the key there"
            )
        if not _SENDABLE.fullmatch(self.secret):
            raise InvalidCredential(
                f"the key from {self.source} holds blanks, line breaks or characters outside ASCII"
                " and cannot be sent; copy it again, on one line"
            )

    @classmethod
    def key(cls, secret: str, source: str) -> "Credential":
        """An API key, which goes out as `X-API-Key`, as the Contacts API's page shows it."""
        return cls(secret, "X-API-Key", source)

    @classmethod
    def token(cls, secret: str, source: str) -> "Credential":
        """A token: the platform's own keys go out as `X-API-Key`, any other as a bearer."""
        return cls(secret, "X-API-Key" if secret.startswith("wayscloud_") else "Authorization", source)

    @property
    def masked(self) -> str:
        """The kind of key, such as `wayscloud_pat_…`, and nothing of the secret."""
        kind = _KIND.match(self.secret)
        return f"{kind[0] if kind else ''}…"

    @property
    def fingerprint(self) -> str:
        """What stands for the key wherever it is an index: 128 bits of its SHA-256, in hexadecimal."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:32]

    @property
    def header(self) -> tuple[str, str]:
        """The header that carries it."""
        return (self.header_name, self.secret if self.header_name == "X-API-Key" else f"Bearer {self.secret}")

    @property
    def forms(self) -> tuple["Credential", ...]:
        """The ways to send it, likeliest first.

        The platform's pages show personal access tokens in both headers.
        """
        if self.header_name == "X-API-Key" and self.secret.startswith("wayscloud_pat_"):
            return (self, replace(self, header_name="Authorization"))
        return (self,)

    def __repr__(self) -> str:
        return f"<Credential {self.masked} from {self.source}, sent as {self.header_name}>"

    __str__ = __repr__


def find_credential(
    environ: Mapping[str, str], home: Path, *, api_key: str | None = None, token: str | None = None
) -> Credential | None:
    """Find the key as the official SDK and CLI do: argument, then environment, then `~/.wayscloud/credentials`.

    Blank values count as absent. Raises InvalidCredential where the first one found cannot be read or sent.
    """
    candidates = (
        (Credential.key, api_key, "the api_key argument"),
        (Credential.token, token, "the token argument"),
        (Credential.key, environ.get("WAYSCLOUD_API_KEY"), "WAYSCLOUD_API_KEY"),
        (Credential.token, environ.get("WAYSCLOUD_TOKEN"), "WAYSCLOUD_TOKEN"),
    )
    for made, secret, source in candidates:
        if secret and secret.strip():
            return made(secret.strip(), source)
    secret = _read_file(home / _FILE).strip()
    return Credential.token(secret, f"~/{_FILE.as_posix()}") if secret else None


def redact(text: str, credential: Credential | None) -> str:
    """Strike every key out of somebody's words, this one also where it is quoted in part."""
    patterns = [_ANY_KEY]
    if credential is not None:
        without_kind = _KIND.sub("", credential.secret)
        parts = {credential.secret, without_kind, without_kind.rpartition("_")[2]}
        patterns += [re.escape(part) for part in sorted(parts, key=len, reverse=True) if len(part) >= _TELLING]
    return re.sub("|".join(patterns), "…", text, flags=re.IGNORECASE)


def _read_file(path: Path) -> str:
    """The token the official CLI keeps, as `{"version": 1, "token": "…"}`; empty where there is no file."""
    remedy = "mend or delete it, or set WAYSCLOUD_API_KEY"
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise InvalidCredential(f"{path} cannot be read ({exc.strerror}); {remedy}") from exc
    except ValueError:  # the decoder's own error holds the file's content
        raise InvalidCredential(f"{path} is not the JSON that the WAYSCloud CLI writes; {remedy}") from None
    token = content.get("token") if isinstance(content, dict) else None
    if not isinstance(token, str):
        raise InvalidCredential(f"{path} holds no `token` text; {remedy}")
    return token
