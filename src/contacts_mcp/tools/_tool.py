"""A tool as data, and the context of its calls: the client, a folder for files, and downloads.

A tool is derived from an endpoint's call (`_endpoints.py`) or written by hand.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import anyio.to_thread
from pydantic import BaseModel

from contacts_mcp.contract import (
    AnswerT,
    Call,
    ContactsError,
    ProgressCallback,
    RateLimited,
    Risk,
    ValidationFailed,
    invalid_field,
)
from contacts_mcp.folder import Folder
from contacts_mcp.guard import PromptWording, Target
from contacts_mcp.tools._answers import ConsentReport, NotDone
from contacts_mcp.tools._downloads import MAX_DOWNLOAD_BYTES, Download, Downloads
from contacts_mcp.tools._known_records import KnownRecords
from contacts_mcp.tools._links import CallerLinks
from contacts_mcp.tools._listings import KeptListings
from contacts_mcp.tools._offer import ServiceOffer, ask_offer
from contacts_mcp.tools._plan_row import RowedPlan
from contacts_mcp.tools._planned_files import PlannedFiles
from contacts_mcp.tools._references import add_name_arguments
from contacts_mcp.tools._schemas import has_optional_texts, input_schema, merge_schemas, output_schema
from contacts_mcp.tools._time_limit import TimeLimit
from contacts_mcp.tools._write_budget import WriteBudget

NO_FOLDER_CONFIGURED = "the operator has configured no folder for files (CONTACTS_MCP_FILES)"
NO_PATHS_OVER_NETWORK = "a server on a network accepts no paths"
_FILLERS = "Empty is ignored."


class Sender(Protocol):
    """The part of the API client that tools use."""

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send one call and return its answer. Raises a ContactsError if it did not succeed."""
        ...

    async def extensions(self) -> frozenset[str]:
        """Return the names of the extensions that the service offers beyond the documented API.

        Raises a ContactsError if the service gave no answer.
        """
        ...

    async def scopes(self) -> frozenset[str] | None:
        """Return what the key for the service allows, such as `read` and `write`; None if it is not known."""
        ...


@dataclass(slots=True)
class CallConsent:
    """A person's consent to one call.

    Attributes:
        can_ask: whether a person can be asked in a form.
        was_asked: whether the call brings the answer to a question.
        is_given: whether a person agreed in a form.
        guarded_risks: the risks for which a person has to agree to a call of this tool.
        has_preview: whether a call that cannot be asked about in a form returns its question and a token instead.
        has_panel: whether the person sees the call in a panel, where they can apply its plan.
    """

    can_ask: bool = False
    was_asked: bool = False
    is_given: bool = False
    guarded_risks: Collection[Risk] = ()
    has_preview: bool = False
    has_panel: bool = False


@dataclass(frozen=True, slots=True)
class Backend:
    """The context of one caller's tool calls.

    Attributes:
        default_region: the region (ISO 3166 code) of phone numbers without a country code.
        report: reports the progress of a long call.
        files: the folder for files, or the reason why there is none.
        links: the caller's links to send and fetch files, if there can be any.
        listings: the lists that callers page through in a panel.
        owner: the caller to whom downloads, planned files and lists belong.
        may_read: whether the caller may read contacts; a call that writes shows no others than its own if not.
        tells_scopes: whether the service tells what the caller's key allows, and its extensions; the platform does not.
        known_extensions: the extensions of a service that is not asked: those of the embedded directory.
        consent: a person's consent to the current call, whose changes do not count towards the budget then.
        known: the records that the current call has read, which its answer can name.
    """

    client: Sender
    default_region: str | None = None
    report: ProgressCallback | None = None
    files: Folder | str = NO_FOLDER_CONFIGURED
    downloads: Downloads = field(default_factory=Downloads)
    links: CallerLinks | None = None
    planned_files: PlannedFiles = field(default_factory=PlannedFiles)
    listings: KeptListings = field(default_factory=KeptListings)
    owner: str = ""
    may_read: bool = True
    budget: WriteBudget = field(default_factory=lambda: WriteBudget(0))
    tells_scopes: bool = False
    consent: CallConsent = field(default_factory=CallConsent)
    known_extensions: Collection[str] = ()
    known: KnownRecords = field(default_factory=KnownRecords)

    async def send(self, call: Call[AnswerT]) -> AnswerT:
        """Send a call within the caller's write budget. Raises a ContactsError if it did not succeed."""
        if not self.consent.is_given:
            self.budget.spend(call)
        try:
            return await self.client.send(call, self.report)
        finally:
            if call.risk is Risk.ERASE:
                self.listings.clear()  # they may show who was erased
                self.planned_files.forget_rows()

    async def supports(self, extension: str) -> bool:
        """Whether the service offers an extension that only makes a job faster; False if it gives no answer."""
        with suppress(ContactsError):
            return extension in await self.client.extensions()
        return False

    async def offer(self) -> ServiceOffer:
        """Return what the service offers to the caller; all that is possible if the service does not tell in time.

        The service refuses in any case what a key does not allow or what it does not offer.
        """
        if self.tells_scopes:
            return await ask_offer(self.client)
        return ServiceOffer(extensions=frozenset(self.known_extensions))

    async def keep_file(
        self, name: str, mime_type: str, chunks: Iterable[bytes], folder: Folder | None
    ) -> dict[str, Any]:
        """Write a new file, or keep it as a download. Return the fields of FileAnswer; no URI if it is too large."""
        if folder is None and self.usable_links:
            with suppress(RateLimited, ValidationFailed):
                return await self.usable_links.keep(name, mime_type, chunks)
        if folder is None:
            content = b"".join(chunks)
            download = Download(name, mime_type, len(content), lambda: content)
        else:
            size = await anyio.to_thread.run_sync(folder.write, name, chunks)
            download = Download(name, mime_type, size, lambda: folder.read(name).data, in_memory=False)
        uri = await self.downloads.keep(download, self.owner) if download.size <= MAX_DOWNLOAD_BYTES else None
        return {"file": name, "uri": uri, "mime_type": mime_type, "bytes": download.size}

    @property
    def usable_links(self) -> CallerLinks | None:
        """The caller's links, if links can be made now."""
        return self.links if self.links and self.links.is_available else None

    def require_folder(self) -> Folder:
        """Return the folder for files. Raises ValidationFailed, with the reason, if there is none."""
        if isinstance(self.files, Folder):
            return self.files
        raise invalid_field("path", f"cannot be used here: {self.files}", "leave path out")


class JobCounts(Counter[str]):
    """The progress of a running job: counts by result, and the ids of the contacts that it created.

    `to_do` is the job's size, if known.
    """

    to_do: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.created_ids: list[str] = []

    def __str__(self) -> str:
        of = "" if self.to_do is None else f" of {self.to_do:,}"
        counts = ", ".join(f"{count:,} {result.replace('_', ' ')}" for result, count in self.items() if count)
        return f"{self.total():,}{of} done" + (f": {counts}" if counts else "")


@dataclass(slots=True)
class TouchedRecords:
    """The records that a call has changed, or may have; filled while it runs, before each change.

    Attributes:
        contacts: ids of contacts.
        groups: ids of groups that got or lost members.
        knows_groups: whether `groups` are all of them; any group may have lost members if not.
        has_new_values: whether a contact that is still there has other values, which lists of members show.
    """

    contacts: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    knows_groups: bool = True
    has_new_values: bool = False


async def _read_no_target() -> Target:
    raise NotImplementedError("a call that changes something must describe its target")


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One call of a tool, prepared as far as is needed to know its effect; nothing is changed before `run`.

    Attributes:
        risk: this call's own risk, which may be lower than the tool's.
        needs_consent: whether a person has to agree even if the risk does not require it.
        run: makes the call and returns an instance of the tool's `answer`.
        read_target: reads what the call changes, for the guard's question; calls that only read need none.
        counts: what was done so far, also after a cancellation.
        values: the values that the call sets, if `read_target` does not describe them; a question quotes them.
        choose: gets the ids of the records that the person included in the call, of those that the question offers.
        results: what the call made or erased, such as `created_ids`, for the audit trail; filled while it runs.
        list_targets: lists the records that the call will change, once it may run, if its arguments do not name them
            all; the audit trail records them before. It runs in a worker thread.
        touched: the records that the call has changed so far, for subscribers; None if its arguments tell.
    """

    risk: Risk
    run: Callable[[], Awaitable[BaseModel]]
    read_target: Callable[[], Awaitable[Target]] = _read_no_target
    counts: JobCounts = field(default_factory=JobCounts)
    values: Mapping[str, Any] = field(default_factory=dict)
    choose: Callable[[Sequence[str]], None] = lambda _: None
    results: Mapping[str, Any] = field(default_factory=dict)
    list_targets: Callable[[], Sequence[str]] = tuple
    touched: TouchedRecords | None = None
    needs_consent: bool = False


Prepare = Callable[[Backend, Any], Awaitable[PreparedCall]]
Run = Callable[[Backend, Any], Awaitable[BaseModel]]
PlanRows = Callable[[Backend, Any], Awaitable[RowedPlan]]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool of the catalog; its description is the docstring of its arguments' model.

    Attributes:
        risk: the highest risk that a call can have.
        overwrites: whether a call can overwrite or remove something, even if no person is asked about it.
        writes_file: whether a call that only reads contacts writes a file.
        idempotent: whether a repeated call leaves the directory as the first call did.
        plans_first: whether a first call shows a plan; a person may have to agree to one that is too large.
        prepare: prepares a call with the backend and the validated arguments.
        target_args: the arguments with the ids of the records that the call is about.
        min_risk: the lowest risk of a call that changes something, if lower than `risk`.
        wording: how a person is asked, if not by the risk's own wording.
        shows_stored_data: whether a plan or an answer shows what the caller did not write, which needs READ, too.
        plan_rows: plans what a call with these arguments would do, for a panel that lists the plan's rows; None if the
            tool makes no plan.
        other_answers: answers of calls that do something else, if their arguments say so.
        is_time_limited: whether all requests of one call share a time limit.
        extension: what the service must offer beyond the documented API; else the tool does not exist.
        extension_args: arguments that need an extension, with its name; else they are not listed.
        names_deleted: whether the contact that its arguments name is a deleted one.
        view: the view of the panel that shows its calls, in hosts that show a panel (MCP Apps).
        for_panel: whether only the panel calls it: models do not see it.
    """

    name: str
    risk: Risk
    arguments: type[BaseModel]
    answer: type[BaseModel]
    prepare: Prepare
    overwrites: bool = False
    writes_file: bool = False
    plans_first: bool = False
    idempotent: bool = True
    target_args: tuple[str, ...] = ()
    min_risk: Risk | None = None
    wording: PromptWording | None = None
    shows_stored_data: bool = False
    plan_rows: PlanRows | None = None
    other_answers: tuple[type[BaseModel], ...] = ()
    is_time_limited: bool = False
    extension: str | None = None
    extension_args: Mapping[str, str] = field(default_factory=dict)
    names_deleted: bool = False
    view: str | None = None
    for_panel: bool = False

    def limit(self, backend: Backend) -> Backend:
        """Return the backend for one call, with the call's time limit if it has one."""
        return replace(backend, client=TimeLimit(backend.client)) if self.is_time_limited else backend

    @cached_property
    def call_risks(self) -> frozenset[Risk]:
        """The highest and the lowest risk of a call; a caller who may take one of them can use the tool."""
        return frozenset({self.risk, self.min_risk or self.risk})

    @cached_property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize().replace("Gdpr", "GDPR")

    @cached_property
    def summary(self) -> str:
        """What the tool does, and which other tool to use instead: at most three sentences."""
        return " ".join((self.arguments.__doc__ or "").split())

    @cached_property
    def description(self) -> str:
        """The summary, and what a model that has to fill in every argument needs to know."""
        return f"{self.summary} {_FILLERS}" if has_optional_texts(input_schema(self.arguments)) else self.summary

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return add_name_arguments(input_schema(self.arguments))

    def schema_for(self, offer: ServiceOffer) -> dict[str, Any]:
        """The input schema without the arguments that the service cannot fulfil."""
        missing = {name for name, extension in self.extension_args.items() if not offer.has(extension)}
        if not missing:
            return self.input_schema
        properties = {name: each for name, each in self.input_schema["properties"].items() if name not in missing}
        return {**self.input_schema, "properties": properties}

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """The schema of the answer; if a person can be asked about the tool's calls, also of what came of that."""
        others: tuple[type[BaseModel], ...] = () if self.risk is Risk.READ else (NotDone, ConsentReport)
        others = (*self.other_answers, *others)
        schema = output_schema(self.answer)
        return merge_schemas(schema, *(output_schema(each) for each in others)) if others else schema

    @property
    def is_read_only(self) -> bool:
        """Whether no call writes anything, neither to the directory nor to a file."""
        return self.risk is Risk.READ and not self.writes_file

    def annotations(self, *, open_world: bool) -> dict[str, Any]:
        """MCP's tool annotations; `open_world` says whether the tools work on a service outside of this server."""
        return {
            "title": self.title,
            "readOnlyHint": self.is_read_only,
            "destructiveHint": self.overwrites or self.risk in (Risk.DESTROY, Risk.ERASE),
            "idempotentHint": self.idempotent,
            "openWorldHint": open_world,
        }


def read_tool(
    name: str,
    arguments: type[BaseModel],
    answer: type[BaseModel],
    run: Run,
    target_args: tuple[str, ...] = (),
    *,
    writes_file: bool = False,
    extension: str | None = None,
    view: str | None = None,
    for_panel: bool = False,
) -> Tool:
    """Build a tool that only reads contacts, so that its calls need no preparation."""

    async def prepare(backend: Backend, given: Any) -> PreparedCall:
        return PreparedCall(Risk.READ, lambda: run(backend, given))

    return Tool(
        name=name,
        risk=Risk.READ,
        arguments=arguments,
        answer=answer,
        prepare=prepare,
        writes_file=writes_file,
        idempotent=not writes_file,
        target_args=target_args,
        extension=extension,
        view=view,
        for_panel=for_panel,
    )
