"""merge_contacts: combine several records of one person, or of several, and delete the others after a person agreed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import (
    Contact,
    ContactId,
    ContactsError,
    GetContact,
    Group,
    ListContactGroups,
    NotFound,
    Risk,
    invalid_field,
)
from contacts_mcp.guard import PromptWording, Target, hash_json
from contacts_mcp.tools._answers import ShortAnswer
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._merge import Merge, MergedContact, stops_merging
from contacts_mcp.tools._person import offers_persons
from contacts_mcp.tools._plan import FINGERPRINT_LENGTH, prepare_apply
from contacts_mcp.tools._plan_row import PlanRow, RowedPlan
from contacts_mcp.tools._select import fetch_member_ids
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import Backend, JobCounts, PreparedCall, Tool, TouchedRecords
from contacts_mcp.tools._values import require_tag_count
from contacts_mcp.wording import count

# One question names all contacts, and one word decides on all of them: so that a person reads every line, a call
# deletes at most 20 contacts of 10 people, and the question about several has the length of the longest other one.
_MAX_DELETED = 20
_MAX_CLUSTERS = 10
_MAX_QUESTION_LENGTH = 6_000
_MAX_NOTES_LENGTH = 10_000
_BOTH_FORMS = 'give either keep_id and merge_ids, or clusters: [["id to keep", "other id"], …]'
_EACH_ITEM = "Each numbered contact is kept, and completed from those below it, which are then deleted."


class MergeContacts(Arguments):
    """Merge merge_ids into keep_id and delete them; a second number or address stays in notes. See
    find_duplicate_contacts.
    """

    keep_id: ContactId | None = None
    merge_ids: list[ContactId] | None = Field(default=None, max_length=_MAX_DELETED)
    clusters: list[list[ContactId]] | None = Field(
        default=None, max_length=_MAX_CLUSTERS, description="Or several at once: ids, the one to keep first."
    )
    prefer: Literal["keep", "newest"] = Field(default="keep", description="Whose values win.")

    @property
    def all_clusters(self) -> list[list[str]]:
        """The ids of each cluster, the one to keep first."""
        return self.clusters or [[self.keep_id or "", *(self.merge_ids or ())]]

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        is_complete = self.keep_id is not None and self.merge_ids is not None
        is_begun = self.keep_id is not None or self.merge_ids is not None
        if not (is_complete if self.clusters is None else not is_begun):
            raise PydanticCustomError("form", _BOTH_FORMS)
        for index, cluster in enumerate(self.clusters or ()):
            if len(cluster) == 1:
                message = "clusters.{index}: should have at least two ids, the one to keep first"
                raise PydanticCustomError("alone", message, {"index": index})
        return self

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        ids = [contact_id.lower() for cluster in self.all_clusters for contact_id in cluster]
        if len(set(ids)) != len(ids):
            more = ": join clusters that share one" if self.clusters else ""
            raise PydanticCustomError("twice", "names a contact twice{more}", {"more": more})
        deleted = len(ids) - len(self.all_clusters)
        if deleted > _MAX_DELETED:
            message = "clusters: would delete {deleted} contacts, and a call deletes at most {limit}"
            raise PydanticCustomError("many", message, {"deleted": deleted, "limit": _MAX_DELETED})
        return self


class Merged(MergedContact, ShortAnswer):
    """The contact that was kept, and what happened to the others."""

    next: str | None = None


class MergedCluster(MergedContact):
    """What happened to one of several clusters."""

    error: str | None = Field(default=None, description="Why the cluster was not merged, or only in part.")


class MergedClusters(ShortAnswer):
    """What happened to several clusters."""

    merged: int = Field(description="Clusters that were merged.")
    not_merged: int = Field(description="Clusters that were not merged, or only in part.")
    clusters: list[MergedCluster] = Field(description="What happened to each; those that were not merged first.")
    next: str | None = None


@dataclass(slots=True)
class _Plan:
    """The merges of one call.

    Attributes:
        touched: is filled with the records that change.
        is_list: whether the call gave clusters, so that the question and the answer list them.
    """

    merges: list[Merge]
    touched: TouchedRecords
    is_list: bool
    risk: Risk = Risk.DESTROY

    @property
    def fingerprint(self) -> str:
        return hash_json([merge.state for merge in self.merges])[:FINGERPRINT_LENGTH]

    def iter_rows(self) -> Iterator[PlanRow]:
        """Iterate over all contacts: of each cluster first the one that is kept."""
        for merge in self.merges:
            yield from merge.iter_rows()

    def list_targets(self) -> list[str]:
        return [contact_id for merge in self.merges for contact_id in merge.ids]

    def to_target(self) -> Target:
        """The question names all contacts, the values that change, those that are lost, and the groups."""
        if not self.is_list:
            (merge,) = self.merges
            return Target(describe_record(merge.keep), "\n".join(merge.describe()), hash_json(merge.state))
        deleted = sum(len(merge.others) for merge in self.merges)
        label = f"{count(len(self.merges), 'contact')}, and delete {count(deleted, 'other')}"
        return Target(label, self.describe(), hash_json([merge.state for merge in self.merges]))

    def describe(self) -> str:
        """Describe all clusters: in short lines if a person would not read the long ones."""
        for in_full in (True, False):
            items = (merge.describe_item(number, in_full=in_full) for number, merge in enumerate(self.merges, 1))
            text = "\n".join([_EACH_ITEM, *(line for item in items for line in item)])
            if len(text) <= _MAX_QUESTION_LENGTH:
                break
        return text

    async def apply(self, client: JobClient, counts: JobCounts) -> Merged | MergedClusters:
        """Merge one cluster after the other.

        Raises a ContactsError if the only cluster was not merged, or the first one and none after it can be.
        """
        counts.to_do = sum(merge.step_count for merge in self.merges)
        async with client.cancel_grace():
            if self.is_list:
                return await self._apply_all(client, counts)
            (merge,) = self.merges
            await merge.apply(client, counts, self.touched)
        next_step = "the kept contact has all data; call again to delete the contacts in not_deleted"
        return Merged(**merge.to_fields(), next=next_step if merge.errors else None)

    async def _apply_all(self, client: JobClient, counts: JobCounts) -> MergedClusters:
        """Merge the clusters until an error that the next one would probably meet, too."""
        progress = client.progress("clusters merged", len(self.merges))
        answers: list[MergedCluster] = []
        stopped_by: ContactsError | None = None
        for merge in self.merges:
            error = f"not begun, because of {stopped_by.code} before" if stopped_by else None
            if stopped_by is None:
                failure = await self._apply_one(merge, client, counts)
                error = f"{failure.code}: {failure.message}" if failure else None
                failures = [failure] if failure else merge.errors.values()
                stopped_by = next(filter(stops_merging, failures), None)
            if error:
                counts["not_deleted"] += len(merge.others)
            answers.append(MergedCluster(**merge.to_fields(), error=error))
            await progress.advance()
        return _to_answer(answers)

    async def _apply_one(self, merge: Merge, client: JobClient, counts: JobCounts) -> ContactsError | None:
        """Merge a cluster; return why it was not merged. Raises that if nothing at all was changed before."""
        try:
            await merge.apply(client, counts, self.touched)
        except ContactsError as exc:
            if stops_merging(exc) and not any(counts.values()):
                raise
            return exc
        return None


def _to_answer(clusters: Sequence[MergedCluster]) -> MergedClusters:
    """Return the answer; the clusters that need another call are first, and so are never left out of a long one."""
    failed = [each for each in clusters if each.error or each.not_deleted]
    merged = [each for each in clusters if each not in failed]
    next_step = "call again with the clusters that have error or not_deleted" if failed else None
    return MergedClusters(merged=len(merged), not_merged=len(failed), clusters=[*failed, *merged], next=next_step)


async def _prepare(backend: Backend, arguments: MergeContacts) -> PreparedCall:
    touched = TouchedRecords()
    make_plan = partial(_make_plan, touched)
    plan = await make_plan(JobClient(backend), arguments)
    return replace(await prepare_apply(plan, make_plan, backend, arguments), touched=touched)


async def _make_plan(touched: TouchedRecords, client: JobClient, arguments: MergeContacts) -> _Plan:
    """Read the contacts of all clusters, and the groups that they are in.

    Raises NotFound, which names the contacts; ValidationFailed if a contact would have too many tags or too long notes,
    or the question would be too long; and RecordsUnknown if the service does not say whether it links merged records.
    """
    has_persons = await offers_persons(client.backend)
    clusters = arguments.all_clusters
    found = await _read_contacts(client, [contact_id for cluster in clusters for contact_id in cluster])
    groups = await _read_groups(client, {contact.id for contact in found})
    remaining = iter(found)
    merges: list[Merge] = []
    for cluster in clusters:
        keep, *others = islice(remaining, len(cluster))
        left = [(group, ids) for group, ids in groups if any(other.id in ids for other in others)]
        joining = [group for group, ids in left if keep.id not in ids]
        left_ids = [group.id for group, _ in left]
        region = client.backend.default_region
        merges.append(Merge(keep, others, arguments.prefer, joining, left_ids, has_persons, region))
    plan = _Plan(merges, touched, is_list=arguments.clusters is not None)
    _check_lengths(plan)
    return plan


async def _read_contacts(client: JobClient, ids: Sequence[str]) -> list[Contact]:
    """Read contacts, in this order. Raises NotFound, which names those that do not exist."""

    async def read(contact_id: str) -> Contact | str:
        try:
            return await client.send(GetContact(contact_id=contact_id))
        except NotFound:
            return contact_id

    found = await client.map_concurrently(ids, read)
    if missing := [each for each in found if isinstance(each, str)]:
        noun = "is no contact" if len(missing) == 1 else "are no contacts"
        advice = f"nothing was merged; leave {'it' if len(missing) == 1 else 'them'} out"
        raise NotFound(f"there {noun} {', '.join(missing)}", advice=advice)
    return [each for each in found if isinstance(each, Contact)]


async def _read_groups(client: JobClient, contact_ids: Collection[str]) -> list[tuple[Group, set[str]]]:
    """Read each group once, by id, with those of the contacts that are members; only groups that have some."""

    async def read_members(group: Group) -> set[str]:
        try:
            return (await fetch_member_ids(client, group.id)).intersection(contact_ids)
        except NotFound:
            return set()  # deleted meanwhile

    groups = [group for group in (await client.send(ListContactGroups())).groups if group.member_count != 0]
    members = await client.map_concurrently(groups, read_members)
    found = [(group, ids) for group, ids in zip(groups, members, strict=True) if ids]
    return sorted(found, key=lambda each: each[0].id)


def _check_lengths(plan: _Plan) -> None:
    """Raise ValidationFailed if a contact would have too much, or the question would be too long for a person."""
    for index, merge in enumerate(plan.merges):
        argument = f"clusters.{index}" if plan.is_list else "merge_ids"
        if len(merge.values.get("notes") or "") > _MAX_NOTES_LENGTH:
            reason = f"their notes together have more than {_MAX_NOTES_LENGTH:,} characters"
            raise invalid_field(argument, reason, "shorten them first")
        require_tag_count(merge.values.get("tags") or [], argument, "the contact to keep")
    if plan.is_list and len(plan.describe()) > _MAX_QUESTION_LENGTH:
        reason = f"a person would have to read more than {_MAX_QUESTION_LENGTH:,} characters"
        raise invalid_field("clusters", reason, "nothing was changed; merge fewer in one call")


async def _plan_rows(backend: Backend, arguments: MergeContacts) -> RowedPlan:
    return await _make_plan(TouchedRecords(), JobClient(backend), arguments)


merge_contacts = Tool(
    name="merge_contacts",
    risk=Risk.DESTROY,
    arguments=MergeContacts,
    answer=Merged,
    other_answers=(MergedClusters,),
    prepare=_prepare,
    target_args=("keep_id", "merge_ids", "clusters"),
    wording=PromptWording("Merge into", "merge"),
    shows_stored_data=True,
    view="plan",
    plan_rows=_plan_rows,
)
