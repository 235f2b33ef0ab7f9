"""E-mail addresses: whether a text is one."""

import re

# What nearly every address is like; anything rarer is left to the library, which takes ten times as long.
_PLAIN = re.compile(
    r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63})", re.IGNORECASE
)
_LONGEST_LOCAL, _LONGEST = 64, 254
_DOUBTFUL_ENDINGS = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test", "example", "alt", "internal"})
"""Names that the library may not take, and has to be asked about."""


def is_email(text: str) -> bool:
    """Whether `email-validator` takes it, without asking whether the domain exists."""
    plain = _PLAIN.fullmatch(text)
    short = len(text) <= _LONGEST and text.find("@") <= _LONGEST_LOCAL
    return bool(short and plain and plain[1].lower() not in _DOUBTFUL_ENDINGS and "--" not in text) or _is_taken(text)


def _is_taken(text: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True
