"""The service's words, made fit for an error message."""

from contacts_mcp.client._credential import Credential, redact
from contacts_mcp.text import quote, sanitize

LONGEST_QUOTE = 200
_READ = 20_000


class Quoter:
    """Quotes on one line, at most 200 visible characters, and never a key."""

    def __init__(self, credential: Credential | None) -> None:
        self._credential = credential

    def __call__(self, words: str) -> str:
        # The key is struck out after invisible characters, which could hide it, and before the cut, which could
        # leave half of it.
        return quote(redact(sanitize(words[:_READ], _READ), self._credential), LONGEST_QUOTE)
