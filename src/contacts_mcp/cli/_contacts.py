"""`contacts-mcp directory list`, `show`, `deleted`, `restore` and `purge`: the contacts of all tenants, live or not."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from contacts_mcp.cli._location import DirectoryOption, advise, locate, require_tenant, run_on
from contacts_mcp.cli._options import AsJson, Yes, confirm, parse_age
from contacts_mcp.cli._output import format_table, print_line, print_list, print_result
from contacts_mcp.directory import Location
from contacts_mcp.wording import count, local_time

if TYPE_CHECKING:
    from contacts_mcp.directory import TenantContact

    Status = Literal["live", "deleted", "erased"]

TenantFilter = Annotated[str | None, typer.Option("--tenant", help="Only contacts of this tenant.")]

_MAX_SHOWN = 20
"""Contacts that a question names."""
_COLUMNS = ("ID", "STATUS", "SINCE", "TENANT", "NAME", "COMPANY", "PHONE", "E-MAIL")
_VALUES = ("name", "company_name", "phone_number", "email")
_RECORD = (
    *("id", "tenant", "status", "type", *_VALUES),
    *("tags", "created_at", "updated_at", "deleted_at", "erased_at", "merged_into"),
)
_LABELS = {
    "tenant": "tenant",
    "type": "type",
    "company_name": "company",
    "phone_number": "phone",
    "email": "e-mail",
    "notes": "notes",
}
_TIMES = {"created_at": "created", "updated_at": "updated", "deleted_at": "deleted", "erased_at": "erased"}
_LABEL_WIDTH = max(map(len, (*_LABELS.values(), "merged into it"))) + 2


def list_contacts(
    tenant: TenantFilter = None,
    live: Annotated[bool, typer.Option("--live", help="List live contacts: the default.")] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="List deleted contacts, the last deleted first.")] = False,
    erased: Annotated[bool, typer.Option("--erased", help="List what is left of erased contacts.")] = False,
    search: Annotated[
        str | None, typer.Option(help="Only contacts that match these words or digits; not with --erased.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most contacts to list.")] = 100,
    directory: DirectoryOption = None,
    as_json: AsJson = False,
) -> None:
    """List contacts of all tenants, the newest first.

    Use --live, --deleted and --erased together to list several.
    """
    flags: tuple[tuple[Status, bool], ...] = (("live", live), ("deleted", deleted), ("erased", erased))
    statuses: list[Status] = [status for status, is_chosen in flags if is_chosen] or ["live"]
    words = (search or "").strip()
    if words and erased:
        raise ValueError("--search: an erased contact has no words to search; leave out --erased or --search")
    _list(directory, statuses, tenant, as_json, words, limit)


def list_deleted(tenant: TenantFilter = None, directory: DirectoryOption = None, as_json: AsJson = False) -> None:
    """List all deleted contacts, which can be restored.

    The last deleted is the first. It is `list --deleted` without a limit.
    """
    _list(directory, ["deleted"], tenant, as_json)


def _list(
    directory: str | None,
    statuses: "Sequence[Status]",
    tenant: str | None,
    as_json: bool,
    search: str = "",
    limit: int | None = None,
) -> None:
    location = locate(directory)
    if tenant is not None:
        require_tenant(location, tenant)
    limited = {} if limit is None else {"limit": limit}
    found = run_on(location, lambda opened: opened.maintenance.list_contacts(statuses, tenant, search, **limited))
    kind = " or ".join(statuses)
    matching = " that match" if search else ""
    lines = format_table(_COLUMNS, [_to_row(row) for row in found.rows])
    print_list(
        lines if found.rows else [f"There are no {kind} contacts{matching}."],
        [{name: row[name] for name in _RECORD} for row in found.rows],
        as_json,
    )
    if (more := found.total - len(found.rows)) > 0:
        print_line(f"{more:,} more of {count(found.total, 'contact')}; --limit lists more.", err=True)


def _to_row(row: Any) -> tuple[str, ...]:
    time = row["erased_at"] or row["deleted_at"] or row["created_at"]
    return (row["id"], row["status"], local_time(time), row["tenant"], *(row[name] or "" for name in _VALUES))


def show(
    contact_id: Annotated[str, typer.Argument(help="The id of a contact: live, deleted or erased.")],
    directory: DirectoryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a contact of any tenant, whatever its status.

    It shows its fields, groups, merged records and the receipt of its erasure.
    """
    (found,) = read_contacts(locate(directory), [contact_id])
    print_result(list(_describe(found)), _to_json(found), as_json)


def read_contacts(location: Location, contact_ids: Sequence[str]) -> "list[TenantContact]":
    """Read contacts, live or not. Raises ValueError, with the ids, if some never existed."""
    ids = list(dict.fromkeys(contact_id.strip().lower() for contact_id in contact_ids))
    found = run_on(location, lambda opened: opened.maintenance.read_contacts(ids))
    known = {each.record.row["id"] for each in found}
    if unknown := [each for each in ids if each not in known]:
        raise ValueError(
            f"there is no contact with the id {', '.join(unknown)}; {advise('list --search NAME', location)} finds ids"
        )
    return found


def _describe(found: "TenantContact") -> Iterator[str]:
    """Return a contact as lines for a person."""
    record = found.record
    row = record.row
    yield f"{row['name'] or 'Contact'} ({record.status})"
    yield _field("id", row["id"])
    shown = {**row, "tenant": found.tenant}
    yield from (_field(label, shown[name]) for name, label in _LABELS.items() if shown[name])
    if row["tags"]:
        yield _field("tags", ", ".join(row["tags"]))
    yield from (_field("group", f"{each['name']} ({each['id']})") for each in found.groups)
    yield from (_field(label, local_time(row[name])) for name, label in _TIMES.items() if row[name])
    if found.kept:
        yield _field("merged into", _name(found.kept))
    yield from (_field("merged into it", _name(each)) for each in record.merged)
    if receipt := record.receipt:
        yield _field("receipt", f"{receipt.number}, by {receipt.actor}: {receipt.reason}")
        yield _field("erased fields", ", ".join(receipt.fields) or "none")


def _field(label: str, value: str) -> str:
    return f"  {label.ljust(_LABEL_WIDTH)}{value}"


def _name(record: Any) -> str:
    named = f": {record.row['name']}" if record.row["name"] else ""
    return f"{record.row['id']}{named} ({record.status})"


def _to_json(found: "TenantContact") -> dict[str, Any]:
    merged = [_record_json(each, found.tenant) for each in found.record.merged]
    groups = [{"id": each["id"], "name": each["name"]} for each in found.groups]
    notes = found.record.row["notes"]
    return {**_record_json(found.record, found.tenant), "notes": notes, "groups": groups, "merged": merged}


def _record_json(record: Any, tenant: str) -> dict[str, Any]:
    row = {**record.row, "tenant": tenant, "status": record.status}
    names = ("number", "erased_at", "actor", "reason", "fields")
    receipt = record.receipt and {name: getattr(record.receipt, name) for name in names}
    return {**{name: row[name] for name in _RECORD}, "receipt": receipt}


def restore(
    contact_id: Annotated[str, typer.Argument(help="The id of a deleted contact, as `deleted` lists it.")],
    directory: DirectoryOption = None,
    as_json: AsJson = False,
) -> None:
    """Restore a deleted or merged contact.

    Its group memberships are not restored, and an erased contact cannot be.
    """
    row = run_on(locate(directory), lambda opened: opened.maintenance.restore_contact(contact_id.lower()))
    kept = row["was_merged_into"]
    note = f" It is no longer linked to {kept}, which keeps what was merged into it." if kept else ""
    print_result([f"Restored {row['id']}: {row['name']}.{note}"], {"id": row["id"], "was_merged_into": kept}, as_json)


def purge(
    older_than: Annotated[str, typer.Option(help="Minimum age of the deletion, such as 30d, 12h or 4w.")],
    tenant: TenantFilter = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the contacts that would be erased.")] = False,
    directory: DirectoryOption = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase contacts permanently that were deleted long ago.

    They were deleted longer ago than --older-than. Each erasure leaves a receipt.
    """
    before = datetime.now(UTC) - parse_age(older_than, "--older-than")
    location = locate(directory)
    if tenant is not None:
        require_tenant(location, tenant)
    rows = run_on(location, lambda opened: opened.maintenance.list_deleted(tenant, before=before))
    if dry_run:
        lines = [*map(_format_deleted, rows), f"{count(len(rows), 'contact')} would be erased. Nothing was changed."]
        print_list(lines, [{name: row[name] for name in _RECORD} for row in rows], as_json)
        return
    number = len(rows)
    if rows:
        _confirm_purge(rows, older_than, yes)
        reason = f"Purged: deleted more than {older_than} ago"
        number = run_on(location, lambda opened: opened.maintenance.purge(before, reason, tenant))
    print_result([f"Erased {count(number, 'contact')}."], {"erased": number}, as_json)


def _confirm_purge(rows: Sequence[Any], older_than: str, yes: bool) -> None:
    """Ask before contacts are erased, with the names of the first."""
    if not yes:
        for row in rows[:_MAX_SHOWN]:
            print_line(_format_deleted(row), err=True)
        if (more := len(rows) - _MAX_SHOWN) > 0:
            print_line(f"and {more:,} more, which --dry-run lists", err=True)
    number = count(len(rows), "contact")
    verb = "was" if len(rows) == 1 else "were"
    confirm(f"Erase {number} that {verb} deleted more than {older_than} ago? This cannot be undone.", yes)


def _format_deleted(row: Any) -> str:
    return f"{row['id']}  {local_time(row['deleted_at'])}  {row['tenant']}: {row['name']}"


CONTACT_COMMANDS = (
    ("list", list_contacts),
    ("show", show),
    ("deleted", list_deleted),
    ("restore", restore),
    ("purge", purge),
)
"""The commands, in the order of the help."""
