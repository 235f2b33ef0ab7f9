"""Values of settings as hosts pass them on: strip the noise around them, and find references that nothing expanded.

A host's file may say `"WAYSCLOUD_API_KEY": "${MY_KEY}"`. A host that does not expand this passes the text itself.
"""

import re

UNEXPANDED = "contains a placeholder, or a reference such as ${NAME} that was not expanded; write the value itself"

_BLANKS = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff"
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u201d": "\u201d", "\u201e": "\u201c", "\u2018": "\u2019"}
_KEY_LABEL = re.compile(r"(?:authorization:|x-api-key:|bearer\s)\s*", re.IGNORECASE)
_NOT_SET = re.compile(r"\$\{user_config\.[^{}]*\}")
"""A blank optional setting of a bundle (MCPB) arrives like this."""

_BEFORE, _AFTER = r"(?:^|(?<=[/\\:@,=_.\-\s]))", r"(?=$|[/\\:@,?&_.\-\s])"
_REFERENCE = re.compile(
    r"\$\{"
    r"|\$env:\w"
    r"|\{\{[^{}]*\}\}"
    r"|\{(?:env|file|input|secret)s?[:.][^{}]*\}"
    r"|^\$[A-Za-z_]\w*(?=$|[/\\:,])"
    r"|\$[A-Z_][A-Z0-9_]+(?!\w)"
    rf"|{_BEFORE}\$\([^()]*\)"
    rf"|{_BEFORE}<[A-Za-z][^<>]*>{_AFTER}"
    rf"|{_BEFORE}%[A-Za-z_][\w()]*%{_AFTER}"
    r"|%[A-Z_][A-Z0-9_]+%(?![0-9A-Fa-f]{2})"  # `%20` and `%C3%A9` in a URL are no references
)
_WHOLE_REFERENCE = re.compile(
    r"[#$]?\{.*\}|\$\(.*\)|<[A-Za-z][^<>]*>|\$(?:env:)?[A-Za-z_][A-Za-z0-9_]*|%[A-Za-z_][A-Za-z0-9_()]*%"
)
_PLACEHOLDER_KEY = re.compile(r".*(?:\.\.\.|\u2026)|(?:your|insert|paste|replace|enter)[-_ ].*", re.IGNORECASE)


def strip_noise(text: str) -> str:
    """Remove white space and pairs of quotes around a value, in any order."""
    while True:
        text = text.strip(_BLANKS)
        inner = text[1:-1]
        if len(text) < 2 or _QUOTES.get(text[0]) != text[-1] or text[0] in inner or text[-1] in inner:  # noqa: PLR2004
            return text
        text = inner


def strip_key_noise(text: str) -> str:
    """Remove what surrounds a key that was copied with its header, such as `Bearer `."""
    text = strip_noise(text)
    while label := _KEY_LABEL.match(text):
        text = strip_noise(text[label.end() :])
    return text


def is_not_set(text: str) -> bool:
    """Whether a value says that the user left the setting blank."""
    value = strip_key_noise(text)
    return not value or _NOT_SET.fullmatch(value) is not None


def has_reference(text: str) -> bool:
    """Whether an address, a path or a name contains a reference that was not expanded."""
    return _REFERENCE.search(strip_noise(text)) is not None


def is_reference(secret: str) -> bool:
    """Whether a secret is nothing but a reference; a random secret may contain what looks like one."""
    return _WHOLE_REFERENCE.fullmatch(strip_noise(secret)) is not None


def is_placeholder_key(key: str) -> bool:
    """Whether a WAYSCloud key is a reference, or the placeholder of an example."""
    return has_reference(key) or _PLACEHOLDER_KEY.fullmatch(key) is not None
