"""A row made ready: one number, one address, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contacts_mcp import phones
from contacts_mcp.contract import ContactType
from contacts_mcp.formats import Row
from contacts_mcp.mail import is_email
from contacts_mcp.matching import email_key, phone_key
from contacts_mcp.tools._tags import retagged


@dataclass(slots=True)
class Draft:
    """What a row says of a contact. Blank means that it says nothing.

    `phone_keys` and `email_keys` are all that the row holds, by which it is matched; a contact has room for one of
    each, and `left_over` counts the others.
    """

    row: int
    id: str | None
    type: ContactType | None
    name: str
    company_name: str
    phone_number: str
    email: str
    tags: tuple[str, ...]
    notes: str
    phone_keys: tuple[str, ...] = ()
    email_keys: tuple[str, ...] = ()
    left_over: int = 0
    unreachable: bool = False
    problem: str | None = None

    @property
    def said(self) -> dict[str, Any]:
        """The fields that the row fills, but for the tags."""
        fields = ("type", "name", "company_name", "phone_number", "email", "notes")
        return {name: value for name in fields if (value := getattr(self, name))}


def draft_of(row: Row, region: str | None, tags: Sequence[str]) -> Draft:
    """Choose the first good number and address of a row; a number that is no good is kept, as in the directory."""
    known = [(number, phones.normalize(number, region)) for number in row.phones]
    number = next((good for _, good in known if good), next((raw for raw, _ in known), ""))
    good_emails = [email for email in row.emails if is_email(email)]
    problem = row.problem
    if row.emails and not good_emails:
        problem = problem or "has an e-mail address that is none"
    return Draft(
        row=row.number,
        id=row.id,
        type=row.type,
        name=row.name,
        company_name=row.company_name,
        phone_number=number,
        email=good_emails[0] if good_emails else "",
        tags=tuple(retagged(row.tags, tags)) if row.tags or tags else (),
        notes=row.notes,
        phone_keys=_distinct(good or phone_key(raw, region) for raw, good in known),
        email_keys=_distinct(map(email_key, good_emails)),
        left_over=max(0, len(row.phones) - 1) + max(0, len(row.emails) - 1),
        unreachable=bool(number) and not any(good for _, good in known),
        problem=problem,
    )


def _distinct(keys: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, keys)))
