"""What identifies a contact: its number, e-mail address and name; and which of them two contacts share."""

from typing import NamedTuple

from contacts_mcp.matching._similarity import (
    MIN_SAME_NAME,
    SAME_EMAIL,
    SAME_NAME,
    SAME_PHONE,
    SIMILAR_NAME,
    email_key,
    have_other_given_names,
    is_same_number,
    main_number,
    name_key,
    name_key_similarity,
    person_name,
    phone_key,
)

_SEARCHED_DIGITS = 8
"""The last digits of a number: stored numbers may lack the country code."""


class Identity(NamedTuple):
    """The match keys of a contact; '' if it has none."""

    phone: str
    email: str
    name: str

    @property
    def searches(self) -> list[str]:
        """What to search a directory for, to find all contacts that share something with this one."""
        return [each for each in (main_number(self.phone)[-_SEARCHED_DIGITS:], self.email, self.name) if each]


def identify(name: str | None, phone_number: str | None, email: str | None, region: str | None = None) -> Identity:
    """Return the match keys of a contact; `region` is the country of numbers without a country code."""
    name = name_key(person_name(name, phone_number, email))
    return Identity(phone_key(phone_number, region), email_key(email), name)


def list_shared(one: Identity, other: Identity) -> tuple[str, ...]:
    """List what two contacts share: the number, the e-mail address, the name or a spelling of it."""
    shared = [SAME_PHONE] if is_same_number(one.phone, other.phone) else []
    shared += [SAME_EMAIL] if one.email and one.email == other.email else []
    similarity = name_key_similarity(one.name, other.name)
    if similarity >= MIN_SAME_NAME and not have_other_given_names(one.name, other.name):
        shared.append(SAME_NAME if similarity == 1 else SIMILAR_NAME)
    return tuple(shared)
