"""Prepare contact fields for storage: normalize phone numbers for SMS, and edit tags."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from contacts_mcp import phones
from contacts_mcp.contract import MAX_TAGS, invalid_field


def _check_region(value: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS

    if value.strip().upper() not in SUPPORTED_REGIONS:
        raise PydanticCustomError("region", "should be a two-letter region such as NO")
    return value.strip().upper()


Region = Annotated[str, AfterValidator(_check_region)]
"""The region (ISO 3166 code) of phone numbers without a country code."""


def normalize_phone(number: str | None, region: str | None) -> tuple[str | None, list[str]]:
    """Return the number to store, and warnings for the caller.

    A valid number is normalized to E.164 if there is a default `region` (ISO 3166 code). Any other number is kept as
    it is: a directory may hold numbers that SMS cannot reach.
    """
    if number is None:
        return None, []
    normalized = (phones.normalize(number, region) or number) if region else number
    warnings = [] if normalized == number else [f"phone_number was normalized to {normalized}"]
    if not phones.is_e164(normalized):
        warnings.append("phone_number is not E.164 (e.g. +4799999999): SMS will not reach it")
    elif not phones.is_valid(normalized):
        warnings.append("phone_number looks like E.164 but is not a valid number: check it")
    return normalized, warnings


def require_tag_count(tags: Sequence[str], argument: str, owner: str) -> None:
    """Raise ValidationFailed, which names the argument that adds tags, if these are too many for one contact."""
    if len(tags) > MAX_TAGS:
        reason = f"would give {owner} {len(tags)} tags, and a contact has at most {MAX_TAGS}"
        raise invalid_field(argument, reason, "remove some of its tags first")


def edit_tags(tags: Iterable[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
    """Add and remove tags, ignoring case. The order and the spelling of existing tags stay."""
    unwanted = {tag.casefold() for tag in remove}
    kept: dict[str, str] = {}
    for tag in (*tags, *add):
        kept.setdefault(tag.casefold(), tag)
    return [tag for key, tag in kept.items() if key not in unwanted]
