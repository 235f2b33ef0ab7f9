"""A contact's phone number on its way into the directory: made ready for SMS where that is possible."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from contacts_mcp import phones


def _region(value: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS

    if value.strip().upper() not in SUPPORTED_REGIONS:
        raise PydanticCustomError("region", "should be a two-letter region such as NO")
    return value.strip().upper()


Region = Annotated[str, AfterValidator(_region)]
"""The region of national numbers (ISO 3166 code)."""


def prepare_phone(number: str | None, region: str | None) -> tuple[str | None, list[str]]:
    """The number to store, and what the caller should know about it.

    With a default `region` (ISO 3166 code) a number in national writing is normalised. Without one, or where it is no
    valid number there, it is kept as it is: a directory may hold what SMS cannot reach.
    """
    if number is None:
        return None, []
    normalised = (phones.normalize(number, region) or number) if region else number
    warnings = [] if normalised == number else [f"phone_number was normalised to {normalised}"]
    if not phones.is_e164(normalised):
        warnings.append("phone_number is not E.164 (such as +4799999999): SMS will not reach it")
    elif not phones.is_valid(normalised):
        warnings.append("phone_number has the form of E.164 but is no valid number: check it")
    return normalised, warnings
