"""Validation of e-mail addresses: the fast check agrees with the library."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from contacts_mcp.mail import is_email

PARTS = st.text("ab1._+-@é !", max_size=12)
LABELS = st.sampled_from(["example", "a-b", "-a", "a-", "x" * 63, "x" * 64, "xn--80ak6aa92e", "1", "é", ""])
ENDINGS = st.sampled_from("com no test local localhost example invalid c co1 arpa onion".split())


@given(PARTS, st.lists(LABELS, max_size=4), ENDINGS)
@example("a" * 64, ["example"], "com")
@example("a" * 65, ["example"], "com")
@example("a", ["x" * 63] * 4, "com")
def test_is_email_agrees_with_the_library(local: str, labels: list[str], ending: str) -> None:
    text = f"{local}@{'.'.join([*labels, ending])}"
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        assert not is_email(text)
    else:
        assert is_email(text)


@pytest.mark.parametrize("text", ["", "@", "ola", "ola@", "ola@example", "Ola <ola@example.com>", "a@b@c.no"])
def test_invalid_email_is_rejected(text: str) -> None:
    assert not is_email(text)
