"""Prepare contact fields for storage: normalize phone numbers for SMS, and edit tags."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from contacts_mcp import phones
from contacts_mcp.contract import MAX_TAGS, Contact, invalid_field
from contacts_mcp.matching import email_key, phone_key


def _check_region(value: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS

    if value.strip().upper() not in SUPPORTED_REGIONS:
        raise PydanticCustomError("region", "should be a two-letter region such as NO")
    return value.strip().upper()


Region = Annotated[str, AfterValidator(_check_region)]
"""The region (ISO 3166 code) of phone numbers without a country code."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """What an answer says beside the record: what is only told, and what the caller should check."""

    information: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """Return the fields of an answer; without those that are empty."""
        given = {"information": self.information, "warnings": self.warnings}
        return {name: texts for name, texts in given.items() if texts}


def normalize_phone(number: str | None, region: str | None) -> tuple[str | None, Remarks]:
    """Return the number to store, and remarks for the caller.

    A valid number is normalized to E.164 if there is a default `region` (ISO 3166 code). Any other number is kept as
    it is: a directory may hold numbers that SMS cannot reach.
    """
    if number is None:
        return None, Remarks()
    normalized = (phones.normalize(number, region) or number) if region else number
    remarks = Remarks([] if normalized == number else [f"phone_number was normalized to {normalized}"])
    if not phones.is_e164(normalized):
        remarks.warnings.append("phone_number is not E.164 (e.g. +4799999999): SMS will not reach it")
    elif not phones.is_valid(normalized):
        remarks.warnings.append("phone_number looks like E.164 but is not a valid number: check it")
    return normalized, remarks


def describe_own_form(sent: Mapping[str, Any], stored: Contact) -> dict[str, str]:
    """Describe each number and address that the service stores in a form of its own, by field."""
    described: dict[str, str] = {}
    for name, key_of in (("phone_number", phone_key), ("email", email_key)):
        given, value = sent.get(name), getattr(stored, name)
        if given and value and given != value and key_of(given) == key_of(value) != "":
            described[name] = f"{name} is stored as {value}"
    return described


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
