"""create_contact: the endpoint, with the phone number made ready for SMS where that is possible."""

from contacts_mcp.contract import CreateContact
from contacts_mcp.tools._answers import SavedContact
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._derive import derive_tool
from contacts_mcp.tools._phones import prepare_phone


async def _run(backend: Backend, call: CreateContact) -> SavedContact:
    number, warnings = prepare_phone(call.phone_number, backend.default_region)
    if number != call.phone_number:
        call = call.model_copy(update={"phone_number": number})
    created = await backend.send(call)
    return SavedContact(**created.model_dump(exclude_unset=True), warnings=warnings or None)


create_contact = derive_tool(CreateContact, answer=SavedContact, run=_run)
