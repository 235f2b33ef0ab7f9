"""What a prompt is: a text for an everyday job, with what a person filled in quoted inside."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from contacts_mcp.contract import FieldFault, ValidationFailed
from contacts_mcp.text import quote, sanitize

_VALUE_LIMIT = 200
_NAME_LIMIT = 64


class Argument(NamedTuple):
    """Something a person fills in."""

    name: str
    description: str
    required: bool = False


class Prompt(NamedTuple):
    """A job. `write` makes its text of the arguments that were given, each of them quoted already."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    write: Callable[[Mapping[str, str]], str]

    def fill(self, given: Mapping[str, str]) -> str:
        """The text of the job; a blank counts as not filled in.

        Raises:
            ValidationFailed: an argument is missing, or is none of this prompt's.
        """
        filled = {name: quote(value, _VALUE_LIMIT) for name, value in given.items() if value.strip()}
        faults = [*self._missing(filled), *self._unknown(given)]
        if faults:
            raise ValidationFailed("; ".join(map(str, faults)), faults=tuple(faults))
        return self.write(filled)

    def _missing(self, filled: Mapping[str, str]) -> list[FieldFault]:
        wanted = [argument.name for argument in self.arguments if argument.required]
        return [FieldFault(name, "is required") for name in wanted if name not in filled]

    def _unknown(self, given: Mapping[str, str]) -> list[FieldFault]:
        known = [argument.name for argument in self.arguments]
        reason = f"is no argument of this prompt; it takes {', '.join(known)}"
        return [FieldFault(sanitize(name, _NAME_LIMIT), reason) for name in given if name not in known][:1]
