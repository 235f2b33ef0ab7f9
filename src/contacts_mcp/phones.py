"""Phone numbers as SMS needs them: E.164, such as +4799999999."""

import re
from functools import cache
from typing import Any, NamedTuple

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_e164(number: str) -> bool:
    """Whether a number has the form of E.164; whether anybody can have it is another question."""
    return _E164.fullmatch(number) is not None


class PhoneNumber(NamedTuple):
    """What is known of a number: how SMS needs it, its country (ISO 3166), whether it is surely no mobile."""

    e164: str
    country: str
    fixed_line: bool


def parse(number: str, region: str | None = None) -> PhoneNumber | None:
    """What is known of a number that can be in use; None where it can not.

    Without a `region` (ISO 3166 code) only a number with its country code can be told.
    """
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        PhoneNumberType,
        format_number,
        is_valid_number_for_region,
        number_type,
        parse,
        region_code_for_number,
    )

    try:
        parsed = parse(number, region)
    except NumberParseException:
        return None
    country = region_code_for_number(parsed)
    if country is None or not is_valid_number_for_region(parsed, country):
        return None
    fixed = number_type(parsed) == PhoneNumberType.FIXED_LINE
    return PhoneNumber(format_number(parsed, PhoneNumberFormat.E164), country, fixed)


def is_valid(number: str) -> bool:
    """Whether a number is written as E.164, and one that can be in use."""
    return is_e164(number) and normalize(number, None) is not None


def normalize(number: str, region: str | None) -> str | None:
    """The number in E.164; None where it is no valid number. See `parse` for the region."""
    library = _library()
    try:
        parsed = library.parse(number, region)
    except library.NumberParseException:
        return None
    if not library.is_valid_number(parsed):
        return None
    if parsed.italian_leading_zero:
        return str(library.format_number(parsed, library.PhoneNumberFormat.E164))
    return f"+{parsed.country_code}{parsed.national_number}"  # as the library would write it, in a tenth of the time


@cache
def _library() -> Any:
    import phonenumbers  # once: imports for hundreds of thousands, some numbers of each, are not free

    return phonenumbers
