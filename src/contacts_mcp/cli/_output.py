r"""Where commands print. No character of a name, a file or an error can steer the terminal, or hide or reorder text.

Such characters are shown as JSON escapes, for example `\u001b`, on standard output and standard error, whether or not
these are terminals. Within JSON they therefore keep their meaning.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO, cast

import typer

from contacts_mcp.text import escape_invisible


class SafeStream:
    """A text stream that escapes what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(escape_invisible(text))
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes would bypass `write`
            raise AttributeError(name)
        return getattr(self.stream, name)


@contextmanager
def safe_output() -> Iterator[None]:
    """Escape everything that is printed in the `with` block; a letter that cannot be encoded is no error either."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # A descriptor that was closed when the process started has no stream.
    sys.stdout, sys.stderr = (stream and cast("TextIO", SafeStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def terminal(stream: TextIO) -> TextIO:
    """Return the stream for a program that writes colors; it has to escape its texts itself."""
    return stream.stream if isinstance(stream, SafeStream) else stream


def print_line(text: str, *, err: bool = False) -> None:
    """Print a text as one line, whatever it contains."""
    typer.echo(one_line(text), err=err)


def one_line(text: str) -> str:
    """Escape line breaks, too: a name must not look like another line of the output."""
    return escape_invisible(text.replace("\r", "\\r").replace("\n", "\\n"))


def print_json(content: Any) -> None:
    """Print JSON on one line."""
    typer.echo(json.dumps(content, ensure_ascii=False))


def print_json_array(items: Iterable[str]) -> None:
    """Print JSON texts as one array, each on its own line; they are printed as they come."""
    before = "[\n"
    for item in items:
        typer.echo(f"{before}{item}", nl=False)
        before = ",\n"
    typer.echo("[]" if before == "[\n" else "\n]")


def print_list(lines: Iterable[str], items: Iterable[Mapping[str, Any]], as_json: bool) -> None:
    """Print each line, or the items as a JSON array of objects."""
    if as_json:
        print_json_array(json.dumps(item, ensure_ascii=False) for item in items)
        return
    for line in lines:
        print_line(line)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table with aligned columns, below their names."""
    shown = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def print_result(lines: Sequence[str], content: Any, as_json: bool) -> None:
    """Print each line, or the content as JSON."""
    if as_json:
        print_json(content)
        return
    for line in lines:
        print_line(line)
