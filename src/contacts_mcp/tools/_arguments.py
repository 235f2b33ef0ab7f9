"""The validation of a tool's arguments, in the many ways in which models and hosts write them."""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import NoneType
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo

from contacts_mcp.contract import FieldFault, ValidationFailed, invalid_field, invalid_fields
from contacts_mcp.text import sanitize
from contacts_mcp.tools._habits import describe_wrong_id, is_all, read_choice, read_list, split_items

HOST_ARGUMENTS = (
    *("toolCallId", "sessionId", "chatInput", "action"),  # n8n
    "requestId",
    "task_progress",  # Cline
    "wait_for_previous",  # Gemini CLI
    *("thread", "conversation_id", "chat_options", "response_format"),  # Microsoft Agent Framework
)
"""Arguments that hosts add to a call by themselves; they are ignored, and so is every name that begins with `_`."""

_HOST_KEYS = frozenset(name.replace("_", "").lower() for name in HOST_ARGUMENTS)

_SEARCH = "search"
_BLANK = "blank"
"""Key of the validation context: the arguments that were given without a value."""
_MAX_UNKNOWN_ARGUMENTS = 5
_MAX_NAME_LENGTH = 64
_MAX_ITEMS = 5_000
_MAX_EXACT_FLOAT = 2**53  # from here on a float may have lost digits of what was written
_MAX_INTEGER_BITS = 512
_SURROGATE = re.compile("[\ud800-\udfff]")

Schema = Mapping[str, Any]


class Arguments(BaseModel):
    """The arguments of a tool; an unknown argument is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def drop_host_arguments(schema: Schema, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments without those that the host added by itself."""
    return {name: value for name, value in raw.items() if name in schema["properties"] or not _is_of_host(name)}


def _is_of_host(name: str) -> bool:
    return name.startswith("_") or name.replace("_", "").lower() in _HOST_KEYS


class CleanArguments(NamedTuple):
    """Arguments as the schema wants them, before they are validated.

    `blank` names those that were given without a value.
    """

    values: dict[str, Any]
    blank: list[str]


def clean_arguments(schema: Schema, raw: Mapping[str, Any]) -> CleanArguments:
    """Convert the arguments of a tool call to what the schema wants, as far as that loses nothing.

    Models fill optional arguments that they do not need with "", "null", null, [] or the default: these count as
    absent, never as "clear". Raises ValidationFailed if the arguments are too many to be validated.
    """
    given = drop_host_arguments(schema, raw)
    if len(given) > len(schema["properties"]) + _MAX_UNKNOWN_ARGUMENTS:
        raise invalid_field("", f"too many arguments; this tool accepts {', '.join(schema['properties'])}")
    cleaned = _clean_object(schema, given, "")
    return CleanArguments(cleaned, [name for name in given if name in schema["properties"] and name not in cleaned])


def validate_arguments(model: type[BaseModel], schema: Schema, clean: CleanArguments) -> BaseModel:
    """Validate clean arguments.

    Raises ValidationFailed, which names each invalid argument and what was expected; and the value only if it is a name
    in the place of an id, to show how the id is found.
    """
    try:
        return model.model_validate(clean.values, context={_BLANK: clean.blank})
    except ValidationError as exc:
        # `from None`: the chained error would carry the values.
        raise _to_validation_failed(exc, schema) from None


def blank_fields(info: ValidationInfo, model: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields that a call gave without a value and that `clear_fields` of the model can empty."""
    (accepted,) = [each for each in get_args(model.model_fields["clear_fields"].annotation) if each is not NoneType]
    names = get_args(get_args(accepted)[0])
    return tuple(name for name in (info.context or {}).get(_BLANK, ()) if name in names)


def describe_nothing(blank: Sequence[str]) -> str:
    """Describe an update without a change. A caller who gave an empty value may have meant to empty the field."""
    if not blank:
        return "names nothing to change"
    fields = ", ".join(blank)
    return f"names nothing to change: an empty value leaves a field as it is; to empty {fields}, use clear_fields"


def _clean_object(schema: Schema, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Convert the members of an object, and leave out those that count as absent."""
    required = schema.get("required", ())
    cleaned: dict[str, Any] = {}
    for name, value in drop_host_arguments(schema, given).items():
        property_schema = schema["properties"].get(name, {})
        clean = _clean(property_schema, value, f"{path}{sanitize(name, _MAX_NAME_LENGTH)}")
        is_absent = clean is None if name in required else _is_filler(property_schema, clean)
        if name == _SEARCH and is_all(clean):
            is_absent = _is_everything(clean, f"{path}{name}")
        if not is_absent:
            cleaned[name] = clean
    return cleaned


def _is_everything(search: str, path: str) -> bool:
    """Whether a search for all contacts means no search. Raises ValidationFailed for a word that begins names."""
    if search.strip().isalpha():
        advice = "leave search out for all contacts, or write more of the name"
        raise invalid_field(path, "would find only names that begin with this word", advice)
    return True


def _is_filler(schema: Schema, value: Any) -> bool:
    """Whether a value in an optional place means nothing; 0 does, because every number is at least 1."""
    if isinstance(value, str) and value.strip() in ("", "null"):
        return True
    return value in (None, [], {}, schema.get("default")) or (value == 0 and schema.get("type") == "integer")


def _clean(schema: Schema, value: Any, path: str) -> Any:
    """Convert a value to the type that the schema wants; one that cannot be converted is left for the validation."""
    match schema.get("type"):
        case "string":
            text = _to_text(value, path)
            return read_choice(schema["enum"], text) if "enum" in schema and isinstance(text, str) else text
        case "array":
            return _clean_list(schema["items"], value, path)
        case "object" if "properties" in schema:  # else the arguments of another tool, which are validated as such
            members = _decode(value, dict)
            return _clean_object(schema, members, f"{path}.") if isinstance(members, dict) else members
        case "integer":
            if is_all(value):
                raise invalid_field(path, f"cannot be all: give a number{_limit_of(schema)}")
            return _decode(value, int, float)
        case "boolean":
            return _decode(value.strip().lower() if isinstance(value, str) else value, bool)
        case _:
            return value


def _limit_of(schema: Schema) -> str:
    return f" from 1 to {schema['maximum']}" if "maximum" in schema else ""


def _clean_list(schema: Schema, value: Any, path: str) -> Any:
    """Convert the items of a list, which is refused if it would take seconds to validate."""
    items = _decode(value, list)
    if isinstance(items, str) and not _is_filler({}, items):
        items = read_list(schema, items, path)
    if not isinstance(items, list):
        return items
    _require_few(len(items), path)  # before each of them is looked at
    if schema["type"] == "array":
        items = [_decode(each, list) for each in items]
        _require_few(sum(len(each) if isinstance(each, list) else 1 for each in items), path)
    else:
        items = split_items(items)
        _require_few(len(items), path)
    cleaned = (_clean(schema, item, f"{path}.{index}") for index, item in enumerate(items))
    return [item for item in cleaned if not _is_filler(schema, item)]


def _require_few(count: int, path: str) -> None:
    if count > _MAX_ITEMS:
        raise invalid_field(path, f"should have no more than {_MAX_ITEMS:,} items")


def _to_text(value: Any, path: str) -> Any:
    """Return a number or a boolean as the text that was meant, unless digits may have been lost."""
    if isinstance(value, str) and _SURROGATE.search(value):
        raise invalid_field(path, "contains half of a character (a lone surrogate)")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and abs(value) < _MAX_EXACT_FLOAT:
        return str(int(value) if value.is_integer() else value)
    return str(value) if isinstance(value, int) and value.bit_length() < _MAX_INTEGER_BITS else value


def _decode(value: Any, *types: type) -> Any:
    """Decode JSON text that is of one of these types; anything else is returned as it is."""
    if not isinstance(value, str):
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return decoded if type(decoded) in types else value


def _to_validation_failed(exc: ValidationError, schema: Schema) -> ValidationFailed:
    errors = exc.errors(include_url=False, include_context=False)
    return invalid_fields([_to_fault(error, schema) for error in errors])


def _to_fault(error: Mapping[str, Any], schema: Schema) -> FieldFault:
    error_type, location, message = error["type"], error["loc"], error["msg"]
    path = sanitize(".".join(str(part) for part in location), _MAX_NAME_LENGTH)
    if error_type == "uuid":
        return FieldFault(path, describe_wrong_id(error["input"]))
    if error_type == "missing":
        return FieldFault(path, "is required")
    if error_type == "extra_forbidden":
        return FieldFault(path, _describe_unknown(str(location[-1]), _schema_at(schema, location[:-1])["properties"]))
    if error_type == "literal_error":
        *others, last = map(repr, _schema_at(schema, location)["enum"])
        return FieldFault(path, f"should be {', '.join(others)} or {last}" if others else f"should be {last}")
    return FieldFault(path, message.replace("Input should", "should").replace("Value error, ", ""))


def _schema_at(schema: Schema, location: tuple[int | str, ...]) -> Schema:
    for part in location:
        schema = schema["items"] if isinstance(part, int) else schema["properties"][part]
    return schema


def _describe_unknown(name: str, accepted: Mapping[str, Any]) -> str:
    """Describe an unknown argument with the argument that it may be a misspelling of, or else all of them."""
    if (stem := name.lower().removesuffix("_name")) in accepted:  # `group_name` is `group`, and not `group_id`
        return f"unknown argument; did you mean {stem}?"
    if close := get_close_matches(name.lower()[:_MAX_NAME_LENGTH], accepted, n=1):
        return f"unknown argument; did you mean {close[0]}?"
    return f"unknown argument; this tool accepts {', '.join(accepted)}"
