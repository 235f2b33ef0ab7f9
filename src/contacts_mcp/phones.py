"""Phone numbers in E.164, as SMS needs them, such as +4799999999."""

import re
from functools import cache
from typing import Any

from contacts_mcp.numbering_plans import PhoneNumber, recognize

_MIN_SUBSCRIBER_DIGITS, _MIN_DIGITS_OF_TWO, _MAX_ALTERNATIVES_LENGTH = 7, 14, 64
_SEPARATORS = tuple(map(re.compile, (r"\s*/\s*", r"\s+[-\u2013]\s+", r"[-\u2013]", r"\s+")))
_OTHER_ENDING = re.compile(r"(.*\d)\s*/\s*(\d\d?)")
"""Two numbers that differ in their last digits, such as `22 33 51 03/04`."""
_EXPONENT = re.compile(r"(\d)[.,]?(\d*)E\+?(\d{1,2})", re.IGNORECASE)
_PLAIN = re.compile(r"\+?[\d ]+")
_YEAR, _MONTH = r"(?:19|20)\d\d", r"(?:jan|feb|ma[riy]|apr|jun|jul|aug|sep|o[ck]t|nov|de[csz])[a-z]*"
_DATE = re.compile(
    rf"(?:\d\d?([./-])\d\d?\1{_YEAR}|{_YEAR}([./-])\d\d?\2\d\d?)(?:[ T][\d:.]+Z?)?"
    rf"|\d\d?[. -]+{_MONTH}|{_MONTH}[. -]+\d\d",
    re.IGNORECASE,
)
SPREADSHEET_ERROR = re.compile(r"#{2,}|#[A-Z\u00c0-\u00de]+[?!]|#(?:DIV/0!|N/[ADV]|NV|I/[TB])")
"""What spreadsheets show instead of a value, in several languages."""
COUNTRY_CODE = (
    r"\+(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"  # the others have three digits
    r"|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[7-9][0-9]|8[0578][0-9]|9[679][0-9])"
)
_COUNTRY_CODE, _NOT_A_DIGIT = re.compile(COUNTRY_CODE), re.compile(r"[^0-9]")
_DIGITS_IN_ORDER = frozenset("01234567890"[start : start + length] for start in (0, 1) for length in range(7, 11))
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EXTENSION_MARK = re.compile(r"[a-z#,;]", re.IGNORECASE)
_EXTENSION = re.compile(
    r"(?<=\d)\)?[\s,;(]*(?:(?:e?xt(?:ensio|n)?n?|x|durchwahl|dw|nebenstelle|nst|linje|lokal|intern[eo]?|int|toestel|tst|"
    r"poste|wewn?|anexo|ramal|ankn(?:ytning)?|alanumero)[\s.:=-]*|#\s*)(\d{1,7})[#)]?(?=\s*(?:$|[;,/|\n]))"
    r"|(?<=\d) ?[,;pw]+ ?(\d{1,4})#?$",  # as phones dial it after a pause
    re.IGNORECASE,
)


def is_destroyed(text: str) -> bool:
    """Whether a spreadsheet has replaced a number by an exponent such as `4.47911E+11`, a date, or an error."""
    if _PLAIN.fullmatch(text):
        return False
    text = text.strip()
    exponent = _EXPONENT.fullmatch(text)
    if exponent is not None:
        return len(exponent[2].rstrip("0")) < int(exponent[3])
    return SPREADSHEET_ERROR.fullmatch(text) is not None or _DATE.fullmatch(text) is not None


def without_exponent(text: str) -> str:
    """Return a number that a spreadsheet wrote with an exponent, but with all digits, as digits."""
    exponent = _EXPONENT.fullmatch(text.strip())
    if exponent is None or is_destroyed(text):
        return text
    return exponent[1] + exponent[2].ljust(int(exponent[3]), "0")[: int(exponent[3])]


def mark_extensions(text: str) -> str:
    """Write the extensions of all numbers in a text as ` ext. 12`, which the library understands."""
    if not _EXTENSION_MARK.search(text):
        return text
    return _EXTENSION.sub(lambda found: f" ext. {found[1] or found[2]}", text)


def split_extension(number: str) -> tuple[str, str]:
    """Return a number without its extension, and the extension; '' if it has none."""
    if _PLAIN.fullmatch(number):
        return number, ""
    marked = mark_extensions(number)
    main, _, extension = marked.rpartition(" ext. ")
    return (main, extension) if main else (number, "")


def is_placeholder(number: str) -> bool:
    """Whether a number is a placeholder: one repeated digit, or the digits in their order."""
    national = _NOT_A_DIGIT.sub("", _COUNTRY_CODE.sub("", number))
    return len(set(national)) <= 1 or national in _DIGITS_IN_ORDER


def is_e164(number: str) -> bool:
    """Whether a number has the form of E.164; it may still not be assignable."""
    return _E164.fullmatch(number) is not None


def parse(number: str, region: str | None = None) -> PhoneNumber | None:
    """Parse a number; None if it is not valid. Without a `region` (ISO 3166) it needs a country code."""
    if recognized := recognize(number, region):
        return recognized
    library = _library()
    try:
        parsed = library.parse(number, region)
    except library.NumberParseException:
        return None
    country = library.region_code_for_number(parsed)
    if country is None or not library.is_valid_number_for_region(parsed, country):
        return None
    is_fixed = library.number_type(parsed) == library.PhoneNumberType.FIXED_LINE
    return PhoneNumber(library.format_number(parsed, library.PhoneNumberFormat.E164), country, is_fixed)


def national_number(e164: str) -> str:
    """Return the digits of a number in E.164 behind its country code; '' if it cannot be parsed."""
    library = _library()
    try:
        return str(library.parse(e164, None).national_number)
    except library.NumberParseException:
        return ""


def is_valid(number: str) -> bool:
    """Whether a number is written as E.164 and is valid."""
    return is_e164(number) and normalize(number, None) is not None


def normalize(number: str, region: str | None) -> str | None:
    """Return the number in E.164; None if it is not valid. See `parse` for the region.

    A number that is valid with its first digits as the country code and without is the former: `491711234567`.
    """
    found = read(number, region)
    return found.e164 if found else None


def read(number: str, region: str | None) -> PhoneNumber | None:
    """Return what `normalize` makes of a number, with its country and kind."""
    if recognized := recognize(number, region):
        return recognized
    e164 = _normalize(number, region)
    return (parse(e164) or PhoneNumber(e164, "", fixed_line=False)) if e164 else None


def _normalize(number: str, region: str | None) -> str | None:
    library = _library()
    try:
        parsed = library.parse(number, region)
    except library.NumberParseException:
        return None
    if not library.is_valid_number(parsed):
        return normalize(number.replace("(0)", ""), region) if "(0)" in number else None
    if parsed.italian_leading_zero:
        return str(library.format_number(parsed, library.PhoneNumberFormat.E164))
    code, national = str(parsed.country_code), str(parsed.national_number)
    if national.startswith(code) and number.lstrip().startswith(code) and is_valid(f"+{national}"):
        return f"+{national}"
    return f"+{code}{national}"  # what the library writes, in a tenth of the time


def describe_invalid(region: str | None) -> str:
    """Say why a number cannot be normalized: in which region it is not valid."""
    return f"not valid in {region}" if region else "not valid without a region"


def split_alternatives(text: str, region: str | None) -> list[str]:
    """Split two or more numbers that a slash, dash or space separates; `02129/3743399` is one, after its area code.

    Numbers are several if each of them is valid and all together are not one. Without a region few numbers can be
    validated, so there two parts of the length of subscriber numbers count as two.
    """
    is_short = sum(map(str.isdigit, text)) < _MIN_DIGITS_OF_TWO
    if (is_short and "/" not in text) or len(text) > _MAX_ALTERNATIVES_LENGTH or normalize(text, region):
        return [text]
    parts = [part.strip() for part in text.split("/")]
    if len(parts) > 1 and region is None and all(map(_is_long, parts)):
        return parts
    if ending := _OTHER_ENDING.fullmatch(text):
        number, last_digits = ending[1], ending[2]
        return [number, number[: -len(last_digits)] + last_digits] if normalize(number, region) else [text]
    return _split_valid(text, region) or [text]


def _split_valid(text: str, region: str | None) -> list[str]:
    """Split a text into valid numbers, preferably at a slash; return none if that is impossible."""
    for separator in _SEPARATORS:
        for found in separator.finditer(text):
            first, rest = text[: found.start()], text[found.end() :]
            if normalize(first, region):
                others = [rest] if normalize(rest, region) else _split_valid(rest, region)
                if others:
                    return [first, *others]
    return []


def _is_long(number: str) -> bool:
    return len(_NOT_A_DIGIT.sub("", number)) >= _MIN_SUBSCRIBER_DIGITS


@cache
def _library() -> Any:
    import phonenumbers  # cached: an import of a hundred thousand rows calls this for every number

    return phonenumbers
