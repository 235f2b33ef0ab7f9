"""Bytes in, rows out: the content says what a file is, and its name at most where that leaves it open."""

from collections.abc import Callable, Mapping

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.formats._csv import read_csv
from contacts_mcp.formats._excel import read_excel
from contacts_mcp.formats._json import read_json
from contacts_mcp.formats._rows import Format, ParsedFile
from contacts_mcp.formats._vcard import read_vcard

_READERS: Mapping[Format, Callable[[bytes, Mapping[str, str]], ParsedFile]] = {
    "csv": read_csv,
    "vcard": read_vcard,
    "excel": read_excel,
    "json": read_json,
}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_KNOWN = {b"%PDF": "a PDF", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
          b"\x1f\x8b": "a compressed file", b"Rar!": "an archive", b"7z\xbc\xaf": "an archive"}  # fmt: skip
_TEXT_16 = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 4096
_TAKEN = "CSV, vCard, Excel (xlsx, xls, ods) and JSON can be imported"


def read_contacts(
    data: bytes,
    *,
    name: str | None = None,
    format: str | None = None,  # noqa: A002 - what it is called everywhere
    mapping: Mapping[str, str] | None = None,
) -> ParsedFile:
    """Read contacts from a file's content.

    `format` is what the caller takes it for, `mapping` which field a column fills where its name does not say so.

    Raises:
        ValidationFailed: it is empty, or nothing that can be read, or not of that format; says what to do.
    """
    found = _format(data, name)
    if format is not None and format != found:
        raise ValidationFailed(f"format: the file is not {format}, it looks like {found}", advice="leave format out")
    return _READERS[found](data, mapping or {})


def _format(data: bytes, name: str | None) -> Format:
    if not data.strip():
        raise ValidationFailed("the file is empty", advice="choose another file")
    if data.startswith(_WORKBOOKS):
        return "excel"
    _require_text(data)
    begin = data[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf")
    if begin.startswith(_TEXT_16):
        begin = begin.decode("utf-16", "ignore").encode()
    begin = begin.lstrip()
    if begin[:11].upper() == b"BEGIN:VCARD":
        return "vcard"
    if begin[:1] in (b"[", b"{"):
        return "json"
    if name is not None and name.lower().endswith((".vcf", ".vcard", ".json", ".jsonl")):
        raise ValidationFailed(
            f"the file is no {name.rpartition('.')[2].lower()}, whatever its name says", advice=_TAKEN
        )
    return "csv"


def _require_text(data: bytes) -> None:
    for mark, what in _KNOWN.items():
        if data.startswith(mark):
            raise ValidationFailed(f"the file is {what}, whatever its name says", advice=_TAKEN)
    if b"\0" in data[:_LOOKED_AT] and not data.startswith(_TEXT_16):
        raise ValidationFailed("the file is binary, whatever its name says", advice=_TAKEN)
