"""update_contact: change, clear and tag in one call, and say what changed."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import Contact, GetContact, Text, UpdateContact
from contacts_mcp.tools._answers import ChangedContact
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._derive import derive_tool
from contacts_mcp.tools._phones import prepare_phone
from contacts_mcp.tools._tags import retagged

Clearable = Literal["company_name", "phone_number", "email", "tags", "notes"]


class UpdateContactArguments(UpdateContact):
    """Change, clear or tag a contact; what is left out stays. For a new one use create_contact."""

    tags: list[Text] | None = Field(default=None, description="Replaces all tags; else use add_tags, remove_tags.")
    add_tags: list[Text] | None = None
    remove_tags: list[Text] | None = None
    clear_fields: list[Clearable] | None = Field(default=None, description="LogFields to empty.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        asked = self.model_fields_set - {"contact_id"}
        if not asked:
            raise PydanticCustomError("nothing", "names nothing to change")
        cleared = set(self.clear_fields or ())
        if both := sorted(cleared & asked):
            raise PydanticCustomError("both", "sets and clears the same field: " + ", ".join(both))
        if (asked & {"add_tags", "remove_tags"}) and ("tags" in asked or "tags" in cleared):
            raise PydanticCustomError("both", "replaces or clears tags and also adds or removes some: choose one")
        return self


async def _run(backend: Backend, arguments: UpdateContactArguments) -> ChangedContact:
    before = await backend.send(GetContact(contact_id=arguments.contact_id))
    wanted, warnings = _wanted(arguments, before, backend.default_region)
    differing = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    if not differing:
        return _report(before, [], warnings)
    after = await backend.send(UpdateContact(contact_id=arguments.contact_id, **differing))
    changed = [name for name in differing if getattr(after, name) != getattr(before, name)]
    ignored = [name for name in differing if name not in changed]
    if ignored:
        warnings.append("the service left unchanged: " + ", ".join(ignored))
    return _report(after, changed, warnings)


def _wanted(arguments: UpdateContactArguments, before: Contact, region: str | None) -> tuple[dict[str, Any], list[str]]:
    """The fields as they shall be; clearing tags is an empty list, clearing anything else is null."""
    wanted = arguments.model_dump(exclude_unset=True, exclude={"contact_id", "add_tags", "remove_tags", "clear_fields"})
    wanted["phone_number"], warnings = prepare_phone(arguments.phone_number, region)
    if arguments.phone_number is None:
        del wanted["phone_number"]
    if arguments.add_tags or arguments.remove_tags:
        wanted["tags"] = retagged(before.tags, arguments.add_tags or [], arguments.remove_tags or [])
    for name in arguments.clear_fields or ():
        wanted[name] = [] if name == "tags" else None
    return wanted, warnings


def _report(contact: Contact, changed: list[str], warnings: list[str]) -> ChangedContact:
    return ChangedContact(**contact.model_dump(exclude_unset=True), changed=changed, warnings=warnings or None)


update_contact = derive_tool(UpdateContact, arguments=UpdateContactArguments, answer=ChangedContact, run=_run)
