"""A hash chain: each record carries its own hash and the hash of the previous record.

A record that is changed, removed or inserted later does not fit its own hash or the next record. The audit trail and
the erasure receipts are hash chains.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

ChainRecord = dict[str, Any]
HashFunction = Callable[[Mapping[str, Any]], str]


class InvalidRecord(ValueError):
    """A line is not a record of a hash chain."""


class ChainEnd(NamedTuple):
    """Number and hash of the last record of a chain. The default is an empty chain."""

    seq: int = 0
    hash: str = ""


def hash_record(record: Mapping[str, Any]) -> str:
    """Hash all fields of a record except `hash`; their order does not matter."""
    fields = {name: value for name, value in record.items() if name != "hash"}
    return sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def link_record(fields: Mapping[str, Any], end: ChainEnd, hash_function: HashFunction = hash_record) -> ChainRecord:
    """Return the record that follows `end`: `seq`, the fields, `previous` and `hash`."""
    record = {"seq": end.seq + 1, **fields, "previous": end.hash}
    record["hash"] = hash_function(record)
    return record


def end_of(record: Mapping[str, Any]) -> ChainEnd:
    """Return the end of a chain whose last record this is."""
    return ChainEnd(record["seq"], record["hash"])


def format_line(record: Mapping[str, Any]) -> bytes:
    """Return the record as one line of JSON, with the line feed."""
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def parse_line(line: bytes) -> ChainRecord:
    """Parse a line, without checking its hash. Raises InvalidRecord if it is not JSON with `seq` and `hash`."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise InvalidRecord("not a record of the chain") from exc
    if not isinstance(record, dict) or type(record.get("seq")) is not int or not isinstance(record.get("hash"), str):
        raise InvalidRecord("not a record of the chain")
    return record


class ChainVerifier:
    """Checks the records of a chain, one after the other; `end` is the last one that continues the chain."""

    def __init__(self, first: int = 1, hash_function: HashFunction = hash_record, noun: str = "record") -> None:
        self.end = ChainEnd(first - 1)
        self._is_linked = first == 1  # what precedes a later record is unknown
        self._hash_function = hash_function
        self._noun = noun

    def check(self, record: Mapping[str, Any], line: bytes | None = None) -> list[str]:
        """Return what is wrong with the next record, one sentence per fault; a `line` must be its exact bytes."""
        seq, noun, faults = record["seq"], self._noun, []
        if seq > self.end.seq + 1:
            first, last = self.end.seq + 1, seq - 1
            missing = f"{noun} {first:,} is" if first == last else f"{noun}s {first:,} to {last:,} are"
            faults.append(f"{missing} missing")
        elif seq <= self.end.seq:
            faults.append(f"{noun} {seq:,} appears where {noun} {self.end.seq + 1:,} was expected")
        elif self._is_linked and record.get("previous") != self.end.hash:
            faults.append(f"{noun} {seq:,} does not follow the previous {noun}")
        if record["hash"] != self._hash_function(record) or line not in (None, format_line(record)):
            faults.append(f"{noun} {seq:,} was changed")
        if seq > self.end.seq:
            self.end, self._is_linked = end_of(record), True
        return faults
