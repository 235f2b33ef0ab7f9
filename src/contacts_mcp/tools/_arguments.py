"""Arguments as models fill them in, validated into a tool's argument model."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from contacts_mcp.contract import FieldFault, ValidationFailed
from contacts_mcp.text import sanitize

_SHOWN_FAULTS = 5
_NAME_LIMIT = 64
_MOST_ITEMS = 5_000
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_arguments(model: type[BaseModel], schema: Mapping[str, Any], raw: Mapping[str, Any]) -> BaseModel:
    """Validate a tool call's arguments.

    Models fill optional fields they do not want with "", "null", null or []: these count as absent, and never as
    'clear'. A JSON-encoded array counts as the array.

    Raises:
        ValidationFailed: with each field and what was expected of it, never with what was given.
    """
    _require_bounds(schema, raw)
    required = schema.get("required", ())
    cleaned = {
        name: value
        for name, value in ((name, _decode(schema, name, value)) for name, value in raw.items())
        if name in required or not _means_absent(value)
    }
    try:
        return model.model_validate(cleaned)
    except ValidationError as exc:
        # `from None`: the chained error would carry the values.
        raise _refusal(exc, schema) from None


def _require_bounds(schema: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    """Refuse at a glance what would take seconds to find every fault of, and text that cannot be sent anywhere."""
    if len(raw) > len(schema["properties"]) + _SHOWN_FAULTS:
        raise _invalid(FieldFault("", f"there are too many fields; this tool takes {', '.join(schema['properties'])}"))
    for name, value in raw.items():
        if isinstance(value, list) and len(value) > _MOST_ITEMS:
            raise _invalid(FieldFault(sanitize(name, _NAME_LIMIT), f"should have no more than {_MOST_ITEMS:,} items"))
        if any(map(_SURROGATE.search, _texts(value))):
            raise _invalid(FieldFault(sanitize(name, _NAME_LIMIT), "holds half of a character"))


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _invalid(fault: FieldFault) -> ValidationFailed:
    return ValidationFailed(str(fault), faults=(fault,))


def _decode(schema: Mapping[str, Any], name: str, value: Any) -> Any:
    """Read an array that arrived as its JSON text."""
    is_array = schema["properties"].get(name, {}).get("type") == "array"
    if not (is_array and isinstance(value, str) and value.lstrip().startswith("[")):
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return decoded if isinstance(decoded, list) and len(decoded) <= _MOST_ITEMS else value


def _means_absent(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and value.strip() in ("", "null"))


def _refusal(exc: ValidationError, schema: Mapping[str, Any]) -> ValidationFailed:
    faults = tuple(
        _fault(error["type"], error["loc"], error["msg"], schema)
        for error in exc.errors(include_url=False, include_context=False, include_input=False)
    )
    shown = "; ".join(str(fault) for fault in faults[:_SHOWN_FAULTS])
    more = len(faults) - _SHOWN_FAULTS
    return ValidationFailed(f"{shown}; and {more} more" if more > 0 else shown, faults=faults)


def _fault(kind: str, location: tuple[int | str, ...], message: str, schema: Mapping[str, Any]) -> FieldFault:
    path = sanitize(".".join(str(part) for part in location), _NAME_LIMIT)
    if kind == "missing":
        return FieldFault(path, "is required")
    if kind == "extra_forbidden":
        return FieldFault(path, f"is no field of this tool; it takes {', '.join(schema['properties'])}")
    return FieldFault(path, message.replace("Input should", "should").replace("Value error, ", ""))
