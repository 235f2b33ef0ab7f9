"""The plan of an import, how it is carried out, and what became of every row."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread

from contacts_mcp.contract import CreateContact, Risk, UpdateContact, ValidationFailed
from contacts_mcp.folder import Folder
from contacts_mcp.formats import FORMATS
from contacts_mcp.guard import Target
from contacts_mcp.text import quote
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._downloads import LARGEST, Download
from contacts_mcp.tools._job_counts import JobCounts
from contacts_mcp.tools.importing._answer import Imported, imported
from contacts_mcp.tools.importing._decide import Decision, Options, decide
from contacts_mcp.tools.importing._results import as_csv
from contacts_mcp.tools.importing._source import Source
from contacts_mcp.tools.steps import MANY, JobClient, Outcome, Progress, Writing, cut, join_group, some, write_all

_PROBLEMS, _FAILURES = 10, 5
_ROUNDS = 5
"""Times that rows are looked at again whose fate a lost answer left open."""
_RESULT = ".result.csv"
_CSV = FORMATS["csv"].mime_type


@dataclass(slots=True)
class Import:
    """A plan: what each row comes to, and who joins the group."""

    group_id: str | None
    source: Source
    decisions: list[Decision]
    options: Options
    members: frozenset[str]
    fingerprint: str = ""
    kept: dict[str, Any] = field(default_factory=dict)
    """Where the result file is, once there is one."""
    outcomes: dict[int, tuple[str, str | None, str]] = field(default_factory=dict)
    """What became of rows that were to be written: outcome, id, detail."""

    @property
    def count(self) -> Counter[str]:
        return Counter(decision.what for decision in self.decisions)

    @property
    def writing(self) -> list[Decision]:
        return [decision for decision in self.decisions if decision.what in ("new", "update")]

    @property
    def overwritten(self) -> int:
        return sum(len(decision.overwrites) for decision in self.decisions)

    @property
    def joining(self) -> int:
        """How many join the group, as far as that is known before they are created."""
        if self.group_id is None:
            return 0
        there = {decision.id for decision in self.decisions if decision.id} - self.members
        return len(there) + self.count["new"]

    @property
    def changes(self) -> int:
        return len(self.writing) + self.joining

    @property
    def risk(self) -> Risk:
        """Creating is harmless; to change many contacts, or to overwrite what somebody wrote, is not."""
        return Risk.DESTROY if self.count["update"] >= MANY or self.overwritten else Risk.WRITE

    def shown(self) -> Imported:
        count = self.count
        again = "show the person; on their yes call again with apply and this plan" if self.changes else None
        return self._answer(
            applied=False,
            new=count["new"],
            updates=count["update"],
            joining=self.joining or None,
            plan=self.fingerprint if self.changes else None,
            next=again or "there is nothing to do",
        )

    def target(self) -> Target:
        updates = [decision for decision in self.decisions if decision.what == "update"]
        names = [quote(decision.draft.name, 60) for decision in updates]
        lost = Counter(name for decision in updates for name in decision.overwrites)
        told = ", ".join(f"{count:,} times {name}" for name, count in lost.items())
        return Target(
            label=f"{len(updates):,} contacts by a file, {some(names)}",
            effect=f"What is there now is overwritten: {told}." if told else "Tags and empty fields are filled.",
            phrase="",
            fingerprint=self.fingerprint,
        )

    async def carry_out(self, backend: Backend, counts: JobCounts) -> Imported:
        """Write, settle what stayed open, join the group; the result file is written however this ends."""
        counts.to_do = len(self.decisions)
        for decision in self.decisions:
            if decision.what not in ("new", "update"):
                counts[decision.what] += 1
        try:
            await self._write(backend, JobClient(backend), counts)
            joined = await self._join(backend, JobClient(backend))
        finally:
            with anyio.CancelScope(shield=True):
                await self._keep_results(backend)
        await self._tell(backend, counts)
        return self._answer(
            applied=True,
            created=counts["created"],
            updated=counts["updated"],
            failed=counts["failed"] or None,
            unknown=counts["unknown"] or None,
            joined=joined,
            **self.kept,
            next="call again without apply for what failed" if counts["failed"] or counts["unknown"] else None,
        )

    async def _write(self, backend: Backend, pace: JobClient, counts: JobCounts) -> None:
        left = self.writing
        progress = Progress(backend.report, "rows written", len(left))
        for last in (*[False] * (_ROUNDS - 1), True):
            left = await self._round(backend, pace, left, counts, progress, last=last)
            if not left:
                return

    async def _round(
        self,
        backend: Backend,
        pace: JobClient,
        decisions: Sequence[Decision],
        counts: JobCounts,
        progress: Progress,
        *,
        last: bool,
    ) -> list[Decision]:
        """Write once; what stayed open is looked up in the directory, and what is not there comes back."""
        open_: list[Decision] = []

        def settle(decision: Decision, outcome: Outcome) -> None:
            if outcome.unsettled and not last:
                open_.append(decision)
                counts["unknown"] += 1
                self.outcomes[decision.draft.row] = ("unknown", decision.id, "the answer was lost")
                return
            self._settle(decision, outcome, counts)

        writings = (Writing(decision, _call(decision)) for decision in decisions)
        await write_all(backend, pace, writings, settle, progress)
        if not open_:
            return []
        again = await decide(backend, pace, [decision.draft for decision in open_], self.options)
        counts["unknown"] -= len(open_)
        for before, now in zip(open_, again, strict=True):
            if now.what == "unchanged":
                self._settle(before, Outcome(now.id), counts)
        return [now for now in again if now.what in ("new", "update")]

    def _settle(self, decision: Decision, outcome: Outcome, counts: JobCounts) -> None:
        done = "created" if decision.what == "new" else "updated"
        what = "unknown" if outcome.unsettled else "failed" if outcome.fault else done
        counts[what] += 1
        why = cut(str(outcome.fault), 200) if outcome.fault else decision.detail
        self.outcomes[decision.draft.row] = (what, outcome.id or decision.id, why or "")

    async def _join(self, backend: Backend, pace: JobClient) -> int | None:
        if self.group_id is None:
            return None
        ids = {contact_id for _, _, contact_id, _ in self.results() if contact_id} - self.members
        progress = Progress(backend.report, "contacts added to the group", len(ids))
        await join_group(pace, self.group_id, sorted(ids), lambda _: None, progress)
        return len(ids)

    def results(self) -> Iterator[tuple[int, str, str | None, str]]:
        """Row, outcome, id and detail of every row."""
        ids: dict[int, str | None] = {}
        for decision in self.decisions:
            row = decision.draft.row
            what, contact_id, detail = self.outcomes.get(row, (decision.what, decision.id, decision.detail))
            if decision.first is not None:
                contact_id = ids.get(decision.first)
            ids[row] = contact_id
            yield row, _NOT_DONE.get(what, what), contact_id, detail

    async def _keep_results(self, backend: Backend) -> None:
        """Beside the file, or as a download where there is none, or where the folder does not take it."""
        content = b"".join(as_csv(self.results()))
        download = await self._beside(backend.files, content) or _download(content)
        uri = backend.downloads.keep(download, backend.owner) if len(content) <= LARGEST else None
        self.kept = {"file": download.name, "uri": uri, "mime_type": _CSV, "bytes": len(content)}

    async def _beside(self, folder: Folder | str, content: bytes) -> Download | None:
        path = self.source.path
        if path is None or not isinstance(folder, Folder):
            return None
        name = path + _RESULT
        try:
            await anyio.to_thread.run_sync(lambda: folder.write(name, [content], replace=True))
        except ValidationFailed:  # the contacts are written; their import has not failed by this
            return None
        return Download(name, _CSV, len(content), lambda: folder.read(name).data, in_memory=False)

    async def _tell(self, backend: Backend, counts: JobCounts) -> None:
        if backend.report is not None:
            await backend.report(len(self.decisions), len(self.decisions), str(counts))

    def _answer(self, **more: Any) -> Imported:
        return imported(self.source, self.decisions, self._problems(), overwritten=self.overwritten, **more)

    def _problems(self) -> list[str]:
        """The first rows of each kind that want a look."""
        wrong = [decision for decision in self.decisions if decision.what in ("invalid", "ambiguous")]
        told = [f"row {decision.draft.row} {decision.detail}" for decision in wrong[:_PROBLEMS]]
        bad = [(row, detail) for row, (what, _, detail) in self.outcomes.items() if what in ("failed", "unknown")]
        return told + [f"row {row}: {detail}" for row, detail in bad[:_FAILURES]]


_NOT_DONE = {"new": "not_created", "update": "not_updated"}
"""What a row is called that was to be written, where the import ended before it."""


def _download(content: bytes) -> Download:
    return Download(f"import{_RESULT}", _CSV, len(content), lambda: content)


def _call(decision: Decision) -> CreateContact | UpdateContact:
    if decision.what == "update":
        return UpdateContact(contact_id=decision.id or "", **decision.values)
    draft = decision.draft
    fields: dict[str, Any] = {"type": "person", **draft.said}
    if draft.tags:
        fields["tags"] = list(draft.tags)
    return CreateContact(**fields)
