"""What a task is: a prompt, a directory, how the person answers questions, what must have changed, and a solution."""

import re
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.world import BASE, World


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of a scripted solution."""

    tool: str
    arguments: dict[str, Any]


def call(tool: str, /, **arguments: Any) -> Call:
    """Return a call for a solution to yield."""
    return Call(tool, arguments)


Steps = Generator[Call, Any, Any]
"""Part of a solution, for `yield from`: yields calls and receives the result of each."""

Solution = Generator[Call, Any, "Answer | None"]
"""Yields calls, receives the result of each (the structured content, or the text of an error), returns the answer."""


class Answer(BaseModel):
    """An answer that the model gives as data. In a task, contacts are named by their keys instead of their ids."""

    model_config = ConfigDict(extra="forbid")


class OneContact(Answer):
    """The contact that was meant, or the possible contacts if it is not clear which one."""

    contact_id: str | None = Field(description="Its id; null if none or several fit.")
    candidates: list[str] = Field(default=[], description="Ids of all contacts that fit, if several do.")


class Contacts(Answer):
    """The contacts that were asked for."""

    contact_ids: list[str] = Field(description="Their ids, in any order.")


class Number(Answer):
    """The number that was asked for."""

    number: int


class Text(Answer):
    """The words or digits that were asked for, without anything around them."""

    text: str


class Audience(Answer):
    """Whom an SMS would reach."""

    numbers: int = Field(description="Distinct numbers that it would reach.")
    unreachable: list[str] = Field(description="Ids of the contacts that it would not reach, in any order.")


Expected = object
"""A value, a pattern that the value must contain, or a function that says whether the value is right."""

ANY = re.compile("")
"""Any text, also none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The difference that a right run makes. Everything that it does not name must stay as it was.

    Attributes:
        updated: fields by the key of their contact.
        created: the fields of each new contact; all others must be empty.
        deleted, erased: keys of contacts.
        members: all keys in a group at the end, by the group's name; a new contact's key is its name. A group that
            is not named keeps its members, except those who are deleted or erased.
        deleted_groups: names.
        renamed_groups: new names by the old ones.
    """

    updated: Mapping[str, Mapping[str, Expected]] = field(default_factory=dict)
    created: Sequence[Mapping[str, Expected]] = ()
    deleted: Collection[str] = ()
    erased: Collection[str] = ()
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    deleted_groups: Collection[str] = ()
    renamed_groups: Mapping[str, str] = field(default_factory=dict)


NOTHING = Wanted()
"""The directory stays as it was."""

Refusal = Literal["declines", "keeps", "closes", "mistypes"]
"""How the person says no: with the form's button, with its default, by closing it, or by typing something else."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        prompt: what the person asks for.
        solve: makes the scripted solution, with the tools of `contacts-mcp`.
        wanted: the difference in the directory, or several that are equally right.
        answer: the right answer, whose type the model must answer in; None if what it says does not matter.
        agrees: parts of questions to which the person must have agreed, such as the name of the contact.
        may_agree: parts of questions to which the person agrees, if they come.
        refuses: parts of questions that the person must have refused.
        may_refuse: parts of questions that the person refuses, if they come.
        refusal: how they refuse. A question that contains none of these parts is refused, and is an error of the agent.
        files: the files in the server's folder, by name.
        check_files: returns what is wrong with the files in the folder after the run, or an empty text.
        receipt: a pattern that the reason of the last erasure must not contain.
    """

    name: str
    family: str
    prompt: str
    solve: Callable[[], Solution]
    world: World = BASE
    wanted: Wanted | Sequence[Wanted] = NOTHING
    answer: Answer | None = None
    agrees: Sequence[str] = ()
    may_agree: Sequence[str] = ()
    refuses: Sequence[str] = ()
    may_refuse: Sequence[str] = ()
    refusal: Refusal = "declines"
    files: Mapping[str, bytes] = field(default_factory=dict)
    check_files: Callable[[Mapping[str, bytes]], str] | None = None
    receipt: str = ""

    @property
    def alternatives(self) -> Sequence[Wanted]:
        """Every difference that is right."""
        return [self.wanted] if isinstance(self.wanted, Wanted) else self.wanted


class Family:
    """The tasks of a module. `family.task(...)` makes a task of the function below it, which is its solution."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: list[Task] = []

    def task(self, prompt: str, **options: Any) -> Callable[[Callable[[], Solution]], Callable[[], Solution]]:
        """Register a task that is named after its solution. `options` are attributes of `Task`."""

        def register(solve: Callable[[], Solution]) -> Callable[[], Solution]:
            name = solve.__name__.replace("_", "-")
            self.tasks.append(Task(name, self.name, " ".join(prompt.split()), solve, **options))
            return solve

        return register
