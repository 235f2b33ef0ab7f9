"""JSON schemas that every host takes, built from a model's fields.

Plain types only: hosts reject or mis-fill combinators, references, nullable types, `pattern`, `default: null` and
formats. So a field that may be null is written as one that may be absent, and nested models are written out.
"""

from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_SCALARS: dict[Any, str] = {str: "string", datetime: "string", int: "integer", bool: "boolean"}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a tool's arguments: a closed object, with defaults where they are a value."""
    return {**_object(model, defaults=True), "additionalProperties": False}


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a tool's answer: an open object, from which nulls are left out."""
    return _object(model, defaults=False)


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
        schema |= _limit(limit)
    if defaults and not info.is_required() and info.default is not None:
        schema["default"] = info.default
    return schema


def _type(annotation: Any) -> dict[str, Any]:
    """One type; null is not written, since it means the same as absent."""
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


def _limit(limit: Any) -> dict[str, Any]:
    match limit:
        case Ge():
            return {"minimum": limit.ge}
        case Le():
            return {"maximum": limit.le}
        case MinLen():
            return {"minItems": limit.min_length}
        case MaxLen():
            return {"maxItems": limit.max_length}
        case _:
            return {}
