"""`contacts-mcp directory migrate`, `backup`, `restore-backup`, `check`, `stats`, `receipts` and `import-sample`."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from contacts_mcp.cli._progress import AsJson, Yes, agree, progress, say
from contacts_mcp.cli.directory._place import At, place_of, run_on, within
from contacts_mcp.settings import load_settings

_TOGETHER = 2_000


def migrate(directory: At = None, as_json: AsJson = False) -> None:
    """Bring an older directory to the present schema, whole or not at all; a present one is left as it is."""
    from contacts_mcp.directory.maintenance import migrate as run

    place = place_of(directory, load_settings())
    with progress("contacts indexed") as report:
        before, now = within(lambda: run(place, report))
    text = f"Migrated from schema {before} to {now}." if before != now else f"Schema {now} is the present one."
    say(text, {"from": before, "to": now}, as_json)


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write, which must not be there yet.")],
    directory: At = None,
    as_json: AsJson = False,
) -> None:
    """Write a consistent copy while the directory is in use: a SQLite file, of a PostgreSQL directory as well.

    It holds what the directory holds, so keep it as safe, and no longer than erased contacts may be kept elsewhere.
    """
    from contacts_mcp.directory.maintenance import back_up

    place = place_of(directory, load_settings())
    with progress("copied") as report:
        size = within(lambda: back_up(place, target, lambda _, done: report(done)))
    say(f"{target}: {size:,} bytes.", {"file": str(target), "bytes": size}, as_json)


def restore_backup(
    source: Annotated[Path, typer.Argument(help="A file that `backup` wrote, of a directory on either engine.")],
    directory: At = None,
    journal: Annotated[
        list[Path] | None,
        typer.Option(
            help="A journal of erasures (`….receipts`, or what `receipts --json` wrote) to be heeded as well."
        ),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in place of what is in the directory, all at once.

    Contacts that were erased since the backup are erased in it before anybody sees it, and keys that were revoked
    since stay revoked.
    """
    from contacts_mcp.directory.maintenance import restore

    place = place_of(directory, load_settings())
    agree(f"Replace everything in {place} by what is in {source}?", yes)
    with progress("copied") as report:
        done = within(lambda: restore(place, source, journal or (), lambda _, done: report(done)))
    say(
        f"Restored {done.contacts:,} contacts; {done.erased_again:,} erased since the backup were erased again,"
        f" {done.keys_revoked_again:,} keys revoked again.",
        {"contacts": done.contacts, "erased_again": done.erased_again, "keys_revoked_again": done.keys_revoked_again},
        as_json,
    )


def check(directory: At = None, as_json: AsJson = False) -> None:
    """Look whether everything in the directory is true: integrity, counts, orphans, index, receipts. 1 where not."""
    from contacts_mcp.directory.maintenance import check as look

    faults = run_on(place_of(directory, load_settings()), lambda database: database.read(look))
    say("\n".join(faults) or "All is well.", {"faults": faults}, as_json)
    raise typer.Exit(1 if faults else 0)


def stats(directory: At = None, as_json: AsJson = False) -> None:
    """Say what there is: contacts, deleted and erased ones, groups, keys and receipts, by tenant."""
    from contacts_mcp.directory.maintenance import count_records as count

    place = place_of(directory, load_settings())
    found: dict[str, Any] = run_on(place, lambda database: database.read(count))
    say("\n".join(_lines(found)), {"directory": str(place), **found}, as_json)


def receipts(
    directory: At = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Look whether the chain is whole. 1 where it is not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the receipts of erasures, or verify that none was changed, left out or put in later."""
    from contacts_mcp.directory import store

    place = place_of(directory, load_settings())
    rows = run_on(place, lambda database: database.read(lambda connection: list(store.read_receipts(connection))))
    if not verify:
        for row in rows:
            line = f"{row['seq']}  {row['erased_at']}  {row['contact_id']}  {row['actor']}: {row['reason']}"
            typer.echo(json.dumps(dict(row), ensure_ascii=False) if as_json else line)
        return
    length, last = run_on(place, lambda database: database.read(store.receipt_chain_end))
    faults = list(store.verify_receipts(rows, length, last))
    whole = f"{length:,} receipts, each following the one before; the last is {last or 'not there yet'}."
    say("\n".join(faults) or whole, {"receipts": length, "last": last, "faults": faults}, as_json)
    raise typer.Exit(1 if faults else 0)


def import_sample(
    number: Annotated[int, typer.Argument(min=1, max=10_000_000, help="How many contacts to make up.")],
    seed: Annotated[int, typer.Option(help="Other numbers make up other contacts.")] = 1,
    directory: At = None,
    as_json: AsJson = False,
) -> None:
    """Fill the directory with made-up contacts, to try it out. A number may be somebody's: write to none of them."""
    from contacts_mcp.directory.database import OWNER, Database
    from contacts_mcp.directory.maintenance import sample_contacts
    from contacts_mcp.directory.store import create_contacts

    async def fill(database: Database) -> None:
        made, done = sample_contacts(number, seed), 0
        while some := list(islice(made, _TOGETHER)):
            await database.write(create_contacts, OWNER, some)
            done += len(some)
            report(done)

    with progress("contacts made", number) as report:
        run_on(place_of(directory, load_settings()), fill)
    say(f"{number:,} made-up contacts are in it.", {"contacts": number}, as_json)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"schema {found['schema']}, {found['memberships']:,} memberships, {found['receipts']:,} receipts"
    for each in found["tenants"]:
        yield (
            f"{each['tenant']}: {each['contacts']:,} contacts, {each['deleted']:,} deleted, {each['erased']:,} erased,"
            f" {each['groups']:,} groups, {each['keys']:,} keys"
        )
