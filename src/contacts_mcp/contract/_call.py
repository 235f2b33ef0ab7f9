"""What a call is: an endpoint as a class, from which request, tool and guard are derived."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

AnswerT = TypeVar("AnswerT")
AnswerT_co = TypeVar("AnswerT_co", covariant=True)

ProgressCallback = Callable[[float, float | None, str | None], Awaitable[None]]
"""Told how far a long call is: how many are done, of how many where that is known, and of what."""


class Risk(StrEnum):
    """What a call can do to the directory, least first."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"  # recoverable by the service's operator at best
    ERASE = "erase"  # irreversible


# The examples on the API's page are no valid UUID versions, so the version is not checked. What matters is that
# no id can name another route: `/v1/contacts/groups` has the shape of `/v1/contacts/{contact_id}`.
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _require_uuid(value: str) -> str:
    stripped = value.strip()
    if not UUID.fullmatch(stripped):
        raise PydanticCustomError("uuid", "must be an id such as a1b2c3d4-5678-9abc-def0-123456789abc")
    return stripped


def _require_text(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be empty")
    return value


ContactId = Annotated[str, AfterValidator(_require_uuid)]
GroupId = Annotated[str, AfterValidator(_require_uuid)]
Text = Annotated[str, AfterValidator(_require_text)]
"""A string with something in it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call as HTTP would send it: `query` in order, names repeated for lists; `body` a JSON object."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    body: dict[str, Any] | None = None


class Call(BaseModel, Generic[AnswerT_co]):
    """One endpoint. Subclasses state `route`, `risk` and `idempotent`; fields are its parameters.

    The docstring of a subclass is the description an agent reads.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    route: ClassVar[str]
    """Method and path, as on the API's page; a `{name}` in the path is the field of that name."""
    risk: ClassVar[Risk]
    idempotent: ClassVar[bool]
    """Whether sending it twice leaves the directory as sending it once would."""
    answer_type: ClassVar[type[BaseModel] | None]
    """What the service answers, from the subclass's type argument."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        arguments = cls.__bases__[0].__pydantic_generic_metadata__["args"]  # type: ignore[attr-defined]
        if not arguments:
            return  # Call[Answer] itself
        cls.answer_type = None if arguments[0] is type(None) else arguments[0]
        for name in ("route", "risk", "idempotent"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__name__} must state `{name}`")

    @classmethod
    def tool_name(cls) -> str:
        """The class's name in snake case, which is the tool's name."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def path_fields(cls) -> tuple[str, ...]:
        """The fields that say which record the call is about."""
        return tuple(re.findall(r"{(\w+)}", cls.route))

    def request(self) -> Request:
        """Build the request: path fields into the path, the rest into query (GET) or body.

        A field left out stays out, so that absent and null differ; a default that is not None is sent.
        """
        method, template = self.route.split(" ", 1)
        values = self.model_dump(mode="json", exclude_unset=True) | self._defaults()
        in_path = {name: values.pop(name) for name in self.path_fields()}
        path = template.format_map(in_path)
        if method == "GET":
            return Request(method, path, query=_query(values))
        return Request(method, path, body=values if method in ("POST", "PATCH") else None)

    def _defaults(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name, info in type(self).model_fields.items()
            if name not in self.model_fields_set and not info.is_required() and info.default is not None
        }


def _query(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Flatten a list into a repeated name, the way FastAPI reads it."""
    pairs = ((name, value) for name, value in values.items() if value is not None)
    return [(name, str(item)) for name, value in pairs for item in (value if isinstance(value, list) else [value])]
