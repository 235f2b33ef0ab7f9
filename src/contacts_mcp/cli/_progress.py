"""What the commands share: a question before something is destroyed, progress, and an answer as text or JSON."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def agree(question: str, yes: bool) -> None:
    """Go on only where somebody says so; where nobody can be asked, nothing happens."""
    if not yes:
        typer.confirm(question, abort=True, err=True)


def say(text: str, content: Any, as_json: bool) -> None:
    """Answer."""
    typer.echo(json.dumps(content, ensure_ascii=False) if as_json else text)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show on standard error how far something long has come, where somebody looks at a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
