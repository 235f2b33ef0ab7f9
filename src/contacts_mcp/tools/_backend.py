"""What a tool works with."""

from dataclasses import dataclass, field
from typing import Protocol

from contacts_mcp.contract import AnswerT, Call, FieldFault, ProgressCallback, ValidationFailed
from contacts_mcp.folder import Folder
from contacts_mcp.tools._budget import WriteBudget
from contacts_mcp.tools._downloads import Downloads

NO_FOLDER_CONFIGURED = "the operator has named no folder for files (CONTACTS_MCP_FILES)"
NO_PATHS_OVER_NETWORK = "over a network no paths are taken"


class Sender(Protocol):
    """The API client, as far as tools need to know it."""

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send one call and return its answer; raise a ContactsError where it did not succeed."""
        ...

    async def extensions(self) -> frozenset[str]:
        """What the service offers beyond the API's page; asked once, never assumed."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """The client, the region of national numbers, whom to tell of progress, and where files may be.

    `files` is the one folder that may be used, or why there is none. `owner` is whose downloads these are.
    """

    client: Sender
    default_region: str | None = None
    report: ProgressCallback | None = None
    files: Folder | str = NO_FOLDER_CONFIGURED
    downloads: Downloads = field(default_factory=Downloads)
    owner: str = ""
    budget: WriteBudget = field(default_factory=lambda: WriteBudget(0))

    async def send(self, call: Call[AnswerT]) -> AnswerT:
        """Send a call within the caller's budget; a ContactsError where it did not succeed."""
        self.budget.spend(call)
        return await self.client.send(call, self.report)

    async def supports(self, extension: str) -> bool:
        """Whether the service offers this beyond the API's page."""
        return extension in await self.client.extensions()

    def folder(self) -> Folder:
        """The folder for files. Raises ValidationFailed, with the reason, where there is none."""
        if isinstance(self.files, Folder):
            return self.files
        fault = FieldFault("path", f"cannot be used here: {self.files}")
        raise ValidationFailed(str(fault), faults=(fault,), advice="leave path out")


def refuse(path: str, reason: str, advice: str | None = None) -> ValidationFailed:
    """The error for one argument."""
    fault = FieldFault(path, reason)
    return ValidationFailed(str(fault), faults=(fault,), advice=advice)
