"""A trail from its end, page by page, as a person reads it."""

from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.audit import read_before
from contacts_mcp.audit._read import _MIN_WINDOW
from contacts_mcp.hash_chain import ChainEnd, end_of, format_line, link_record

TOTAL = 5 * _MIN_WINDOW + 7


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail in a rotated and a current file; every hundredth record is of another tool."""
    folder, end = tmp_path_factory.mktemp("trail"), ChainEnd()
    lines = []
    for number in range(1, TOTAL + 1):
        record = link_record({"tool": "create_contact" if number % 100 else "delete_contact"}, end)
        end = end_of(record)
        lines.append(format_line(record))
    cut = TOTAL // 2
    (folder / f"audit.1-{cut}.jsonl").write_bytes(b"".join(lines[:cut]))
    (folder / "audit.jsonl").write_bytes(b"".join(lines[cut:]))
    return folder / "audit.jsonl"


def numbers(path: Path, before: int | None, count: int, **wanted: Any) -> list[int]:
    invalid: list[Any] = []
    found = read_before(path, invalid.append, before, count, **wanted)
    assert invalid == []
    return [record["seq"] for record in found]


def test_pages_follow_each_other_over_all_files(trail: Path) -> None:
    seen: list[int] = []
    before = None
    while page := numbers(trail, before, 300):
        seen += page
        before = page[-1]

    assert seen == list(range(TOTAL, 0, -1))


def test_wanted_records_are_found_wherever_they_are(trail: Path) -> None:
    def is_deletion(record: dict[str, Any]) -> bool:
        return record["tool"] == "delete_contact"

    hundreds = list(range(TOTAL - TOTAL % 100, 0, -100))
    assert numbers(trail, None, 1_000, is_wanted=is_deletion) == hundreds
    assert numbers(trail, None, 3, is_wanted=is_deletion) == hundreds[:3]
    assert numbers(trail, 301, 10, is_wanted=is_deletion) == [300, 200, 100]
    assert numbers(trail, 300, 10, is_wanted=is_deletion) == [200, 100]


def test_empty_trail_and_beginning_have_no_records(trail: Path, tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()

    assert numbers(tmp_path / "audit.jsonl", None, 5) == []
    assert numbers(trail, 1, 5) == []


def test_missing_trail_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        numbers(tmp_path / "audit.jsonl", None, 5)
