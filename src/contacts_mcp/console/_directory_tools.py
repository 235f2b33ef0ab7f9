"""The console's tools for the embedded directory: receipts of erasures, and its backups."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
from pydantic import BaseModel, Field

from contacts_mcp.contract import PermissionDenied
from contacts_mcp.server import Caller, ExtraArguments, ExtraTool

MAX_RECEIPTS = 500
MAX_BACKUPS = 200

ReceiptReader = Callable[[int, int], Awaitable[tuple[Sequence[Mapping[str, Any]], int]]]
"""Returns receipts below a number (0: all), at most so many, the newest first, and how many there are in all."""


class ListReceipts(ExtraArguments):
    """List the receipts of erasures, the newest first. A receipt names no person."""

    before: int = Field(default=0, ge=0, description="Only receipts with smaller numbers; 0 means all.")
    limit: int = Field(default=100, ge=1, le=MAX_RECEIPTS)


class ListBackups(ExtraArguments):
    """List the files in the folder of backups, the newest first."""


class ShownReceipt(BaseModel):
    """The receipt of one erasure; `fields` are those that had a value, `hash` its place in the chain."""

    number: int
    contact_id: str
    erased_at: str
    actor: str
    reason: str
    fields: list[str]
    hash: str


class ReceiptPage(BaseModel):
    """Receipts; `next` is the `before` of the next page. `reason` says why there are none, if they cannot be listed."""

    receipts: list[ShownReceipt]
    total: int
    next: int | None = None
    reason: str | None = None


class Backup(BaseModel):
    """A file of the folder of backups."""

    name: str
    bytes: int
    written_at: datetime


class BackupList(BaseModel):
    """The backups. `reason` says why none are listed, and what an operator can do."""

    backups: list[Backup]
    more: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DirectoryTools:
    """Builds the two tools.

    `read_receipts` is None if the service has no list of receipts. `backups` is the folder of backups, if the operator
    has named one. `sees_backups` is whether a caller may see the operator's files.
    """

    read_receipts: ReceiptReader | None
    backups: Path | None
    sees_backups: Callable[[Caller], bool]

    def tools(self) -> list[ExtraTool]:
        """Return list_receipts and list_backups."""
        return [
            ExtraTool(name="list_receipts", arguments=ListReceipts, run=self._list_receipts),
            ExtraTool(name="list_backups", arguments=ListBackups, run=self._list_backups),
        ]

    async def _list_receipts(self, _viewer: Caller, arguments: ListReceipts) -> ReceiptPage:
        if self.read_receipts is None:
            return ReceiptPage(receipts=[], total=0, reason="The service keeps the receipts and does not list them.")
        rows, total = await self.read_receipts(arguments.before, arguments.limit + 1)
        shown = [_to_receipt(row) for row in rows[: arguments.limit]]
        following = shown[-1].number if len(rows) > len(shown) else None
        return ReceiptPage(receipts=shown, total=total, next=following)

    async def _list_backups(self, viewer: Caller, _arguments: ListBackups) -> BackupList:
        if not self.sees_backups(viewer):
            raise PermissionDenied("only an approver, or a person at the server's computer, sees backups", advice="")
        if self.backups is None:
            return BackupList(backups=[], reason=_NO_FOLDER)
        try:
            found = await anyio.to_thread.run_sync(_find_backups, self.backups)
        except OSError as exc:
            return BackupList(backups=[], reason=f"The folder of backups cannot be read: {exc.strerror}.")
        return BackupList(backups=found[:MAX_BACKUPS], more=max(0, len(found) - MAX_BACKUPS))


_NO_FOLDER = (
    "No folder of backups is configured. An operator sets CONTACTS_MCP_BACKUPS to the folder into which"
    " `contacts-mcp directory backup` writes."
)


def _to_receipt(row: Mapping[str, Any]) -> ShownReceipt:
    kept = {name: row[name] for name in ("contact_id", "erased_at", "actor", "reason", "fields", "hash")}
    return ShownReceipt(number=row["seq"], **kept)


def _find_backups(folder: Path) -> list[Backup]:
    """Return the files of a folder, the newest first; links, folders and files that are being written are left out."""
    files = [each for each in folder.iterdir() if not each.name.startswith(".") and not each.is_symlink()]
    found = []
    for each in files:
        if each.is_file():
            status = each.stat()
            written = datetime.fromtimestamp(status.st_mtime, UTC)
            found.append(Backup(name=each.name, bytes=status.st_size, written_at=written))
    return sorted(found, key=lambda backup: backup.written_at, reverse=True)
