"""Rows as the API's page shows them: a contact is whole where it stands alone, and split in lists."""

from typing import Any

from contacts_mcp.directory.store import Row

_CONTACT = ("id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at")
_GROUP = ("id", "name", "description", "member_count", "created_at")
_GROUP_ROW = ("id", "name", "member_count", "created_at")


def contact(row: Row) -> dict[str, Any]:
    """A contact in full (API page: Get contact)."""
    return {column: row[column] for column in _CONTACT}


def contact_row(row: Row) -> dict[str, Any]:
    """A contact in a list (API page: List contacts): no company, notes or times."""
    first_name, last_name = split_name(row["name"], row["type"])
    return {
        "id": row["id"],
        "first_name": first_name,
        "last_name": last_name,
        "email": row["email"],
        "phone_number": row["phone_number"],
        "contact_type": row["type"],
        "tags": row["tags"],
    }


def member_row(row: Row) -> dict[str, Any]:
    """A contact in a group (API page: List group members)."""
    first_name, last_name = split_name(row["name"], row["type"])
    return {
        "id": row["id"],
        "first_name": first_name,
        "last_name": last_name,
        "phone_number": row["phone_number"],
    }


def group(row: Row) -> dict[str, Any]:
    """A group in full (API page: Get contact group)."""
    return {column: row[column] for column in _GROUP}


def group_row(row: Row) -> dict[str, Any]:
    """A group in the list (API page: List contact groups): no description."""
    return {column: row[column] for column in _GROUP_ROW}


def split_name(name: str, contact_type: str) -> tuple[str, str | None]:
    """First and last name, which a space joins to the name again: the last word is the last name.

    A name of one word has no last name, and neither has a company, whose name is not split.
    """
    first_name, _, last_name = name.rpartition(" ")
    if contact_type == "company" or not first_name:
        return name, None
    return first_name, last_name
