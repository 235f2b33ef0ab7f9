"""The reason of an erasure: what is refused, and what a person is asked to look at."""

import pytest

from contacts_mcp.erasure_reason import find_fault, may_name_a_person, repeats_contact

OLA = {
    "name": "Ola Nordmann",
    "company_name": "Fjell og Vidde AS",
    "email": "ola.n@example.com",
    "phone_number": "+47 900 00 001",
}
IMPERSONAL = [
    "Article 17 request",
    "Request of 3 March under GDPR article 17",
    "Customer asked",
    "Bedt om på café, 2026-11-28",
    "asked for by letter of 28.11.2026, case 4711",
]


@pytest.mark.parametrize("reason", IMPERSONAL)
def test_ordinary_reason_is_accepted_without_a_warning(reason: str) -> None:
    assert find_fault(reason) is None
    assert not may_name_a_person(reason)
    assert not repeats_contact(reason, **OLA)


@pytest.mark.parametrize(
    "reason",
    [
        "asked by kari@example.com",
        "asked by kari \uff20 example.com",
        "call 90000002",
        "call +47 90 00 00 02",
        "call (0)900-00-002",
        "9\u200b0\u200b0\u200b0\u200b0002",
        "identity number 010190 12345",
        "number \u0669\u0660\u0660\u0660\u0660\u0660\u0662",
        "number \uff19\uff10\uff10\uff10\uff10\uff10\uff12",
    ],
)
def test_address_or_number_of_anyone_is_refused(reason: str) -> None:
    """Whoever the contact was: it may have been deleted before, so that nothing is left to compare with."""
    assert (find_fault(reason) or "").startswith("must not contain")


@pytest.mark.parametrize(
    "reason",
    [
        "Nordmann, Ola asked",
        "ola-nordmann",
        "Herr Nordmann asked",
        "OLA  NORDMANN",
        "left fjell og vidde as",
        "for ola n example com",
        "0001: 9000 0001",
    ],
)
def test_repeated_identity_is_found(reason: str) -> None:
    assert repeats_contact(reason, **OLA)


def test_single_ordinary_word_is_not_taken_for_the_name() -> None:
    assert not repeats_contact("the customer asked", name="Customer", company_name=None, email=None, phone_number=None)
    assert not repeats_contact("asked", name=None, company_name=None, email=None, phone_number=None)


@pytest.mark.parametrize(
    "reason",
    ["Kari Nordmann asked", "asked by Kari", "moved to Storgata 5", "lives at 5 Main Street", "wrote from Vei 5, 0150"],
)
def test_name_or_street_is_pointed_out(reason: str) -> None:
    assert may_name_a_person(reason)
