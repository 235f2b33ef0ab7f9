"""update_contact_group: rename a group, change its description or clear it."""

from typing import Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import Group, UpdateContactGroup
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._derive import derive_tool


class UpdateContactGroupArguments(UpdateContactGroup):
    """Rename a group or change its description; for its people use add_group_members or remove_group_member."""

    clear_fields: list[Literal["description"]] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.model_fields_set - {"group_id"}:
            raise PydanticCustomError("nothing", "names nothing to change")
        if self.clear_fields and self.description is not None:
            raise PydanticCustomError("both", "sets and clears the same field: description")
        return self


async def _run(backend: Backend, arguments: UpdateContactGroupArguments) -> Group:
    changes = arguments.model_dump(exclude_unset=True, exclude={"clear_fields"})
    if arguments.clear_fields:
        changes["description"] = None
    return await backend.send(UpdateContactGroup(**changes))


update_contact_group = derive_tool(UpdateContactGroup, arguments=UpdateContactGroupArguments, run=_run)
