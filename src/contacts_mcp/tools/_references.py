"""Records by name: beside each argument with the id of a record stands one for what a person calls the record.

The pairs are declared here once. Every tool whose arguments have an id of this list takes the name as well; the names
are looked up (`_resolve.py`) before the call is prepared, so that no tool sees them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from contacts_mcp.contract import UUID, FieldFault, ValidationFailed, invalid_field, invalid_fields
from contacts_mcp.tools._arguments import CleanArguments, Schema, clean_arguments, validate_arguments
from contacts_mcp.tools._habits import LIKE_AN_ID, is_all, split_ids

MAX_NAME_LENGTH = 255
MAX_NAMES = 25
"""Names that one call may give in a list: each takes a request to the service."""

_PLACEHOLDER = "00000000-0000-0000-0000-000000000000"
"""The id in place of a name while the other arguments are validated; it never leaves this module."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Two arguments for the same record, or for several, of which a call gives one.

    Attributes:
        by_id: the argument with the record's id, or the list of ids.
        by_name: the argument beside it.
        description: what `by_name` takes, in the tool's schema.
        is_list: whether both are lists.
    """

    by_id: str
    by_name: str
    description: str
    is_list: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The schema of `by_name`."""
        text = {"type": "string"}
        return {**({"type": "array", "items": text} if self.is_list else text), "description": self.description}


CONTACT = Reference("contact_id", "contact", "Or name, number, e-mail.")
CONTACTS = Reference("contact_ids", "contacts", "Or names, numbers, e-mails.", is_list=True)
GROUP = Reference("group_id", "group", "Or its name.")
REFERENCES = (CONTACT, CONTACTS, GROUP)
CREATE_GROUP = "create_group"
"""The argument of some tools with which `group` may be the name of a new group."""


class Named(NamedTuple):
    """The records of a reference as a call gives them: names, and in a list also ids."""

    reference: Reference
    items: Sequence[str]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(item for item in self.items if not _is_id(item)))

    def with_ids(self, ids: Mapping[str, str]) -> str | list[str]:
        """Return the value of `by_id`, with the id of each name."""
        found = list(dict.fromkeys(ids.get(item, item) for item in self.items))
        return found if self.reference.is_list else found[0]

    def with_placeholders(self) -> str | list[str]:
        return [_PLACEHOLDER] * len(self.items) if self.reference.is_list else _PLACEHOLDER


@dataclass(frozen=True, slots=True)
class ParsedArguments:
    """The arguments of a call, valid except that ids may still have to be looked up.

    Attributes:
        named: what has to be looked up.
        arguments: the arguments; an id to be looked up is a placeholder in it.
    """

    model: type[BaseModel]
    schema: Schema
    clean: CleanArguments
    named: tuple[Named, ...]
    arguments: BaseModel

    @property
    def may_create_group(self) -> bool:
        """Whether a group that does not exist is to be created."""
        return bool(getattr(self.arguments, CREATE_GROUP, False))

    def with_ids(self, found: Mapping[str, str | list[str]]) -> BaseModel:
        """Return the arguments with what was looked up, by argument. Raises ValidationFailed."""
        clean = self.clean._replace(values={**self.clean.values, **found})
        return validate_arguments(self.model, self.schema, clean)

    def bind(self, raw: Mapping[str, Any], arguments: BaseModel) -> dict[str, Any]:
        """Return the arguments as they were written, but with ids in place of names: what a consent is bound to."""
        references = [each.reference for each in self.named]
        found = {each.by_id: ids for each in references if (ids := getattr(arguments, each.by_id))}
        replaced = {argument for each in references if each.by_id in found for argument in (each.by_id, each.by_name)}
        return {name: value for name, value in raw.items() if name not in replaced} | found


def add_name_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Add the argument for a name behind each argument for an id; neither is required, since one of them is enough."""
    by_id = {each.by_id: each for each in REFERENCES}
    properties: dict[str, Any] = {}
    for name, child in schema["properties"].items():
        reference = by_id.get(name)
        properties[name] = {key: value for key, value in child.items() if not reference or key != "minItems"}
        if reference:
            properties[reference.by_name] = schema["properties"].get(reference.by_name, reference.schema)
    required = [name for name in schema.get("required", ()) if name not in by_id]
    rest = {key: value for key, value in schema.items() if key != "required"}
    return {**rest, "properties": properties, **({"required": required} if required else {})}


def parse_arguments(model: type[BaseModel], schema: Schema, raw: Mapping[str, Any]) -> ParsedArguments:
    """Parse the arguments of a tool call.

    Raises ValidationFailed, which names each invalid argument and what was expected.
    """
    clean = clean_arguments(schema, raw)
    faults: list[FieldFault] = []
    named: list[Named] = []
    for reference in REFERENCES:
        if reference.by_id in model.model_fields:
            try:
                named += _take_names(reference, model, clean.values)
            except ValidationFailed as exc:
                faults += exc.faults
                clean.values[reference.by_id] = Named(reference, [_PLACEHOLDER]).with_placeholders()
    values = {**clean.values, **{each.reference.by_id: each.with_placeholders() for each in named}}
    try:
        arguments = validate_arguments(model, schema, clean._replace(values=values))
    except ValidationFailed as exc:
        raise invalid_fields([*faults, *exc.faults]) from None
    if faults:
        raise invalid_fields(faults)
    if getattr(arguments, CREATE_GROUP, False) and not any(each.reference is GROUP for each in named):
        raise invalid_field(CREATE_GROUP, "needs group, the name of the new group")
    return ParsedArguments(model, schema, clean, tuple(named), arguments)


def _take_names(reference: Reference, model: type[BaseModel], values: dict[str, Any]) -> Iterator[Named]:
    """Take the names of records out of the arguments. An id in the place of a name is put in its own place.

    Raises ValidationFailed.
    """
    given = [values.pop(name) for name in (reference.by_id, reference.by_name) if name in values]
    if len(given) > 1 and not reference.is_list:
        raise invalid_field(reference.by_name, f"cannot be given with {reference.by_id}: give one of the two")
    if not given and model.model_fields[reference.by_id].is_required():
        raise invalid_field(reference.by_id, f"is required, or {reference.by_name} instead")
    if not given:
        return
    items = [item for value in given for item in (value if isinstance(value, list) else [value])]
    if not reference.is_list:
        items = given = [_read_single(reference, given[0])]
    _require_no_all(reference, items)
    if not all(isinstance(item, str) for item in items) or reference.is_list != isinstance(given[0], list):
        values[reference.by_id] = given[0]  # the validation says what is wrong with it
        return
    names = Named(reference, items).names
    if not names:
        values[reference.by_id] = items if reference.is_list else items[0]
        return
    if len(names) > MAX_NAMES:
        raise invalid_field(reference.by_name, f"should have no more than {MAX_NAMES} names: use ids, or a filter")
    if any(len(name) > MAX_NAME_LENGTH for name in names):
        raise invalid_field(reference.by_name, f"must have at most {MAX_NAME_LENGTH} characters")
    yield Named(reference, items)


def _read_single(reference: Reference, value: Any) -> Any:
    """Return the only item of a list that was given, as such or as text, in place of its item."""
    decoded = value
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            decoded = json.loads(value)
    items = decoded if isinstance(decoded, list) else split_ids(value)
    if len(items) > 1:
        raise invalid_field(reference.by_id, f"takes one id, not {len(items)}: call once for each of them")
    return items[0] if items else value


def _require_no_all(reference: Reference, items: Sequence[Any]) -> None:
    """Raise ValidationFailed if a call is about all contacts; a group may have this name."""
    if reference is not GROUP and any(map(is_all, items)):
        advice = ": add_matching_to_group without a filter adds all contacts" if reference.is_list else ""
        raise invalid_field(reference.by_name, f"cannot stand for all contacts{advice}")


def _is_id(text: str) -> bool:
    """Whether a text is an id, or an id with a fault in it, for which no record is searched."""
    return UUID.fullmatch(text.strip()) is not None or LIKE_AN_ID.fullmatch(text.strip()) is not None
