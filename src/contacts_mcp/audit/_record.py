"""A record: one line of the trail, which carries the hash of the one before and its own, over everything it says.

So none can be changed, left out or put in later without every later one being wrong.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

Record = dict[str, Any]


class Outcome(StrEnum):
    """How a call ended, or that a destructive one is about to run."""

    DONE = "done"
    FAILED = "failed"  # nothing was done, and `error` says why
    UNKNOWN = "unknown"  # it may have been done
    REFUSED = "refused"  # a person, the guard, a missing permission or the trail itself stood in the way
    ASKED = "asked"  # the question or the preview was given back; the answer comes with another call
    NOT_RUN = "not_run"  # it was cut off before it could do anything
    BEGUN = "begun"  # written before the call; a later record with this one's number in `begun` says how it ended


class End(NamedTuple):
    """The last record of a chain: its number and its hash."""

    seq: int = 0
    hash: str = ""


class NoRecord(ValueError):
    """A line that no record can have written."""


def seal(says: Mapping[str, Any], end: End) -> Record:
    """The record that follows `end` and says this."""
    record = {"seq": end.seq + 1, **says, "previous": end.hash}
    return {**record, "hash": hash_of(record)}


def hash_of(record: Mapping[str, Any]) -> str:
    """The hash of what a record says, whatever the order in which it does."""
    said = {name: value for name, value in record.items() if name != "hash"}
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def line_of(record: Record) -> bytes:
    """The one way in which a record is written down."""
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def read_line(line: bytes) -> Record:
    """The record in a line, whether or not it is as it was written. Raises NoRecord."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise NoRecord from exc
    if not isinstance(record, dict) or type(record.get("seq")) is not int or not isinstance(record.get("hash"), str):
        raise NoRecord
    return record
