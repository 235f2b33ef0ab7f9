"""Recognized phone numbers: all are valid for the library, which reads them in the same way."""

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from contacts_mcp import phones
from contacts_mcp.numbering_plans import recognize

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
MIN_RECOGNIZED_SHARE = 0.6  # the others have a country code without a plus


def read_by_library(number: str, region: str | None) -> tuple[str, str, bool] | None:
    """Return what the library says of a number: E.164, country and whether it is a fixed line; None if not valid."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    country = phonenumbers.region_code_for_number(parsed)
    if country is None or not phonenumbers.is_valid_number(parsed):
        return None
    is_fixed = phonenumbers.number_type(parsed) == PhoneNumberType.FIXED_LINE
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164), country, is_fixed


def examples(region: str) -> Iterator[phonenumbers.PhoneNumber]:
    """Yield the library's example numbers of all types."""
    for kind in PhoneNumberType.values():
        if example := phonenumbers.example_number_for_type(region, kind):
            yield example


def spellings(example: phonenumbers.PhoneNumber, national: str, region: str) -> Iterator[tuple[str, str | None]]:
    """Yield notations of a number, each with the region of its reader."""
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or "0"
    for reader in (region, None, "NO", "US"):
        yield f"+{example.country_code}{national}", reader
        yield f"{example.country_code}{national}", reader
        yield f"00{example.country_code}{national}", reader
    yield national, region
    yield f"{prefix}{national}", region
    yield f"{national[:2]} {national[2:]}", region


def variants(national: str, rng: random.Random, count: int) -> Iterator[str]:
    """Yield a number, and others that differ in some digits or in their length."""
    yield national
    for _ in range(count):
        digits = list(national)
        for _ in range(rng.randint(1, 3)):
            digits[rng.randrange(len(digits))] = str(rng.randrange(10))
        length = len(digits) + rng.choice((-1, 0, 0, 0, 1))
        yield "".join((*digits, "5")[:length])


def count_valid_and_recognized(count: int, seed: int) -> tuple[int, int]:
    """Compare all examples and `count` variants of each; return how many are valid, and how many are recognized."""
    rng, valid, found = random.Random(seed), 0, 0
    for region in REGIONS:
        for example in examples(region):
            for national in variants(phonenumbers.national_significant_number(example), rng, count):
                for number, reader in spellings(example, national, region):
                    recognized, expected = recognize(number, reader), read_by_library(number, reader)
                    assert recognized is None or recognized == expected, (number, reader)
                    valid += expected is not None
                    found += recognized is not None
    return valid, found


def test_all_example_numbers_are_recognized_as_the_library_reads_them() -> None:
    valid, found = count_valid_and_recognized(count=0, seed=1)
    assert found > MIN_RECOGNIZED_SHARE * valid > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_varied_numbers_are_recognized_as_the_library_reads_them(seed: int) -> None:
    valid, found = count_valid_and_recognized(count=6, seed=seed)
    assert found > MIN_RECOGNIZED_SHARE * valid > 0


@pytest.mark.parametrize(
    "number", ["", "+", "+47", "+4", "+0047 91234567", "+80012345678", "12", "9" * 20, "+99912345678"]
)
def test_odd_number_is_left_to_the_library(number: str) -> None:
    assert recognize(number, "NO") is None


@pytest.mark.parametrize("region", ["ZZ", "no", "", "001", "NOR"])
def test_national_number_of_an_unknown_region_is_left_to_the_library(region: str) -> None:
    assert recognize("91234567", region) is None


@pytest.mark.parametrize(("number", "region"), [("491711234567", "DE"), ("4791234567", "NO")])
def test_number_with_its_country_code_in_front_is_not_recognized_as_a_national_one(number: str, region: str) -> None:
    assert recognize(number, region) is None
    assert phones.normalize(number, region) == f"+{number}"
