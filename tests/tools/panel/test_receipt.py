"""get_receipt: the receipt of an erasure, and whether the chain of receipts is intact."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.hosts import Host, Person


async def erase(host: Host, person: Person, name: str = "Ola Nordmann") -> dict[str, Any]:
    """Erase a new contact; its record in the answer."""
    created = await host.call("create_contact", name=name, allow_duplicate=True)
    person.content = {"typed": name}
    erased = await host.call("gdpr_delete_contact", contact_id=created["id"], reason="Article 17 request")
    return dict(erased["records"][0])


async def test_receipt_of_an_erasure_shows_when_whom_and_why_with_the_proof(directory: Host, person: Person) -> None:
    first, second = await erase(directory, person), await erase(directory, person, "Kari Vik")

    found = await directory.call("get_receipt", number=second["receipt"])

    before = await directory.call("get_receipt", number=first["receipt"])
    assert (found["number"], found["contact_id"], found["erased_at"]) == (2, second["id"], second["erased_at"])
    assert (found["reason"], found["erased_by"], found["fields"]) == ("Article 17 request", "embedded", ["name"])
    assert (before["previous_hash"], found["previous_hash"]) == ("", before["hash"])
    assert (found["chain_is_intact"], found["chain_length"], found["chain_hash"]) == (True, 2, found["hash"])
    assert found["chain_faults"] == []
    assert "Kari" not in str(found)


async def test_receipt_says_that_the_chain_was_changed(directory: Host, person: Person, tmp_path: Path) -> None:
    for _ in range(2):
        await erase(directory, person)
    with closing(sqlite3.connect(tmp_path / "contacts.db")) as connection, connection:
        connection.execute("UPDATE receipts SET reason = 'another' WHERE seq = 1")

    found = await directory.call("get_receipt", number=2)

    assert found["chain_is_intact"] is False
    assert found["chain_faults"] == ["receipt 1 was changed"]


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, "not_found: there is no receipt 1 of your erasures; take the number that gdpr_delete_contact answered"),
        (-1, "invalid: number: "),
        ("x", "invalid: number: "),
        (2**63, "invalid: number: "),
    ],
)
async def test_receipt_that_does_not_exist_is_refused(directory: Host, number: Any, line: str) -> None:
    assert (await directory.error("get_receipt", number=number)).startswith(line)


async def test_service_without_receipts_is_named_as_such(platform: Host) -> None:
    line = await platform.error("get_receipt", number=1)

    assert line.startswith("invalid: number: cannot be read here: this service shows no receipts of erasures; ask ")
