"""Whether the reason of an erasure holds personal data: it is kept, while the contact is erased."""

import re
import unicodedata

from contacts_mcp.text import digits, fold, sanitize_line, search_tokens

MAX_REASON_LENGTH = 1_000  # characters, all of which a question to a person shows
_MIN_NUMBER_DIGITS = 7  # digits that can identify a person; also at the end of the contact's own number
_MIN_NAME_WORD_LENGTH = 4
_NUMBER = re.compile(r"\d[\d\s().,/\u2013-]*\d")
_DATE = re.compile(r"\b(?:(?:19|20)\d\d([-./])[0-3]?\d\1[0-3]?\d|[0-3]?\d([-./])[0-3]?\d\2(?:19|20)\d\d)\b")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|\d+|[.!?:]")
_ADDRESS = re.compile(
    r"\w(?:gata|gaten|gate|gade|veien|vegen|vei|vej|väg|vägen|straße|strasse|street|road|avenue|lane|plass)\s+\d"
    r"|\b(?:street|road|avenue|lane|rue|via|calle|ul)\b\.?\s+\w+\s+\d|\b\d{1,4}\s+\w+\s+(?:street|road|avenue|lane)\b"
    r"|\w{3,}\s+\d{1,4}\s?\w?\s*,\s*\d{4,5}\b",
    re.IGNORECASE,
)


def find_fault(reason: str) -> str | None:
    """Return why a reason cannot be kept, whoever the contact is; None if nothing in it must be personal data."""
    line = unicodedata.normalize("NFKC", sanitize_line(reason, len(reason)))
    if "@" in line:
        return "must not contain an e-mail address: the reason is kept"
    without_dates = _DATE.sub(" ; ", line)
    if any(sum(map(str.isdecimal, found[0])) >= _MIN_NUMBER_DIGITS for found in _NUMBER.finditer(without_dates)):
        return f"must not contain a number of {_MIN_NUMBER_DIGITS} digits or more: the reason is kept"
    return None


def may_name_a_person(reason: str) -> bool:
    """Whether something in a reason looks like a name or an address; only a person can tell."""
    if _ADDRESS.search(reason):
        return True
    words = [".", *_WORD.findall(sanitize_line(reason, len(reason))), "."]
    return any(map(_is_name_between, words, words[1:], words[2:]))


def _is_name_between(before: str, word: str, after: str) -> bool:
    """Whether a word looks like a name: not `Request` at the beginning, nor a month or an article with its number."""
    if not _looks_like_a_name(word):
        return False
    is_ordinary = before in ".!?:" or before.isdecimal() or after.isdecimal()
    return _looks_like_a_name(after) or not is_ordinary


def _looks_like_a_name(word: str) -> bool:
    """A capital letter and small ones, as in `Ola`; `GDPR` is none."""
    return len(word) > 1 and word[0].isupper() and not word.isupper()


def repeats_contact(
    reason: str, *, name: str | None, company_name: str | None, email: str | None, phone_number: str | None
) -> bool:
    """Whether a reason contains the contact's name or the greater part of it, company, e-mail address or number."""
    folded = fold(sanitize_line(reason, len(reason)))
    words = re.findall(r"\w+", folded)
    compact = "".join(words)
    number = digits(phone_number or "")
    address = "".join(re.findall(r"\w+", fold(email or "")))
    return (
        _repeats_words(name, words, compact)
        or _repeats_words(company_name, words, compact)
        or (bool(address) and address in compact)
        or (len(number) >= _MIN_NUMBER_DIGITS and number[-_MIN_NUMBER_DIGITS:] in digits(reason))
        or _names(reason, name)
    )


def _repeats_words(value: str | None, words: list[str], compact: str) -> bool:
    """Whether all words of a value are in the reason; a single word may be an ordinary one."""
    wanted = [word for token in search_tokens(value or "") for word in re.findall(r"\w+", token)]
    if len(wanted) < 2:  # noqa: PLR2004 - two words
        return False
    return all(word in words for word in wanted) or "".join(wanted) in compact


def _names(reason: str, name: str | None) -> bool:
    """Whether a longer word of the name is in the reason with a capital letter."""
    known = {word for word in re.findall(r"\w+", fold(name or "")) if len(word) >= _MIN_NAME_WORD_LENGTH}
    return any(word[0].isupper() and fold(word) in known for word in _WORD.findall(reason))
