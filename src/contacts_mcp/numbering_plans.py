"""Recognize valid phone numbers in a tenth of the time that `phonenumbers` takes, by patterns from its metadata.

Only plain numbers are recognized, and only if the library is certain to read them as they are written: each country's
patterns are joined into one. The library decides about all others.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

_INTERNATIONAL = re.compile(r"\+([1-9][0-9]{6,14})")
_NATIONAL = re.compile(r"[0-9](?: ?[0-9]){4,16}")
_MAX_CODE_LENGTH = 3
_OTHER_KINDS = (
    "mobile",
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
"""The metadata's kinds of valid numbers that are not certainly fixed lines; the usual one first."""


class PhoneNumber(NamedTuple):
    """A valid number in E.164, its country (ISO 3166), and whether it is certainly a fixed line."""

    e164: str
    country: str
    fixed_line: bool


class _Area(NamedTuple):
    """A region among those that share a country code.

    Attributes:
        leading_digits: how its numbers begin; None if all valid numbers of its pattern are its own.
        valid: the pattern of its valid numbers, whose group 1 takes part if a number is not certainly a fixed line.
    """

    region: str
    leading_digits: re.Pattern[str] | None
    valid: re.Pattern[str]


class _Plan(NamedTuple):
    """How national numbers are written in a region.

    Attributes:
        abroad: what is dialled before a country code.
        prefix: what is dialled before a national number, if that is always the same digits, else ''.
        prefixes: the pattern of all that may stand before a national number; None if nothing does.
    """

    code: str
    abroad: re.Pattern[str]
    prefix: str
    prefixes: re.Pattern[str] | None


def recognize(number: str, region: str | None) -> PhoneNumber | None:
    """Return a valid number; None if it is not recognized, which does not say that it is invalid."""
    if found := _INTERNATIONAL.fullmatch(number):
        return _recognize_international(found[1])
    if region is None or not _NATIONAL.fullmatch(number) or (plan := _plan_of(region)) is None:
        return None
    digits = number.replace(" ", "")
    if digits.startswith(plan.code) or plan.abroad.match(digits):
        return None  # a country code may stand before the number
    return _find(plan, digits)


def _recognize_international(digits: str) -> PhoneNumber | None:
    for length in range(1, _MAX_CODE_LENGTH + 1):
        if regions := _regions_of().get(int(digits[:length])):
            plan = _plan_of(regions[0])
            return _find(plan, digits[length:]) if plan else None
    return None


def _find(plan: _Plan, national: str) -> PhoneNumber | None:
    """Return the valid number that digits are, with or without the national prefix."""
    if plan.prefixes and plan.prefixes.match(national):
        if not plan.prefix:
            return None
        national = national.removeprefix(plan.prefix)
    for area in _areas_of(plan.code):
        if area.leading_digits is None or area.leading_digits.match(national):
            if kind := area.valid.fullmatch(national):
                return PhoneNumber(f"+{plan.code}{national}", area.region, fixed_line=kind[1] is None)
            if area.leading_digits:
                return None
    return None


@cache
def _plan_of(region: str) -> _Plan | None:
    metadata = _metadata_of(region)
    if metadata is None or not metadata.international_prefix:
        return None
    prefixes = metadata.national_prefix_for_parsing
    is_fixed = prefixes and prefixes.isdecimal() and not metadata.national_prefix_transform_rule
    return _Plan(
        str(metadata.country_code),
        re.compile(metadata.international_prefix),
        prefixes if is_fixed else "",
        re.compile(prefixes) if prefixes else None,
    )


@cache
def _areas_of(code: str) -> Sequence[_Area]:
    """Return the regions of a country code, in the library's order."""
    return [_area(region) for region in _regions_of()[int(code)]]


def _area(region: str) -> _Area:
    metadata = _metadata_of(region)
    others = [getattr(metadata, kind) for kind in _OTHER_KINDS]
    others += [metadata.fixed_line] if metadata.same_mobile_and_fixed_line_pattern else []
    kinds = f"({_any_of(others)})|{_any_of([metadata.fixed_line])}"
    leading = metadata.leading_digits and re.compile(metadata.leading_digits)
    return _Area(region, leading, re.compile(rf"(?={_any_of([metadata.general_desc])})(?:{kinds})"))


def _any_of(descriptions: Sequence[Any]) -> str:
    """Return a pattern of the whole numbers that one of the descriptions matches."""
    return "|".join(_patterns(descriptions)) or "(?!)"


def _patterns(descriptions: Sequence[Any]) -> Iterator[str]:
    for each in descriptions:
        if each is not None and each.national_number_pattern:
            lengths = "|".join(f"[0-9]{{{length}}}" for length in each.possible_length)
            yield rf"(?=(?:{lengths})\Z)(?:{each.national_number_pattern})\Z"


@cache
def _regions_of() -> dict[int, tuple[str, ...]]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return COUNTRY_CODE_TO_REGION_CODE


def _metadata_of(region: str) -> Any:
    """Return the library's metadata of a region; None for an unknown one, and for codes of no region such as +800."""
    from phonenumbers import PhoneMetadata

    return PhoneMetadata.metadata_for_region(region, None)
