"""Pseudonyms of callers in the audit trail: each identifies a caller without naming them or revealing their key."""

from hashlib import sha256

_DIGEST_CHARACTERS = 32
"""128 bits in hexadecimal."""


def digest(text: str) -> str:
    """Return the first 128 bits of a text's SHA-256, in hexadecimal; a lone surrogate is hashed as it is."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]


def key_pseudonym(key: str) -> str:
    """Return the pseudonym of the caller who presents this key."""
    return f"key:{digest(key)}"


def key_pseudonym_of_hash(sha256_of_key: str) -> str:
    """Return the same for a key of which only the SHA-256 is stored, in hexadecimal."""
    return f"key:{sha256_of_key[:_DIGEST_CHARACTERS]}"


def subject_pseudonym(issuer: str, subject: str) -> str:
    """Return the pseudonym of an OAuth user.

    The digest replaces the subject, which may be an e-mail address or anything else that must not enter the audit
    trail. An issuer's URL holds no `#`, so the pair is unambiguous.
    """
    return f"oauth:{issuer}#{digest(f'{issuer}#{subject}')}"
