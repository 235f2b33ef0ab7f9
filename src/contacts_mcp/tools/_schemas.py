"""A tool's schemas in the JSON that every host accepts.

The schemas have only plain types: hosts reject or misuse combinators, references, nullable types, `pattern`,
`default: null` and formats. A field that may be null becomes one that may be absent; nested models are written out.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from contacts_mcp.contract import Neutral

_SCALARS: dict[Any, str] = {str: "string", datetime: "string", int: "integer", bool: "boolean"}
_UNREACHED = 1_000  # a limit that no model reaches is not worth its tokens; it is checked nevertheless
_LIMITS: dict[type, tuple[str, str]] = {  # no minimum: it is 1 for every number, and 0 counts as not given
    Le: ("maximum", "le"),
    MinLen: ("minItems", "min_length"),
    MaxLen: ("maxItems", "max_length"),
}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a tool's arguments, with the defaults that are not null.

    No object is closed: `additionalProperties` crashes converters, and an unknown argument is refused anyway. Values
    that are allowed and defaults are named in the descriptions as well, because some clients drop their keywords.
    """
    return _object(model, _argument)


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a tool's answer: an open object without nulls."""
    return _object(model, _property)


def merge_schemas(*schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object schema that each instance of one of `schemas` matches; hosts reject combinators at the root."""
    properties = {name: child for schema in schemas for name, child in schema["properties"].items()}
    return {"type": "object", "properties": properties}


def has_optional_texts(schema: Mapping[str, Any]) -> bool:
    """Whether an object has optional texts or lists, which "" and [] leave out."""
    optional = schema["properties"].keys() - schema.get("required", ())
    return any("default" not in schema["properties"][name] for name in optional)


def _object(model: type[BaseModel], to_schema: Callable[[FieldInfo], dict[str, Any]]) -> dict[str, Any]:
    fields = model.model_fields
    required = [name for name, info in fields.items() if info.is_required()]
    schema: dict[str, Any] = {"type": "object", "properties": {name: to_schema(info) for name, info in fields.items()}}
    return {**schema, "required": required} if required else schema


def _property(info: FieldInfo) -> dict[str, Any]:
    schema = _type(info.annotation, _property)
    if info.description:
        schema["description"] = info.description
    return schema


def _argument(info: FieldInfo) -> dict[str, Any]:
    schema = _type(info.annotation, _argument)
    default = None if info.is_required() else info.default
    for each in info.metadata:
        if isinstance(each, Neutral):
            default = each.value
            schema["enum"].insert(0, each.value)
        elif type(each) in _LIMITS:
            keyword, attribute = _LIMITS[type(each)]
            limit = getattr(each, attribute)
            schema |= {keyword: limit} if limit < _UNREACHED else {}
    if description := ". ".join(filter(None, [_allowed_values(schema, default), info.description])):
        schema["description"] = description
    return schema if default is None else {**schema, "default": default}


def _allowed_values(schema: Mapping[str, Any], default: Any) -> str:
    """Name the values of a choice, the limits of a number that a model may reach, and the default."""
    if choices := schema.get("items", schema).get("enum"):
        return ", ".join(f"{value} (default)" if value == default else value for value in choices)
    if default is None:
        return ""
    limits = f"1 to {schema['maximum']}, " if "maximum" in schema else ""
    return f"{limits}default {json.dumps(default)}".capitalize()


def _type(annotation: Any, to_schema: Callable[[FieldInfo], dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of one type. Null is left out: it means the same as absent."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0], to_schema)
    if origin in (Union, UnionType):
        (only,) = (argument for argument in arguments if argument is not NoneType)
        return _type(only, to_schema)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _type(arguments[0], to_schema)}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object(annotation, to_schema)
    return {"type": "object" if origin is dict else _SCALARS[annotation]}
