"""The console's two documents, and the policies under which a browser runs them.

`console.html` is the page. `panel.html` has the views that hosts show, too; the page shows one in a frame that has no
origin, no network and no storage, as a host would. Their scripts and styles are inline, and allowed by their hashes.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

VIEWS = frozenset({"contacts", "plan", "duplicates", "audience", "consent"})
"""The views of `panel.html` that the console shows in a frame."""
NETWORK, COMPUTER = "network", "computer"
"""Where the console is served, for what its page offers: a log-out, or the news that the server still runs."""

_SCRIPT, _STYLE = (re.compile(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", re.DOTALL) for tag in ("script", "style"))
_NO_VIEW, _NO_PLACE, _NO_BACKEND = 'data-view=""', 'data-place=""', 'data-backend=""'
_COMMON_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A page and the headers that protect it."""

    html: str
    headers: dict[str, str]


@cache
def console_document(place: str, backend: str) -> Document:
    """Return the console's page, for NETWORK or COMPUTER. `backend` says what the server works on."""
    html = _read("console.html").replace(_NO_PLACE, f'data-place="{place}"', 1)
    html = html.replace(_NO_BACKEND, f'data-backend="{escape(backend)}"', 1)
    policy = [
        "default-src 'none'",
        f"script-src {_hashes(_SCRIPT.findall(html))}",
        f"style-src {_hashes(_STYLE.findall(html))}",
        "connect-src 'self'",
        "frame-src 'self'",
        "img-src data:",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    headers = {**_COMMON_HEADERS, "Content-Security-Policy": "; ".join(policy), "X-Frame-Options": "DENY"}
    return Document(html, headers)


@cache
def view_document(name: str) -> Document:
    """Return a view, which only the console's page can frame. `name` is one of VIEWS."""
    html = _read("panel.html").replace(_NO_VIEW, f'data-view="{name}"', 1)
    policy = [
        "sandbox allow-scripts",
        "default-src 'none'",
        f"script-src {_hashes(_SCRIPT.findall(html))}",
        f"style-src {_hashes(_STYLE.findall(html))}",
        "img-src data:",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    ]
    headers = {**_COMMON_HEADERS, "Content-Security-Policy": "; ".join(policy), "X-Frame-Options": "SAMEORIGIN"}
    return Document(html, headers)


def _read(name: str) -> str:
    return files("contacts_mcp").joinpath("panel", name).read_text("utf-8")


def _hashes(texts: Iterable[str]) -> str:
    """Return the sources of a policy that allow these inline texts, and no others."""
    digests = (b64encode(sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
