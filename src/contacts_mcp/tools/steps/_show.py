"""Values of contacts as a model or a person reads them: on one line, and short."""

from collections.abc import Sequence

from contacts_mcp.contract import Contact
from contacts_mcp.text import sanitize
from contacts_mcp.tools._answers import Brief

LINE = 60
"""Characters of a value in an answer that shows many."""


def cut(text: str | None, limit: int = LINE) -> str | None:
    """A value on one line; None where there is nothing."""
    return " ".join(sanitize(text, limit).split()) or None if text else None


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of several names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def brief(contact: Contact, *fields: str) -> Brief:
    """Who a contact is: its id and name, and of `fields` (all, where none are named) those that it has."""
    wanted = fields or ("name", "company_name", "phone_number", "email")
    shown = {name: cut(getattr(contact, name, None), LINE) for name in wanted}
    return Brief(id=contact.id, **{name: value for name, value in shown.items() if value})
