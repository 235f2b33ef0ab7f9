"""E-mail addresses: whether a text is one."""

import re
from functools import lru_cache

# What every address may begin with; anything rarer is left to the library, which takes ten times as long.
_PLAIN = re.compile(r"([a-z0-9]+(?:[._+-][a-z0-9]+)*)@([a-z0-9.-]+)", re.IGNORECASE)
_LONGEST_LOCAL = 64
_LONGEST = 254


def is_address(text: str) -> bool:
    """Whether `email-validator` takes it, without asking whether the domain exists."""
    plain = _PLAIN.fullmatch(text)
    if plain and len(plain[1]) <= _LONGEST_LOCAL and len(text) <= _LONGEST:
        return _is_domain(plain[2].lower())
    return _is_taken(text)


@lru_cache(maxsize=4096)
def _is_domain(domain: str) -> bool:
    return _is_taken(f"a@{domain}")


def _is_taken(text: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True
