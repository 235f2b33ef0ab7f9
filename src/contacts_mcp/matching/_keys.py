"""What contacts are compared by: numbers and addresses in one writing."""

from contacts_mcp import phones
from contacts_mcp.text import digits, fold

_FEWEST_DIGITS = 5


def phone_key(number: str | None, region: str | None = None) -> str:
    """The number as E.164 where it is a valid one, else its digits; empty where these are too few to tell anything."""
    if not number:
        return ""
    if phones.is_e164(number):
        return number  # whether anybody can have it makes no difference here, and takes long to find out
    if known := phones.normalise(number, region):
        return known
    plain = digits(fold(number))
    return plain if len(plain) >= _FEWEST_DIGITS else ""


def email_key(address: str | None) -> str:
    """The address without the spaces around it, in small letters; empty where there is none."""
    return (address or "").strip().casefold()
