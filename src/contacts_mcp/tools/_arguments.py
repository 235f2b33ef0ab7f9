"""A tool's schemas in the JSON that every host accepts, and the validation of arguments.

The schemas have only plain types: hosts reject or misuse combinators, references, nullable types, `pattern`,
`default: null` and formats. A field that may be null becomes one that may be absent; nested models are written out.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from contacts_mcp.contract import FieldFault, ValidationFailed, invalid_field
from contacts_mcp.text import sanitize

_MAX_FAULTS_SHOWN = 5
_MAX_NAME_LENGTH = 64
_MAX_ITEMS = 5_000
_SURROGATE = re.compile("[\ud800-\udfff]")


class Arguments(BaseModel):
    """The arguments of a tool; an unknown argument is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


_SCALARS: dict[Any, str] = {str: "string", datetime: "string", int: "integer", bool: "boolean"}
_LIMITS: dict[type, tuple[str, str]] = {
    Ge: ("minimum", "ge"),
    Le: ("maximum", "le"),
    MinLen: ("minItems", "min_length"),
    MaxLen: ("maxItems", "max_length"),
}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a tool's arguments, with the defaults that are not null.

    No object is closed: `additionalProperties` crashes converters, and an unknown argument is refused anyway.
    """
    return _object(model, defaults=True)


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a tool's answer: an open object without nulls."""
    return _object(model, defaults=False)


def merge_schemas(*schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object schema that each instance of one of `schemas` matches; hosts reject combinators at the root."""
    properties = {name: child for schema in schemas for name, child in schema["properties"].items()}
    return {"type": "object", "properties": properties}


def _object(model: type[BaseModel], *, defaults: bool) -> dict[str, Any]:
    fields = model.model_fields
    required = [name for name, info in fields.items() if info.is_required()]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(info, defaults=defaults) for name, info in fields.items()},
    }
    return {**schema, "required": required} if required else schema


def _property(info: FieldInfo, *, defaults: bool) -> dict[str, Any]:
    schema = _type(info.annotation)
    if info.description:
        schema["description"] = info.description
    for limit in info.metadata:
        if type(limit) in _LIMITS:
            keyword, attribute = _LIMITS[type(limit)]
            schema[keyword] = getattr(limit, attribute)
    if defaults and not info.is_required() and info.default is not None:
        schema["default"] = info.default
    return schema


def _type(annotation: Any) -> dict[str, Any]:
    """Return the schema of one type. Null is left out: it means the same as absent."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        (only,) = (argument for argument in arguments if argument is not NoneType)
        return _type(only)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _type(arguments[0])}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object(annotation, defaults=False)
    return {"type": _SCALARS[annotation]}


def parse_arguments(model: type[BaseModel], schema: Mapping[str, Any], raw: Mapping[str, Any]) -> BaseModel:
    """Validate the arguments of a tool call.

    Models fill optional arguments that they do not need with "", "null", null or []: these count as absent, never as
    "clear". An array that arrives as JSON text counts as the array. Raises ValidationFailed, which names each invalid
    argument and what was expected, but never the value.
    """
    properties = schema["properties"]
    if len(raw) > len(properties) + _MAX_FAULTS_SHOWN:
        raise invalid_field("", f"too many arguments; this tool accepts {', '.join(properties)}")
    required = schema.get("required", ())
    cleaned: dict[str, Any] = {}
    for name, given in raw.items():
        _check_bounds(name, given)
        value = given
        if isinstance(given, str) and properties.get(name, {}).get("type") == "array":
            value = _decode_array(given)
        is_filler = value is None or value == [] or (isinstance(value, str) and value.strip() in ("", "null"))
        if name in required or not is_filler:
            cleaned[name] = value
    try:
        return model.model_validate(cleaned)
    except ValidationError as exc:
        # `from None`: the chained error would carry the values.
        raise _to_validation_failed(exc, properties) from None


def _check_bounds(name: str, value: Any) -> None:
    """Refuse a list that would take seconds to validate, and text that cannot be encoded."""
    if isinstance(value, list) and len(value) > _MAX_ITEMS:
        raise invalid_field(sanitize(name, _MAX_NAME_LENGTH), f"should have no more than {_MAX_ITEMS:,} items")
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and _SURROGATE.search(text) for text in texts):
        raise invalid_field(sanitize(name, _MAX_NAME_LENGTH), "contains half of a character (a lone surrogate)")


def _decode_array(text: str) -> Any:
    """Decode a JSON array; any other text is returned as it is, for the validation to refuse."""
    if not text.lstrip().startswith("["):
        return text
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return decoded if isinstance(decoded, list) and len(decoded) <= _MAX_ITEMS else text


def _to_validation_failed(exc: ValidationError, accepted: Mapping[str, Any]) -> ValidationFailed:
    faults = tuple(
        _to_fault(error["type"], error["loc"], error["msg"], accepted)
        for error in exc.errors(include_url=False, include_context=False, include_input=False)
    )
    shown = "; ".join(str(fault) for fault in faults[:_MAX_FAULTS_SHOWN])
    more = len(faults) - _MAX_FAULTS_SHOWN
    return ValidationFailed(f"{shown}; and {more} more" if more > 0 else shown, faults=faults)


def _to_fault(
    error_type: str, location: tuple[int | str, ...], message: str, accepted: Mapping[str, Any]
) -> FieldFault:
    path = sanitize(".".join(str(part) for part in location), _MAX_NAME_LENGTH)
    if error_type == "missing":
        return FieldFault(path, "is required")
    if error_type == "extra_forbidden":
        return FieldFault(path, f"unknown argument; this tool accepts {', '.join(accepted)}")
    return FieldFault(path, message.replace("Input should", "should").replace("Value error, ", ""))
