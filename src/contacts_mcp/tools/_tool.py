"""What a tool is: data, derived from a call or written by hand."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel

from contacts_mcp.contract import AnswerT, Call, Report, Risk
from contacts_mcp.tools._schema import input_schema, output_schema


class Sender(Protocol):
    """The API client, as far as tools need to know it."""

    async def send(self, call: Call[AnswerT], report: Report | None = None) -> AnswerT:
        """Send one call and return its answer; raise a ContactsError where it did not succeed."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """What a tool works with: the client, the region of national numbers, and whom to tell of progress."""

    client: Sender
    default_region: str | None = None
    report: Report | None = None

    async def send(self, call: Call[AnswerT]) -> AnswerT:
        return await self.client.send(call, self.report)


@dataclass(frozen=True)
class Tool:
    """A tool of the catalog. `risk` decides its annotations and whether the guard asks a person.

    `run` takes the backend and validated `arguments`, and returns an instance of `answer`.
    """

    name: str
    title: str
    description: str
    risk: Risk
    repeatable: bool
    arguments: type[BaseModel]
    answer: type[BaseModel]
    run: Callable[[Backend, Any], Awaitable[BaseModel]]
    aims: tuple[str, ...]
    """The arguments that say which records the call is about."""

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.arguments)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        return output_schema(self.answer)

    @cached_property
    def hints(self) -> dict[str, Any]:
        """MCP's annotations: what a host may show, all from the risk and from what a repetition does."""
        return {
            "title": self.title,
            "readOnlyHint": self.risk is Risk.READ,
            "destructiveHint": self.risk in (Risk.DESTROY, Risk.ERASE),
            "idempotentHint": self.repeatable,
            "openWorldHint": False,  # one directory, not the world
        }
