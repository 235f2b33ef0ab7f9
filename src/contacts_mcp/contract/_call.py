"""Call: an endpoint of the API as a class, from which its request, its tool and its risk are derived."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from contacts_mcp.contract.errors import FieldFault, ValidationFailed, invalid_fields

AnswerT = TypeVar("AnswerT")
AnswerT_co = TypeVar("AnswerT_co", covariant=True)

TIME_LIMIT_SECONDS = 25.0
"""For a call with all its retries: less than the 30 seconds after which many MCP clients give up a tool call."""

ProgressCallback = Callable[[float, float | None, str | None], Awaitable[None]]
"""Reports a long call's progress: how many are done, of how many (None if unknown), and a message."""


class Risk(StrEnum):
    """What a call can do to the directory, in ascending order."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"  # recoverable by the service's operator at best
    ERASE = "erase"  # irreversible


class Change(Flag):
    """What reads differently after a call; `CONTACT`, `GROUP` and `MEMBERS` are of the ids in the call's path.

    No answer says which groups a contact is in, so a call that changes its groups changes `ALL_GROUPS`.
    """

    NOTHING = 0
    CONTACT = auto()
    GROUP = auto()
    MEMBERS = auto()
    ALL_CONTACTS = auto()
    ALL_GROUPS = auto()
    ALL_MEMBERS = auto()
    GROUP_LIST = auto()


# The ids in the API documentation have no valid UUID version, so the version is not checked. The check keeps an id from
# naming another route: `/v1/contacts/groups` has the shape of `/v1/contacts/{contact_id}`.
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


def _max_length(limit: int) -> AfterValidator:
    """Limit the characters. Not by `Field`: each `maxLength` in a tool's schema would cost tokens."""

    def check(value: str) -> str:
        if len(value) > limit:
            raise PydanticCustomError("long", "must have at most {limit} characters", {"limit": f"{limit:,}"})
        return value

    return AfterValidator(check)


_Text = AfterValidator(_require_text)

ContactId = Annotated[str, AfterValidator(_require_uuid)]
GroupId = Annotated[str, AfterValidator(_require_uuid)]
UndoReceipt = Annotated[str, AfterValidator(_require_uuid)]
FileText = Annotated[str, _Text]  # not blank
# The API documentation names no limits. These are above those of any service, and bound the work on a value.
Text = Annotated[str, _max_length(20_000), _Text]
SearchText = Annotated[str, _max_length(255), _Text]
Tag = Annotated[str, _max_length(255), _Text]
MAX_TAGS = 50
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS)]


@dataclass(frozen=True, slots=True)
class Neutral:
    """The value with which a tool's caller leaves an optional choice out; it is the default in the tool's schema.

    Some clients make a model fill in every argument, so that each needs a value that means nothing. A call does not
    accept the value itself: None stands for it.
    """

    value: str


@dataclass(frozen=True, slots=True)
class Request:
    """A call as an HTTP request: `query` repeats a name for each item of a list; `body` is a JSON object."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    body: dict[str, Any] | None = None


class Call(BaseModel, Generic[AnswerT_co]):
    """One endpoint. Subclasses define `route`, `risk` and `idempotent`; their fields are the endpoint's parameters.

    A documented call that writes also defines `changes`.

    A subclass's docstring is the description that an agent reads. Raises ValidationFailed, which names each invalid
    argument, if it is made with arguments that are not valid.

    Attributes:
        route: Method and path as in the API documentation; a `{name}` in the path is the field of that name.
        risk: What the call can do to the directory.
        idempotent: Whether sending it twice leaves the directory as sending it once does.
        changes: What reads differently after the call, so that those who watch it are notified.
        answer_type: The record that the service answers with, from the subclass's type argument; None for no body.
        method: The HTTP method, from the route.
        path: The path template, from the route.
        path_fields: The names of the fields in the path: the ids of the records that the call is about.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    route: ClassVar[str]
    risk: ClassVar[Risk]
    idempotent: ClassVar[bool]
    changes: ClassVar[Change | None] = None
    answer_type: ClassVar[type[BaseModel] | None]
    method: ClassVar[str]
    path: ClassVar[str]
    path_fields: ClassVar[tuple[str, ...]]

    if not TYPE_CHECKING:  # type checkers derive the arguments of each subclass from its fields

        def __init__(self, /, **arguments: Any) -> None:
            try:
                super().__init__(**arguments)
            except ValidationError as exc:
                # `from None`: the chained error would carry the values.
                raise _to_validation_failed(exc, type(self)) from None

        # Tells pydantic not to use it for `model_validate`, which raises pydantic's own error.
        __init__.__pydantic_base_init__ = True

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        arguments = cls.__bases__[0].__pydantic_generic_metadata__["args"]  # type: ignore[attr-defined]
        if not arguments:
            return  # Call[Answer] itself
        for name in ("route", "risk", "idempotent"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__name__} must define `{name}`")
        cls.answer_type = None if arguments[0] is type(None) else arguments[0]
        cls.method, cls.path = cls.route.split(" ", 1)
        cls.path_fields = tuple(re.findall(r"{(\w+)}", cls.path))

    @classmethod
    def tool_name(cls) -> str:
        """Return the class's name in snake case, which is the tool's name."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def request(self) -> Request:
        """Build the request: path fields go into the path, the others into the query (GET) or the body.

        Fields that were not set are left out unless they have a default; an explicit None is null in the body.
        """
        given = self.model_fields_set
        values = {
            name: value for name, value in self.model_dump(mode="json").items() if name in given or value is not None
        }
        path = self.path.format_map({name: values.pop(name) for name in self.path_fields})
        if self.method == "GET":
            lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
            query = [(name, str(item)) for name, items in lists.items() for item in items if item is not None]
            return Request(self.method, path, query=query)
        return Request(self.method, path, body=values if self.method in ("POST", "PATCH") else None)


def _to_validation_failed(exc: ValidationError, call: type[Call[Any]]) -> ValidationFailed:
    errors = exc.errors(include_url=False, include_context=False, include_input=False)
    return invalid_fields([_to_fault(error["type"], error["loc"], error["msg"], call) for error in errors])


def _to_fault(error_type: str, location: tuple[int | str, ...], message: str, call: type[Call[Any]]) -> FieldFault:
    path = ".".join(str(part) for part in location)
    if error_type == "missing":
        return FieldFault(path, "is required")
    if error_type == "extra_forbidden":
        return FieldFault(path, f"unknown argument; {call.__name__} accepts {', '.join(call.model_fields)}")
    return FieldFault(path, message.replace("Input should", "should"))
