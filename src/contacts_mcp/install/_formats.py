"""The formats of hosts' files: what each edit has to leave as it was is checked here, for all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contacts_mcp.install import _edit_json, _edit_toml, _edit_yaml
from contacts_mcp.install._text import InvalidHostFile


class FileFormat(StrEnum):
    """How a host's file is written."""

    JSON = "json"  # also with comments and trailing commas
    TOML = "toml"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class _Editor:
    read_entries: Callable[[str, str], dict[str, Any]]
    put_entry: Callable[[str, str, str, dict[str, Any]], str]
    drop_entry: Callable[[str, str, str], str]


_EDITORS = {
    FileFormat.JSON: _Editor(_edit_json.read_entries, _edit_json.put_entry, _edit_json.drop_entry),
    FileFormat.TOML: _Editor(_edit_toml.read_entries, _edit_toml.put_entry, _edit_toml.drop_entry),
    FileFormat.YAML: _Editor(_edit_yaml.read_entries, _edit_yaml.put_entry, _edit_yaml.drop_entry),
}


def read_entries(file_format: FileFormat, text: str, section: str) -> dict[str, Any]:
    """Return the entries of a section of a host's file, by name. Raises InvalidHostFile."""
    return _EDITORS[file_format].read_entries(text, section)


def put_entry(file_format: FileFormat, text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    """Return a file's text with an entry, in place of one of the same name; the rest stays as it was.

    Raises InvalidHostFile, also if the edit would change anything else.
    """
    before = read_entries(file_format, text, section)
    edited = _EDITORS[file_format].put_entry(text, section, name, entry)
    return _check(file_format, edited, section, {**before, name: entry})


def drop_entry(file_format: FileFormat, text: str, section: str, name: str) -> str:
    """Return a file's text without an entry; the rest stays as it was. Raises InvalidHostFile."""
    before = read_entries(file_format, text, section)
    if name not in before:
        return text
    edited = _EDITORS[file_format].drop_entry(text, section, name)
    return _check(file_format, edited, section, {key: value for key, value in before.items() if key != name})


def _check(file_format: FileFormat, edited: str, section: str, expected: dict[str, Any]) -> str:
    """Return the edited text. Raises InvalidHostFile if its entries are not the expected ones."""
    try:
        found = read_entries(file_format, edited, section)
    except InvalidHostFile:
        found = None
    if found != expected:
        raise InvalidHostFile(f"`{section}` is written in a way that this command cannot edit")
    return edited
