"""How a Directory is told where its contacts are."""

from pathlib import Path

import pytest

from contacts_mcp.directory import Directory, PostgresServer


@pytest.mark.parametrize("kind", [str, Path])
async def test_path_may_be_a_text_or_a_path(tmp_path, kind):
    async with Directory(kind(tmp_path / "contacts.db")) as directory:
        await directory.create_key("a test")

    assert (tmp_path / "contacts.db").exists()


def test_text_may_be_the_url_of_a_postgresql_database():
    assert isinstance(Directory("postgresql://user@host/contacts").location, PostgresServer)


@pytest.mark.parametrize("location", [None, 5, b"contacts.db", ["contacts.db"]])
def test_location_of_a_wrong_type_is_refused_at_once(location):
    with pytest.raises(TypeError, match=rf"must be a path or a postgresql:// URL .*, not {type(location).__name__}"):
        Directory(location)


def test_empty_location_is_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        Directory(" ")
