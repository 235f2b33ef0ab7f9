"""Where the file is."""

from pathlib import Path


def default_path() -> Path:
    """Where the contacts of this user are kept unless told otherwise. Nothing is created."""
    from platformdirs import user_data_path

    return user_data_path("wayscloud-contacts-mcp", appauthor=False) / "contacts.db"
