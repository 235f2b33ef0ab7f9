"""What a number, an address, a name or a company is compared by, however it was written."""

import re

from contacts_mcp.phones import normalize
from contacts_mcp.text import digits, fold

_MOST_WORDS, _LONGEST_WORD = 8, 40
_FEWEST_DIGITS = 5
_COUNTRY_CODE = (
    "1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"  # the others have three digits
    "|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[7-9][0-9]|8[0578][0-9]|9[679][0-9]"
)
# E.164 at sight. A zero after the country code may be one that does not belong there: such numbers are parsed.
_PLAIN_E164 = re.compile(rf"\+(?:{_COUNTRY_CODE})[1-9][0-9]{{4,11}}")
_WORD = re.compile(r"[a-z0-9]+")
_APOSTROPHES = str.maketrans("", "", "'`")
_TITLES = {"mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "fru", "hr", "sir", "madame", "monsieur"}
_LEGAL_FORMS = {
    "as",
    "asa",
    "ab",
    "aps",
    "oy",
    "oyj",
    "ltd",
    "limited",
    "llc",
    "llp",
    "inc",
    "corp",
    "co",
    "plc",
    "gmbh",
    "ag",
    "kg",
    "sa",
    "sarl",
    "srl",
    "bv",
    "nv",
}


def phone_key(number: str | None, region: str | None = None) -> str:
    """The number in E.164 where it is valid, else its digits, with the `+` it had; '' where they are fewer than 5.

    `region` (ISO 3166 code) is the country of numbers without a country code.
    """
    if not number:
        return ""
    if _PLAIN_E164.fullmatch(number):
        return number
    written = fold(number).strip()
    if written.startswith("00"):
        written = f"+{written[2:]}"
    valid = normalize(written, region)
    if valid:
        return valid
    bare = digits(written)
    if len(bare) < _FEWEST_DIGITS:
        return ""
    return f"+{bare}" if written.startswith("+") else bare


def email_key(address: str | None) -> str:
    """The address without what surrounds it and without case; '' where there is none."""
    return address.strip().casefold() if address else ""


def name_key(name: str | None) -> str:
    """The folded words of a name in their order, without titles and punctuation; '' where nothing is left."""
    if not name:
        return ""
    words = _WORD.findall(fold(name).translate(_APOSTROPHES))
    return _shortened([word for word in words if word not in _TITLES] or words)


def company_key(company: str | None) -> str:
    """The folded words of a company, without its legal form; '' where nothing is left."""
    if not company:
        return ""
    words = _WORD.findall(fold(company).translate(_APOSTROPHES))
    return _shortened([word for word in words if word not in _LEGAL_FORMS] or words)


def _shortened(words: list[str]) -> str:
    """Names are compared word by word with many others: nobody has so many words that it would take for ever."""
    return " ".join(word[:_LONGEST_WORD] for word in words[:_MOST_WORDS])
