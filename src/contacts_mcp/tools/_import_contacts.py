"""import_contacts: import a file of contacts into the directory. It is planned first and safe to repeat."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

import anyio.to_thread
from pydantic import BaseModel, Field

from contacts_mcp.contract import ContactsError, FileText, Neutral, Risk, Tags, Text, invalid_field
from contacts_mcp.formats import ParsedFile, read_contacts
from contacts_mcp.guard import PromptWording
from contacts_mcp.text import quote
from contacts_mcp.tools._import_answer import ImportAnswer
from contacts_mcp.tools._import_plan import ImportPlan
from contacts_mcp.tools._import_rows import (
    Draft,
    MatchOptions,
    OnMatch,
    Source,
    find_repeated_rows,
    match_rows,
    to_draft,
)
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._links import CallerLinks, UploadLink
from contacts_mcp.tools._new_group import GroupArguments, read_group
from contacts_mcp.tools._plan import PlanArguments, fingerprint_plan, plan_or_apply
from contacts_mcp.tools._plan_row import RowedPlan
from contacts_mcp.tools._tool import Backend, PreparedCall, Tool
from contacts_mcp.tools._turns import iter_sorted, iterate_in_thread
from contacts_mcp.tools._values import Region, edit_tags

_MAX_ROWS_SHOWN, _MAX_VALUE_LENGTH = 5, 40


class ImportContacts(GroupArguments, PlanArguments):
    """Import a file of any size: matches contacts by number or e-mail, shows a plan first. Never loop create_contact
    over a file.
    """

    path: Text | None = Field(default=None, description="File in the server's folder.")
    content: FileText | None = Field(default=None, description="Or the file's text.")
    upload: Text | None = Field(
        default=None, description="Or a sent file's id; over HTTP, call without a file for a link."
    )
    format: Annotated[Literal["csv", "vcard", "excel", "json"] | None, Neutral("auto")] = None
    mapping: list[Text] | None = Field(default=None, description='For unrecognized columns: "Column=field".')
    encoding: Text | None = Field(default=None, description="If letters come out wrong, e.g. windows-1250.")
    default_region: Region | None = Field(
        default=None, description="Country of numbers without +, e.g. NO; else they are invalid."
    )
    on_match: OnMatch = Field(default="skip", description="For contacts that exist; update never blanks a field.")
    tags: Tags | None = Field(default=None, description="For all imported contacts.")


async def _make_plan(client: JobClient, arguments: ImportContacts, *, lists_rows: bool = False) -> ImportPlan:
    group, members = await read_group(client, arguments)
    region = arguments.default_region or client.backend.default_region
    options = MatchOptions(arguments.on_match, region, is_region_given=arguments.default_region is not None)
    data = await _read_data(client, arguments)
    source = await _read_source(client, data, arguments, region)
    decisions = await match_rows(client, source, options)
    plan = ImportPlan(group, source, decisions, options, members)
    if not (arguments.apply or lists_rows):
        plan.region_change = await _compare_regions(client, data, arguments, plan)
    plan.fingerprint = await fingerprint_plan(arguments, _iter_steps(plan))
    return plan


def _iter_steps(plan: ImportPlan) -> Iterator[Any]:
    """Iterate over what the fingerprint of a plan depends on."""
    yield from (decision.to_step() for decision in plan.decisions)
    if plan.group:
        yield from iter_sorted([*{decision.id for decision in plan.decisions if decision.id} - plan.members], key=str)


async def _read_data(client: JobClient, arguments: ImportContacts) -> bytes:
    """Return the content of a file of the folder, the text that came with the call, or a file that was sent."""
    if _count_sources(arguments) != 1:
        raise invalid_field("path", "is required, or else content or upload", "give one of the three")
    if arguments.content is not None:
        return arguments.content.encode()
    if arguments.upload is not None:
        return await _require_links(client.backend).read_upload(arguments.upload)
    folder = client.backend.require_folder()
    assert arguments.path is not None
    return (await anyio.to_thread.run_sync(folder.read, arguments.path)).data


def _count_sources(arguments: ImportContacts) -> int:
    return sum(source is not None for source in (arguments.path, arguments.content, arguments.upload))


def _require_links(backend: Backend) -> CallerLinks:
    """Return the caller's links. Raises ValidationFailed if there are none."""
    if links := backend.usable_links:
        return links
    raise invalid_field("upload", "cannot be used: this server makes no upload links", "give path or content")


async def _read_source(client: JobClient, data: bytes, arguments: ImportContacts, region: str | None) -> Source:
    """Return a file's rows; those of the plan that is applied are still there."""
    backend = client.backend
    given = arguments.model_dump(include={"path", "format", "mapping", "encoding", "tags"})
    digest = await anyio.to_thread.run_sync(_digest, data, repr([given, region]).encode())
    source: Source | None = backend.planned_files.find(backend.owner, digest)
    if source is None:
        parsed, drafts = await _parse(client, data, arguments, region)
        source = Source(arguments.path, parsed, [draft async for draft in drafts])
        await find_repeated_rows(source)
        backend.planned_files.keep(backend.owner, digest, source)
    return source


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


async def _parse(
    client: JobClient, data: bytes, arguments: ImportContacts, region: str | None
) -> tuple[ParsedFile, AsyncIterator[Draft]]:
    """Parse a file; its rows are parsed while they are iterated. Raises ValidationFailed if it cannot be read."""
    read = partial(
        read_contacts,
        data,
        name=arguments.path,
        format=arguments.format,
        mapping=_parse_mapping(arguments.mapping),
        encoding=arguments.encoding,
        region=region,
    )
    parsed = await anyio.to_thread.run_sync(read)
    tags = tuple(edit_tags(arguments.tags or ()))
    drafts = (to_draft(row, region, tags) for row in parsed.rows)
    return parsed, iterate_in_thread(drafts, client.progress("rows read"))


class _RegionChange:
    """How many rows have another number than in an earlier plan with another region, and the first of them."""

    def __init__(self, before: str | None) -> None:
        self._before = before
        self._count = 0
        self._first: list[str] = []

    def compare(self, old: Draft, new: Draft) -> None:
        if old.phone_number == new.phone_number:
            return
        self._count += 1
        if self._count <= _MAX_ROWS_SHOWN:
            name, before, after = (
                quote(each, _MAX_VALUE_LENGTH) for each in (new.name, old.phone_number, new.phone_number)
            )
            self._first.append(f"row {new.row} {name}: {before} → {after}")

    def to_answer(self) -> list[str]:
        return [f"numbers that differ from the plan with {self._before or 'no region'}: {self._count:,}", *self._first]


async def _compare_regions(
    client: JobClient, data: bytes, arguments: ImportContacts, plan: ImportPlan
) -> list[str] | None:
    """Describe which numbers differ from the caller's last plan of the file, if that had another region."""
    region = plan.options.region
    digest = await anyio.to_thread.run_sync(_digest, data)
    before = client.backend.planned_files.replace_region(client.backend.owner, digest, region)
    if before == region:
        return None
    _, earlier = await _parse(client, data, arguments, before)
    change = _RegionChange(before)
    now = iter(plan.source.drafts)
    async for old in earlier:
        change.compare(old, next(now, old))
    return change.to_answer()


def _parse_mapping(given: Sequence[str] | None) -> Mapping[str, str]:
    pairs = [entry.rpartition("=") for entry in given or ()]
    if any(not (column and name) for column, _, name in pairs):
        raise invalid_field("mapping", 'should have entries such as "Mobil=phone_number"')
    return {column.strip(): name.strip() for column, _, name in pairs}


_plan_or_apply = plan_or_apply(_make_plan)


async def _prepare(backend: Backend, arguments: ImportContacts) -> PreparedCall:
    """Prepare an import, or the offer of an upload link if the call names no file. A file is used for one import."""
    if backend.usable_links and not arguments.apply and _count_sources(arguments) == 0:
        return PreparedCall(Risk.READ, backend.usable_links.offer_upload)
    prepared = await _plan_or_apply(backend, arguments)
    if not arguments.apply or arguments.upload is None:
        return prepared
    return replace(prepared, run=partial(_run_and_remove, backend, arguments.upload, prepared))


async def _run_and_remove(backend: Backend, upload: str, prepared: PreparedCall) -> BaseModel:
    """Apply an import, then remove the file, unless rows are left to import again."""
    answer = await prepared.run()
    if not (prepared.counts["failed"] or prepared.counts["unknown"]):
        with suppress(ContactsError):  # it expires soon
            await _require_links(backend).remove_upload(upload)
    return answer


async def _plan_rows(backend: Backend, arguments: ImportContacts) -> RowedPlan:
    return await _make_plan(JobClient(backend), arguments, lists_rows=True)


import_contacts = Tool(
    name="import_contacts",
    risk=Risk.DESTROY,
    arguments=ImportContacts,
    answer=ImportAnswer,
    prepare=_prepare,
    plans_first=True,
    min_risk=Risk.WRITE,
    target_args=("group_id",),
    wording=PromptWording("Change", "change"),
    shows_stored_data=True,
    plan_rows=_plan_rows,
    other_answers=(UploadLink,),
    view="plan",
)
