"""Phone numbers as SMS needs them: E.164, such as +4799999999."""

import re

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def prepare_phone(number: str | None, region: str | None) -> tuple[str | None, list[str]]:
    """The number to store, and what the caller should know about it.

    With a default `region` (ISO 3166 code) a number in national writing is normalised. Without one, or where it is no
    valid number there, it is kept as it is: a directory may hold what SMS cannot reach.
    """
    if number is None:
        return None, []
    normalised = _normalise(number, region) if region else number
    warnings = [] if normalised == number else [f"phone_number was normalised to {normalised}"]
    if not _E164.fullmatch(normalised):
        warnings.append("phone_number is not E.164 (such as +4799999999): SMS will not reach it")
    elif not _in_use(normalised):
        warnings.append("phone_number has the form of E.164 but is no valid number: check it")
    return normalised, warnings


def _normalise(number: str, region: str) -> str:
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse

    try:
        parsed = parse(number, region)
    except NumberParseException:
        return number
    return format_number(parsed, PhoneNumberFormat.E164) if is_valid_number(parsed) else number


def _in_use(number: str) -> bool:
    from phonenumbers import NumberParseException, is_valid_number, parse

    try:
        return is_valid_number(parse(number))
    except NumberParseException:
        return False
