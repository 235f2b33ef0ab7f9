"""The token of two-step mode, an argument that exists in that mode alone."""

from collections.abc import Mapping
from typing import Any

from contacts_mcp.contract import FieldFault, ValidationFailed

_TOKEN = "confirmation_token"  # noqa: S105 - a field's name
_SCHEMA = {"type": "string", "description": "From the preview that the same call answered."}


def with_token(input_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a guarded tool in two-step mode."""
    return {**input_schema, "properties": {**input_schema["properties"], _TOKEN: _SCHEMA}}


def split_token(given: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The arguments proper, which the token is bound to, and the token."""
    arguments = dict(given)
    token = arguments.pop(_TOKEN, None)
    if token is not None and not isinstance(token, str):
        fault = FieldFault(_TOKEN, "should be a string")
        raise ValidationFailed(str(fault), faults=(fault,))
    return arguments, token or None
