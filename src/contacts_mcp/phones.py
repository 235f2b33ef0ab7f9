"""Phone numbers in E.164, as SMS needs them, such as +4799999999."""

import re
from functools import cache
from typing import Any, NamedTuple

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_e164(number: str) -> bool:
    """Whether a number has the form of E.164; it may still not be assignable."""
    return _E164.fullmatch(number) is not None


class PhoneNumber(NamedTuple):
    """A valid number in E.164, its country (ISO 3166), and whether it is certainly a fixed line."""

    e164: str
    country: str
    fixed_line: bool


def parse(number: str, region: str | None = None) -> PhoneNumber | None:
    """Parse a number; None if it is not valid. Without a `region` (ISO 3166) it needs a country code."""
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


def is_valid(number: str) -> bool:
    """Whether a number is written as E.164 and is valid."""
    return is_e164(number) and normalize(number, None) is not None


def normalize(number: str, region: str | None) -> str | None:
    """Return the number in E.164; None if it is not valid. See `parse` for the region."""
    library = _library()
    try:
        parsed = library.parse(number, region)
    except library.NumberParseException:
        return None
    if not library.is_valid_number(parsed):
        return None
    if parsed.italian_leading_zero:
        return str(library.format_number(parsed, library.PhoneNumberFormat.E164))
    return f"+{parsed.country_code}{parsed.national_number}"  # what the library writes, in a tenth of the time


@cache
def _library() -> Any:
    import phonenumbers  # cached: an import of a hundred thousand rows calls this for every number

    return phonenumbers
