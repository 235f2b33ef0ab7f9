"""The endpoint tool create_contact: it refuses what is in the directory already, and shows likely duplicates."""

from dataclasses import replace
from typing import Any

from pydantic import Field

from contacts_mcp.contract import CreateContact
from contacts_mcp.guard import Target
from contacts_mcp.tools._answers import SavedContact
from contacts_mcp.tools._duplicate_check import LikelyDuplicate, find_duplicates
from contacts_mcp.tools._targets import read_target
from contacts_mcp.tools._tool import Backend, PreparedCall
from contacts_mcp.tools._values import describe_own_form, normalize_phone

_OF_THE_TOOL = {"allow_duplicate"}
"""The arguments that are not part of the API's request."""


class CreateContactArguments(CreateContact):
    """Create a contact, unless it exists already; to change one, use update_contact."""

    allow_duplicate: bool = Field(default=False, description="For another person with equal data.")


class CreatedContact(SavedContact):
    """A contact that was created, and others that may be the same person."""

    likely_duplicates: list[LikelyDuplicate] | None = None


async def prepare_creation(backend: Backend, arguments: CreateContactArguments) -> PreparedCall:
    """Prepare the creation of a contact, before a person may be asked about it.

    Raises DuplicateContact if the contact exists already, unless the caller allows a duplicate.
    """
    call = CreateContact(**arguments.model_dump(exclude_unset=True, exclude=_OF_THE_TOOL))
    number, remarks = normalize_phone(call.phone_number, backend.default_region)
    if number != call.phone_number:
        call = call.model_copy(update={"phone_number": number})
    duplicates = await find_duplicates(backend, call)
    if duplicates.exact and not arguments.allow_duplicate:
        raise duplicates.refusal()
    results: dict[str, Any] = {}

    async def create() -> CreatedContact:
        created = await backend.send(call)
        results["created_ids"] = [created.id]
        remarks.information.extend(describe_own_form(call.model_dump(), created).values())
        remarks.warnings.extend(duplicates.warnings())
        return CreatedContact(
            **created.model_dump(exclude_unset=True), **remarks.fields(), likely_duplicates=duplicates.shown() or None
        )

    async def read() -> Target:
        target = await read_target(backend, CreateContact.risk, arguments)
        return replace(target, effect=f"{target.effect} {duplicates.effect()}".strip())

    return PreparedCall(
        CreateContact.risk,
        create,
        read,
        values=arguments.model_dump(exclude_unset=True, exclude=_OF_THE_TOOL),
        results=results,
    )
