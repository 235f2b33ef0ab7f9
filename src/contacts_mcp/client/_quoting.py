"""The service's words, made fit for an error message."""

from contacts_mcp.client._credential import Credential, redact
from contacts_mcp.text import neutralise, quote

LONGEST_QUOTE = 200
_READ = 20_000


class Quoter:
    """Quotes on one line, at most 200 visible characters, and never a key."""

    def __init__(self, credential: Credential | None) -> None:
        self._credential = credential

    def __call__(self, words: str | bytes) -> str:
        text = (words.decode("utf-8", "replace") if isinstance(words, bytes) else words)[:_READ]
        # The key is struck out after invisible characters, which could hide it, and before the cut, which could
        # leave half of it.
        return quote(redact(neutralise(text, _READ), self._credential), LONGEST_QUOTE)


def looks_like_json(body: bytes) -> bool:
    """Whether a body may be somebody's record, whole or cut off, and is not to be quoted as a proxy's page would be."""
    return body.lstrip()[:1] in (b"{", b"[", b'"')
