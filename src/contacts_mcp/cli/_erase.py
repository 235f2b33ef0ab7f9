"""`contacts-mcp directory erase`: erase contacts of any tenants, all or none, with everything merged into them.

Before it asks, it names each record that it erases, and records that may be the same person under another id.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contacts_mcp.cli._contacts import read_contacts
from contacts_mcp.cli._location import DirectoryOption, locate, run_on
from contacts_mcp.cli._options import AsJson, Yes, confirm
from contacts_mcp.cli._output import print_line, print_result
from contacts_mcp.erasure_reason import MAX_REASON_LENGTH, find_fault, repeats_contact
from contacts_mcp.settings import load_settings
from contacts_mcp.wording import count, local_time

if TYPE_CHECKING:
    from contacts_mcp.directory import Directory, TenantContact
    from contacts_mcp.tools import RelatedRecord

_IDENTIFYING = ("name", "company_name", "email", "phone_number")


@dataclass(frozen=True, slots=True)
class _Related:
    """Records that may be the same person, with the name of their tenant; how many more there are; what is missing."""

    named: "Sequence[tuple[str, RelatedRecord]]" = ()
    more: int = 0
    gaps: Sequence[str] = ()


def erase(
    contact_ids: Annotated[
        list[str], typer.Argument(help="The ids of contacts, live or deleted, as `list` shows them.")
    ],
    reason: Annotated[
        str, typer.Option(help="Why they are erased, such as a case number. It is kept: it must not name the person.")
    ],
    directory: DirectoryOption = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase contacts permanently, all of them or none.

    What was merged into them is erased, too. Each erased record leaves a receipt. The question names each record
    that is erased, and others with the same number, e-mail address or name, which are erased only if their ids are
    given as well.
    """
    kept_reason = _parse_reason(reason)
    location = locate(directory)
    found = read_contacts(location, contact_ids)
    targets = _list_targets(found)
    _check_reason(kept_reason, list(targets.values()))
    if not targets:
        _report(found, [], _Related(), as_json)
        return
    related = run_on(location, lambda opened: _find_related(opened, found, set(targets)))
    for line in (*_describe_targets(found), *_describe_related(related)):
        print_line(line, err=True)
    confirm(f"Erase {count(len(targets), 'record')}? This cannot be undone.", yes)
    receipts = run_on(location, lambda opened: opened.maintenance.erase_contacts(list(targets), kept_reason))
    _report(found, receipts, related, as_json)


def _parse_reason(text: str) -> str:
    """Return a reason on one line. Raises ValueError if it cannot be kept, whoever the contacts are."""
    reason = " ".join(text.replace("\0", " ").encode(errors="replace").decode().split())
    if not reason:
        raise ValueError("--reason must not be empty: the receipt keeps it")
    if len(reason) > MAX_REASON_LENGTH:
        raise ValueError(f"--reason must have at most {MAX_REASON_LENGTH:,} characters")
    if fault := find_fault(reason):
        raise ValueError(f"--reason {fault}")
    return reason


def _check_reason(reason: str, targets: Sequence[Any]) -> None:
    """Refuse a reason with data of one of the contacts, before a person is asked."""
    for record in targets:
        if repeats_contact(reason, **{name: record.row[name] for name in _IDENTIFYING}):
            raise ValueError("--reason must not contain the contact's name, e-mail or number: the reason is kept")


def _list_targets(found: "Sequence[TenantContact]") -> dict[str, Any]:
    """Return the records that would be erased, by id: contacts and what was merged into them."""
    records = [record for each in found for record in (each.record, *each.record.merged)]
    return {record.row["id"]: record for record in records if record.status != "erased"}


async def _find_related(directory: "Directory", found: "Sequence[TenantContact]", known: set[str]) -> _Related:
    """Find records that may be the same persons, by the rules of the question that the tool asks."""
    import httpx

    from contacts_mcp.client import ContactsClient
    from contacts_mcp.tools import Backend, JobClient, find_related, read_person

    named: dict[str, tuple[str, RelatedRecord]] = {}
    gaps: dict[str, None] = {}
    more = 0
    region = load_settings().default_region
    for tenant in dict.fromkeys(each.tenant for each in found):
        transport = httpx.ASGITransport(await directory.app_of(tenant))
        async with ContactsClient(base_url="http://directory", transport=transport) as client:
            job = JobClient(Backend(client, default_region=region))
            for each in (each for each in found if each.tenant == tenant and each.record.row["id"] in known):
                person = await read_person(job.backend, each.record.row["id"], has_persons=True)
                related = await find_related(job, person, has_persons=True)
                named |= {one.record.id: (tenant, one) for one in related.named if one.record.id not in known}
                more += related.more
                gaps |= {related.gap: None} if related.gap else {}
    return _Related(list(named.values()), more, list(gaps))


def _describe_targets(found: "Sequence[TenantContact]") -> Iterator[str]:
    for each in found:
        yield f"{each.tenant}: {_name(each.record)}"
        yield from (f"  merged into it: {_name(merged)}" for merged in each.record.merged)


def _name(record: Any) -> str:
    """Return what a person recognizes a record by, and its status."""
    row = record.row
    known = ", ".join(row[name] for name in _IDENTIFYING if row[name]) or "nothing is left of it"
    erased = f"already erased {local_time(row['erased_at'])}" if row["erased_at"] else record.status
    return f"{row['id']}  {known} ({erased})"


def _describe_related(related: _Related) -> Iterator[str]:
    if related.named:
        yield "These records may be the same person and are not erased, unless you give their ids as well:"
    for tenant, each in related.named:
        record = each.record
        known = ", ".join(filter(None, (record.name, record.company_name, record.email, record.phone_number)))
        with_merged = f"; {count(len(each.merged), 'record')} merged into it" if each.merged else ""
        yield f"{tenant}: {record.id}  {known} ({record.status}): {', '.join(each.shared)}{with_merged}"
    if related.more:
        yield f"and {count(related.more, 'other related record')}, which are not named"
    yield from (f"Related records may be missing: {gap}." for gap in related.gaps)


def _report(found: "Sequence[TenantContact]", receipts: Sequence[Any], related: _Related, as_json: bool) -> None:
    """Print each record that is erased now, and its receipt, whether it was erased now or before."""
    new = {receipt.contact_id: receipt for receipt in receipts}
    shown = {
        record.row["id"]: {
            "id": record.row["id"],
            "tenant": each.tenant,
            "receipt": receipt.number,
            "erased_at": receipt.erased_at,
            "fields": list(receipt.fields),
            "was_erased_before": record.status == "erased",
        }
        for each in found
        for record in (each.record, *each.record.merged)
        if (receipt := record.receipt or new.get(record.row["id"]))
    }
    result = {
        "erased": list(shown.values()),
        "related": [_related_json(tenant, each) for tenant, each in related.named],
        "related_not_named": related.more,
        "gaps": list(related.gaps),
    }
    print_result([_describe_erased(each) for each in shown.values()], result, as_json)


def _describe_erased(each: dict[str, Any]) -> str:
    when = f"{local_time(each['erased_at'])}, receipt {each['receipt']}"
    if each["was_erased_before"]:
        return f"{each['id']} of {each['tenant']} was already erased, {when}."
    return f"Erased {each['id']} of {each['tenant']}, {when}."


def _related_json(tenant: str, each: "RelatedRecord") -> dict[str, Any]:
    merged = [merged.id for merged in each.merged]
    record = {"id": each.record.id, "tenant": tenant, "name": each.record.name, "status": each.record.status}
    return {**record, "shared": list(each.shared), "merged": merged}
