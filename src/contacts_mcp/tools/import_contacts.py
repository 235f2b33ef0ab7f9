"""import_contacts: a file of contacts into the directory, planned first, and safe to repeat."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from contacts_mcp.contract import GetContactGroup, GroupId, Risk, Text
from contacts_mcp.guard import PromptWording
from contacts_mcp.tools._backend import Backend, refuse
from contacts_mcp.tools._phones import Region
from contacts_mcp.tools._tool import PreparedCall
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.importing import Import, Imported, OnMatch, Options, decide, read_source
from contacts_mcp.tools.steps import JobClient, Planned, fingerprint_of, member_ids, plan_or_apply


class ImportContacts(Planned):
    """Import a file (CSV, vCard, Excel, JSON) of any size: matches by number or e-mail, shows a plan first, then
    applies it. Never loop create_contact over a file.
    """

    path: Text | None = Field(default=None, description="File in the server's folder; or give content.")
    content: Text | None = Field(default=None, description="The file's text.")
    format: Literal["csv", "vcard", "excel", "json"] | None = None
    mapping: list[Text] | None = Field(default=None, description='Where columns are not understood: "Column=field".')
    default_region: Region | None = Field(default=None, description="Of national numbers, e.g. NO.")
    on_match: OnMatch = Field(default="skip", description="With contacts that are there; update never blanks a field.")
    tags: list[Text] | None = Field(default=None, description="For all imported.")
    group_id: GroupId | None = Field(default=None, description="Group that all of the file join.")


def _mapping(given: Sequence[str] | None) -> Mapping[str, str]:
    pairs = [entry.rpartition("=") for entry in given or ()]
    if any(not (column and name) for column, _, name in pairs):
        raise refuse("mapping", 'should hold entries such as "Mobil=phone_number"')
    return {column.strip(): name.strip() for column, _, name in pairs}


async def _prepare(backend: Backend, arguments: ImportContacts) -> PreparedCall:
    async def look() -> Import:
        return await _plan(backend, arguments)

    return await plan_or_apply(backend, arguments, look)


async def _plan(backend: Backend, arguments: ImportContacts) -> Import:
    pace = JobClient(backend)
    members: frozenset[str] = frozenset()
    if arguments.group_id:
        await pace.send(GetContactGroup(group_id=arguments.group_id))
        members = frozenset(await member_ids(pace, arguments.group_id))
    region = arguments.default_region or backend.default_region
    source = await read_source(
        backend,
        arguments.path,
        arguments.content,
        format=arguments.format,
        mapping=_mapping(arguments.mapping),
        region=region,
        tags=arguments.tags or (),
    )
    options = Options(arguments.on_match, region)
    decisions = await decide(backend, pace, source.drafts, options)
    plan = Import(arguments.group_id, source, decisions, options, members)
    joins = sorted({decision.id for decision in plan.decisions if decision.id} - members) if arguments.group_id else []
    plan.fingerprint = fingerprint_of(arguments, [*(decision.step() for decision in plan.decisions), joins])
    return plan


import_contacts = workflow_tool(
    "import_contacts",
    ImportContacts,
    Imported,
    _prepare,
    risk=Risk.DESTROY,
    min_risk=Risk.WRITE,
    target_args=("group_id",),
    wording=PromptWording("Change", "change"),
)
