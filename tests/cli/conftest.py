"""A new directory of each engine, as in a setting."""

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path / "contacts.db")
    return request.getfixturevalue("postgres").create_database()
