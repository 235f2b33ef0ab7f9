"""Records by name: beside each argument with the id of a record stands one for what a person calls the record.

The pairs are declared here once. Every tool whose arguments have an id of this list takes the name as well; the names
are looked up (`_resolve.py`) before the call is prepared, so that no tool sees them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from contacts_mcp.contract import UUID, FieldFault, ValidationFailed, invalid_field, invalid_fields
from contacts_mcp.tools._arguments import CleanArguments, Schema, clean_arguments, validate_arguments

MAX_NAME_LENGTH = 255

_PLACEHOLDER = "00000000-0000-0000-0000-000000000000"
"""The id in place of a name while the other arguments are validated; it never leaves this module."""
_LIKE_AN_ID = re.compile(r"[0-9a-fA-F]{8}-.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reference:
    """Two arguments for the same record, of which a call gives one.

    Attributes:
        by_id: the argument with the record's id.
        by_name: the argument beside it.
        description: what `by_name` takes, in the tool's schema.
    """

    by_id: str
    by_name: str
    description: str


GROUP = Reference("group_id", "group", "Or its name.")
REFERENCES = (GROUP,)


class Named(NamedTuple):
    """A name that a call gives in place of an id."""

    reference: Reference
    name: str


@dataclass(frozen=True, slots=True)
class ParsedArguments:
    """The arguments of a call, valid except that ids may still have to be looked up.

    Attributes:
        names: what has to be looked up.
        arguments: the arguments; an id to be looked up is a placeholder in it.
    """

    model: type[BaseModel]
    schema: Schema
    clean: CleanArguments
    names: tuple[Named, ...]
    arguments: BaseModel

    def with_ids(self, ids: Mapping[str, str]) -> BaseModel:
        """Return the arguments with the ids that were looked up, by argument. Raises ValidationFailed."""
        clean = self.clean._replace(values={**self.clean.values, **ids})
        return validate_arguments(self.model, self.schema, clean)

    def bind(self, raw: Mapping[str, Any], arguments: BaseModel) -> dict[str, Any]:
        """Return the arguments as they were written, but with ids in place of names: what a consent is bound to."""
        found = {each.reference.by_id: getattr(arguments, each.reference.by_id) for each in self.names}
        replaced = {argument for each in self.names for argument in (each.reference.by_id, each.reference.by_name)}
        return {name: value for name, value in raw.items() if name not in replaced} | found


def add_name_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Add the argument for a name behind each argument for an id; neither is required, since one of them is enough."""
    by_id = {each.by_id: each for each in REFERENCES}
    properties: dict[str, Any] = {}
    for name, child in schema["properties"].items():
        properties[name] = child
        if reference := by_id.get(name):
            added = {"type": "string", "description": reference.description}
            properties[reference.by_name] = schema["properties"].get(reference.by_name, added)
    required = [name for name in schema.get("required", ()) if name not in by_id]
    rest = {key: value for key, value in schema.items() if key != "required"}
    return {**rest, "properties": properties, **({"required": required} if required else {})}


def parse_arguments(model: type[BaseModel], schema: Schema, raw: Mapping[str, Any]) -> ParsedArguments:
    """Parse the arguments of a tool call.

    Raises ValidationFailed, which names each invalid argument and what was expected.
    """
    clean = clean_arguments(schema, raw)
    faults: list[FieldFault] = []
    names: list[Named] = []
    for reference in REFERENCES:
        if reference.by_id in model.model_fields:
            try:
                names += _take_name(reference, model, clean.values)
            except ValidationFailed as exc:
                faults += exc.faults
                clean.values[reference.by_id] = _PLACEHOLDER
    values = {**clean.values, **{each.reference.by_id: _PLACEHOLDER for each in names}}
    try:
        arguments = validate_arguments(model, schema, clean._replace(values=values))
    except ValidationFailed as exc:
        raise invalid_fields([*faults, *exc.faults]) from None
    if faults:
        raise invalid_fields(faults)
    return ParsedArguments(model, schema, clean, tuple(names), arguments)


def _take_name(reference: Reference, model: type[BaseModel], values: dict[str, Any]) -> Iterator[Named]:
    """Take the name of a record out of the arguments. An id in the place of a name is put in its own place.

    Raises ValidationFailed.
    """
    given = [values.pop(name) for name in (reference.by_id, reference.by_name) if name in values]
    if len(given) > 1:
        raise invalid_field(reference.by_name, f"cannot be given with {reference.by_id}: give one of the two")
    if not given and model.model_fields[reference.by_id].is_required():
        raise invalid_field(reference.by_id, f"is required, or {reference.by_name} instead")
    for value in given:
        if not isinstance(value, str) or UUID.fullmatch(value.strip()) or _LIKE_AN_ID.fullmatch(value.strip()):
            values[reference.by_id] = value
        elif len(value) > MAX_NAME_LENGTH:
            raise invalid_field(reference.by_name, f"must have at most {MAX_NAME_LENGTH} characters")
        else:
            yield Named(reference, value)
