"""Validation of e-mail addresses."""

import re

# The form of nearly every address; others are left to the library, which takes ten times as long.
_COMMON_FORM = re.compile(
    r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63})", re.IGNORECASE
)
_MAX_LOCAL_LENGTH, _MAX_LENGTH = 64, 254
_SPECIAL_DOMAINS = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test", "example", "alt", "internal"})
"""Top-level domains that the library may reject."""


def is_email(text: str) -> bool:
    """Whether `email-validator` accepts a text; does not look up the domain."""
    common = _COMMON_FORM.fullmatch(text)
    is_short = len(text) <= _MAX_LENGTH and text.find("@") <= _MAX_LOCAL_LENGTH
    if is_short and common and common[1].lower() not in _SPECIAL_DOMAINS and "--" not in text:
        return True
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True
