"""Writes contacts as JSON: one object with a list, which has a contact on each line."""

import json
from collections.abc import Iterable
from typing import IO, Any

from contacts_mcp.contract import Contact
from contacts_mcp.formats._layouts import COLUMNS, TIMES, format_time


class JsonWriter:
    """Writes a JSON file."""

    def __init__(self, sink: IO[bytes], _dialect: str) -> None:
        self._sink = sink
        self._separator = ""

    def begin(self) -> None:
        """Write the begin of the list."""
        self._sink.write(b'{"contacts": [\n')

    def write(self, contacts: Iterable[Contact]) -> None:
        """Write the objects of contacts."""
        for contact in contacts:
            self._sink.write((self._separator + json.dumps(_to_object(contact), ensure_ascii=False)).encode())
            self._separator = ",\n"

    def end(self) -> None:
        """Write the end of the list."""
        self._sink.write(b"\n]}\n")


def _to_object(contact: Contact) -> dict[str, Any]:
    values = {name: getattr(contact, name, None) for name in COLUMNS}
    times = {name: format_time(moment) for name in TIMES if (moment := values[name])}
    return {name: value for name, value in (values | times).items() if value not in (None, [])}
