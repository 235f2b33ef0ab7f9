"""Measure how fast contact files of each format are read, and how much memory that takes.

    uv run python benchmarks/files.py [--contacts 100000]

Each format is read in a process of its own. The baseline of the same run is one pass of Python's `csv.reader` over the
CSV file, since machines are noisy.
"""

import argparse
import csv
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from contacts_mcp.contract import Contact
from contacts_mcp.directory.maintenance import sample_contacts
from contacts_mcp.formats import open_writer, read_contacts

_CARD_LINES = (
    "BEGIN:VCARD",
    "VERSION:2.1",
    "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{name};=C3=85se",
    "TEL;WORK:22 33 51 03",
    "TEL;CELL:{phone}",
    "EMAIL;INTERNET:{email}",
    "NOTE;ENCODING=QUOTED-PRINTABLE:Bl=C3=A5b=C3=A6r og r=C3=B8mme =",
    "til dessert",
    "ADR;HOME:;;Storgata 1;Oslo;;0155;Norway",
    "END:VCARD",
    "",
)
_CARD = "\r\n".join(_CARD_LINES)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the reading of contact files.")
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--read", nargs=2, metavar=("FORMAT", "PATH"), help="measure only this file, in this process")
    options = parser.parse_args()
    if options.read:
        print(*_measure(options.read[0], Path(options.read[1])))
        return 0
    print(f"{options.contacts:,} contacts\n")
    print("| file | contacts a second | of csv.reader | memory, MB |\n|---|---|---|---|")
    contacts, baseline = _contacts(options.contacts), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, write in _FILES.items():
            path = Path(folder, "contacts")
            path.write_bytes(write(contacts))
            command = [sys.executable, __file__, "--read", name, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, megabytes = map(float, done.stdout.split())
            baseline = baseline or seconds
            print(f"| {name} | {options.contacts / seconds:,.0f} | {baseline / seconds:.2f} | {megabytes:.0f} |")
    return 0


def _measure(name: str, path: Path) -> tuple[float, float]:
    """Return the seconds that reading takes, and how much the peak of the memory grows by it."""
    data = path.read_bytes()
    before, started = _peak_megabytes(), time.perf_counter()
    count = _count_rows(data) if name == "csv.reader" else _count_contacts(data)
    assert count
    return time.perf_counter() - started, _peak_megabytes() - before


def _peak_megabytes() -> float:
    status = Path("/proc/self/status").read_text()  # `ru_maxrss` would count the parent's memory
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _count_rows(data: bytes) -> int:
    return sum(1 for _ in csv.reader(io.StringIO(data.decode())))


def _count_contacts(data: bytes) -> int:
    return sum(1 for row in read_contacts(data, region="NO").rows if row.problem is None)


def _contacts(count: int) -> list[Contact]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    samples = islice(sample_contacts(count), count)
    return [
        Contact(id=f"{number:08x}-0000-4000-8000-000000000000", created_at=now, updated_at=now, **sample)
        for number, sample in enumerate(samples)
    ]


def _write(file_format: str, contacts: list[Contact]) -> bytes:
    sink = io.BytesIO()
    with open_writer(sink, file_format) as writer:
        writer.write(contacts)
    return sink.getvalue()


def _write_outlook(contacts: list[Contact]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("First Name", "Last Name", "E-mail Address", "Mobile Phone", "Business Fax", "Notes"))
    for contact in contacts:
        first, _, last = (contact.name or "").rpartition(" ")
        rows.writerow((first, last, contact.email, contact.phone_number, "", contact.notes))
    return text.getvalue().encode()


def _write_old_cards(contacts: list[Contact]) -> bytes:
    cards = (_CARD.format(name=each.name, phone=each.phone_number, email=each.email) for each in contacts)
    return "".join(cards).encode()


_FILES: dict[str, Callable[[list[Contact]], bytes]] = {
    "csv.reader": lambda contacts: _write("csv", contacts),
    "own CSV": lambda contacts: _write("csv", contacts),
    "Outlook CSV": _write_outlook,
    "own vCard": lambda contacts: _write("vcard", contacts),
    "vCard 2.1": _write_old_cards,
    "own JSON": lambda contacts: _write("json", contacts),
    "own Excel": lambda contacts: _write("xlsx", contacts),
}

if __name__ == "__main__":
    sys.exit(main())
