"""A terminal with colors, for the demo and for progress bars."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from contacts_mcp.cli._output import terminal
from contacts_mcp.text import escape_invisible


class SafeConsole(Console):
    """A console whose texts cannot contain control sequences of their own."""

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        super().__init__(file=terminal(sys.stderr if stderr else sys.stdout), **options)

    def render(self, *arguments: Any, **options: Any) -> Iterable[Segment]:
        for segment in super().render(*arguments, **options):
            yield segment if segment.control else Segment(escape_invisible(segment.text), segment.style)
