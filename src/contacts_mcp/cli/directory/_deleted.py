"""`contacts-mcp directory deleted`, `restore` and `purge`: contacts after their deletion."""

from typing import Annotated

import typer

from contacts_mcp.cli._moments import parse_age
from contacts_mcp.cli._progress import AsJson, Yes, agree, say
from contacts_mcp.cli.directory._place import At, place_of, run_on
from contacts_mcp.settings import load_settings


def deleted(
    tenant: Annotated[str | None, typer.Option(help="Of this tenant alone.")] = None,
    directory: At = None,
    as_json: AsJson = False,
) -> None:
    """List contacts that were deleted and can be restored, the latest first."""
    from contacts_mcp.directory.maintenance import list_deleted

    rows = run_on(place_of(directory, load_settings()), lambda database: database.read(list_deleted, tenant))
    lines = [f"{row['id']}  {row['deleted_at']}  {row['tenant']}: {row['name']}" for row in rows]
    say("\n".join(lines) or "Nobody was deleted.", [dict(row) for row in rows], as_json)


def restore(
    contact_id: Annotated[str, typer.Argument(help="The id of a deleted contact, as `deleted` lists it.")],
    directory: At = None,
    as_json: AsJson = False,
) -> None:
    """Bring a deleted contact back, but for its groups. An erased one cannot be: nothing of it is left."""
    from contacts_mcp.directory.maintenance import ContactErased, restore_contact

    place = place_of(directory, load_settings())
    try:
        row = run_on(place, lambda database: database.write(restore_contact, contact_id.lower()))
    except ContactErased:
        raise ValueError(f"the contact {contact_id} was erased; nothing of it is left that could be restored") from None
    say(f"Restored {row['id']}: {row['name']}.", {"id": row["id"]}, as_json)


def purge(
    older_than: Annotated[str, typer.Option(help="How long ago contacts were deleted, such as 30d, 12h or 4w.")],
    directory: At = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase for good the contacts that were deleted long enough ago, each with a receipt."""
    from contacts_mcp.directory.maintenance import list_deleted, moment_before
    from contacts_mcp.directory.maintenance import purge as erase

    before = moment_before(parse_age(older_than, "--older-than"))
    place = place_of(directory, load_settings())
    there = len(run_on(place, lambda database: database.read(list_deleted, None, before)))
    if there:
        agree(f"Erase {there:,} contacts that were deleted more than {older_than} ago? This cannot be undone.", yes)
    reason = f"Purged: deleted more than {older_than} ago"
    gone = run_on(place, lambda database: database.erase(erase, before, reason)) if there else 0
    say(f"Erased {gone:,} contacts.", {"erased": gone}, as_json)
