"""The demo as an SVG picture, recorded from a run of the real server."""

import io
import re

import anyio
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI

from contacts_mcp.cli._demo import Screen, play
from doc_examples import stable

_NO_WEB_FONTS = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def demo_picture() -> str:
    """Run the demo with a person who chooses to keep the contact, and return what a terminal of 80 columns shows."""
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True, highlight=False)

    def keep(screen: Screen, title: str, choices: list[str]) -> str:
        screen.console.print(f"{title} [bold magenta]\\[{'/'.join(choices)}][/] [bold cyan](keep)[/]: keep")
        return "keep"

    anyio.run(play, Screen(console), None, keep)
    picture = console.export_svg(
        title="contacts-mcp demo", theme=MONOKAI, code_format=_NO_WEB_FONTS, unique_id="demo", font_aspect_ratio=0.61
    )
    return stable(picture.replace("&#160;", "\N{NO-BREAK SPACE}"))
