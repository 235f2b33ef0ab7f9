"""The end of a hash chain in an append-only file. Only a file that surely ends with our records is written to."""

import os
from pathlib import Path

from contacts_mcp.append_only_file import LockedFile, Tail, read_tail
from contacts_mcp.hash_chain import ChainEnd, ChainVerifier, InvalidRecord, end_of, format_line, parse_line

_BEGINNING = b'{"seq":'


def repair_chain_end(file: LockedFile, start: ChainEnd) -> ChainEnd:
    """Return the last record of a file whose first record follows `start`; it may be empty.

    A record that a crash cut short is removed, and completed if only its line feed is missing. Raises InvalidRecord,
    and changes nothing, if the file does not end with records of the chain.
    """
    tail = file.read_tail()
    end = _end_of_lines(tail, start)
    if not tail.rest:
        return end
    if (complete := _complete_record(tail.rest, end)) is not None:
        file.append(b"\n", durable=True)
        return complete
    _require_torn_record(tail, end)
    file.cut(len(tail.rest))
    return end


def read_chain_end(path: Path, start: ChainEnd) -> ChainEnd:
    """Return what `repair_chain_end` would, without writing. Raises InvalidRecord, OSError."""
    tail = read_tail(path)
    end = _end_of_lines(tail, start)
    if tail.rest and (complete := _complete_record(tail.rest, end)) is not None:
        return complete
    if tail.rest:
        _require_torn_record(tail, end)
    return end


def probe_chain_file(path: Path, start: ChainEnd) -> ChainEnd:
    """Check without writing that records could be appended to a file, or that it could be created.

    Raises InvalidRecord, OSError.
    """
    try:
        end = read_chain_end(path, start)
    except FileNotFoundError:
        path, end = next(folder for folder in path.absolute().parents if folder.exists()), start
        if not path.is_dir():
            raise NotADirectoryError(0, f"{path.name} is not a folder") from None
    if not os.access(path, os.W_OK):
        raise PermissionError(0, "no permission to write it")
    return end


def _end_of_lines(tail: Tail, start: ChainEnd) -> ChainEnd:
    if tail.last_line is None:
        return start
    record = parse_line(tail.last_line)
    if ChainVerifier(record["seq"]).check(record, tail.last_line + b"\n"):
        raise InvalidRecord("not a record of the chain")
    return end_of(record)


def _complete_record(rest: bytes, end: ChainEnd) -> ChainEnd | None:
    """Return the record that a line without its line feed holds, if it continues the chain."""
    try:
        record = parse_line(rest)
    except InvalidRecord:
        return None
    verifier = ChainVerifier(end.seq + 1)
    is_linked = record.get("previous") == end.hash and record["seq"] == end.seq + 1
    return end_of(record) if is_linked and not verifier.check(record, format_line(record)) else None


def _require_torn_record(tail: Tail, end: ChainEnd) -> None:
    """Raise InvalidRecord unless the last line is the beginning of the record that follows `end`."""
    expected = _BEGINNING + f"{end.seq + 1},".encode()
    is_ours = tail.rest.startswith(expected) or expected.startswith(tail.rest)
    if not is_ours or tail.rest.endswith(b"}") or (tail.last_line is None and not tail.rest.startswith(_BEGINNING)):
        raise InvalidRecord("not the beginning of a record of the chain")
