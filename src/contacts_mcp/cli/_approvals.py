"""`contacts-mcp approvals`: a person decides in a terminal on the calls that wait for them, one after the other."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import anyio
import typer

from contacts_mcp.app import Reviewer, open_reviewer
from contacts_mcp.cli._options import interruptible
from contacts_mcp.cli._output import one_line, print_line, print_list
from contacts_mcp.contract import ContactsError
from contacts_mcp.guard import Approval, Prompt, Refused, build_prompt, choice_field
from contacts_mcp.operating_system import discard_typed, open_terminal
from contacts_mcp.server import OpenQuestion
from contacts_mcp.settings import Settings
from contacts_mcp.text import quote
from contacts_mcp.wording import count, local_time

_WATCH_INTERVAL_SECONDS = 1.0
_LATER = "later"
_NUMBERS = re.compile(r"[\s,]+")
_NOT_A_TERMINAL = "Nothing was decided: a person decides in a terminal, which is both input and output of this command."
_INTRODUCTION = "Nothing is changed unless you type the word or the name that is asked for. Ctrl-D ends."


class _InputEnded(Exception):
    """The person ended the input, with Ctrl-D or Ctrl-C, so the question stays open."""


def run_approvals(settings: Settings, home: Path, *, watch: bool, as_json: bool) -> int:
    """Open the desk and let the person decide; with `as_json` only list. Return the exit code.

    Raises ValueError, in one line, if approvals in the terminal are switched off, or cannot be read.
    """

    async def run() -> int:
        async with open_reviewer(settings, home) as reviewer:
            if as_json:
                _list(await reviewer.list_pending(), as_json=True)
                return 0
            return await _decide(reviewer, watch=watch)

    try:
        with interruptible():
            return anyio.run(run)
    except KeyboardInterrupt:
        if not watch:
            raise
        return 0
    except ContactsError as exc:
        raise ValueError(f"{exc.message}; {exc.advice}") from exc


def _list(approvals: Sequence[Approval], *, as_json: bool) -> None:
    """Print what waits for a decision: no arguments and no names, which only the person at the terminal sees."""
    lines = [f"{each.id[:8]}  {_summarize(each)}" for each in approvals] or ["Nothing waits for a decision."]
    print_list(lines, [_describe(each) for each in approvals], as_json)


async def _decide(reviewer: Reviewer, *, watch: bool) -> int:
    """Ask the person at the terminal about each pending call, and with `watch` about new ones; return the exit code."""
    with _open_terminal() as answers:
        if answers is None:
            pending = await reviewer.list_pending()
            _list(pending, as_json=False)
            if pending:
                print_line(_NOT_A_TERMINAL, err=True)
            return 1 if pending else 0
        try:
            await _ask_about_all(reviewer, answers, watch=watch)
        except _InputEnded:
            typer.echo()
            print_line("The questions that you did not answer stay open until they expire.")
    return 0


async def _ask_about_all(reviewer: Reviewer, answers: TextIO, *, watch: bool) -> None:
    seen: set[str] = set()
    while True:
        new = [each for each in await reviewer.list_pending() if each.id not in seen]
        if new:
            print_line(f"{count(len(new), 'question waits', 'questions wait')} for you. {_INTRODUCTION}")
        elif not seen:
            print_line("Nothing waits for you." + (" Waiting for questions; Ctrl-C ends." if watch else ""))
        for number, approval in enumerate(new, 1):
            seen.add(approval.id)
            await _ask(reviewer, answers, approval, f"{number} of {len(new)}")
        if not watch:
            return
        seen.add("")  # what was printed once
        await anyio.sleep(_WATCH_INTERVAL_SECONDS)


async def _ask(reviewer: Reviewer, answers: TextIO, approval: Approval, position: str) -> None:
    """Show a question and store the decision; what prevents that is printed, and the next question follows."""
    typer.echo()
    print_line(f"Question {position}: {_summarize(approval)}")
    try:
        question = await reviewer.open(approval)
        prompt = build_prompt(question.call, question.target)
        for line in _lines_of(prompt):
            print_line(f"  {line}")
        while (answer := _read_answer(answers, prompt)) is not None:
            if not answer:
                await reviewer.keep(approval)
                print_line("Kept. Nothing is changed, and the assistant reads that you declined.")
                return
            if await _approve(reviewer, question, answer):
                return
        print_line("Left open.")
    except ContactsError as exc:
        print_line(f"Not decided: {exc.message}; {exc.advice}.")


async def _approve(reviewer: Reviewer, question: OpenQuestion, answer: Mapping[str, Any]) -> bool:
    """Store a yes; return False if the answer is not one, so that the person can answer again."""
    try:
        await reviewer.approve(question, answer)
    except Refused as exc:
        print_line(f"{exc.message[:1].upper()}{exc.message[1:]}; {exc.advice}.")
        return False
    print_line("Agreed. The assistant's call can go on.")
    return True


def _read_answer(answers: TextIO, prompt: Prompt) -> dict[str, Any] | None:
    """Read what the person decides: an answer for the guard, an empty one to keep, None to leave the question open."""
    asked = f"Type {quote(prompt.phrase or prompt.yes, 1_000)} to {prompt.yes or 'erase'}"
    typed = _read_line(answers, f"{asked}, or {_LATER} to leave it open. Enter keeps everything as it is: ")
    if not typed:
        return {}
    if typed == _LATER and prompt.phrase != _LATER:
        return None
    if not prompt.phrase:
        return {"decision": typed}
    return {"typed": typed, **_read_choices(answers, prompt)}


def _read_choices(answers: TextIO, prompt: Prompt) -> dict[str, bool]:
    """Read which further records an erasure includes."""
    total = len(prompt.choices.items)
    known = {str(number): choice_field(number) for number in range(1, total + 1)}
    while known:
        typed = _read_line(answers, "Numbers of the records to erase as well, such as 1. Enter erases none of them: ")
        numbers = [each for each in _NUMBERS.split(typed) if each]
        if known.keys() >= set(numbers):
            return {known[number]: True for number in numbers}
        print_line(f"Type numbers from 1 to {total}.")
    return {}


def _read_line(answers: TextIO, prompt: str) -> str:
    """Return what the person types, without the spaces around it. Raises _InputEnded."""
    discard_typed(answers)  # what was typed before the question was shown is no answer to it
    typer.echo(one_line(prompt), nl=False)
    sys.stdout.flush()
    try:
        with interruptible():
            line = answers.readline()
    except KeyboardInterrupt:
        raise _InputEnded from None
    if not line:
        raise _InputEnded
    return line.strip()


def _lines_of(prompt: Prompt) -> Iterator[str]:
    yield f"{prompt.verb}: {prompt.label}?"
    yield from prompt.effect
    if prompt.choices.items:
        yield f"{prompt.choices.reason}. They stay unless you name their numbers:"
        yield from (f"{number}. {each.description}" for number, each in enumerate(prompt.choices.items, 1))
    if prompt.choices.more:
        yield prompt.choices.more
    for heading, values in (("It would set:", prompt.values), ("It would change:", prompt.changes)):
        if values:
            yield heading
            yield from (f"- {name}: {value}" for name, value in values.items())
    if prompt.warning:
        yield prompt.warning


@contextmanager
def _open_terminal() -> Iterator[TextIO | None]:
    """Open the terminal for reading; None unless it is both input and output of this command.

    What a person types is read from the terminal itself: what is piped into this command cannot answer.
    """
    if not (sys.stdin and sys.stdout and sys.stdin.isatty() and sys.stdout.isatty()):
        yield None
        return
    try:
        terminal = open_terminal()
    except OSError:
        yield sys.stdin
        return
    with terminal:
        yield terminal


def _summarize(approval: Approval) -> str:
    asked, expires = (local_time(datetime.fromtimestamp(each, UTC)) for each in (approval.asked_at, approval.expires))
    by = approval.asked_by or "an unnamed host"
    return f"{approval.tool}, from {by} ({approval.principal}), asked {asked}, open until {expires}"


def _describe(approval: Approval) -> dict[str, str]:
    times = {"asked_at": approval.asked_at, "expires": approval.expires}
    return {
        "id": approval.id,
        "tool": approval.tool,
        "host": approval.asked_by,
        "caller": approval.principal,
        **{name: f"{datetime.fromtimestamp(each, UTC):%Y-%m-%dT%H:%M:%SZ}" for name, each in times.items()},
    }
