"""`contacts-mcp directory`: serve a directory to other programs, and maintain it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from contacts_mcp.cli._command_line import CommandLine
from contacts_mcp.cli._contacts import CONTACT_COMMANDS
from contacts_mcp.cli._erase import erase
from contacts_mcp.cli._location import DirectoryOption, advise, locate, report_new, run_on
from contacts_mcp.cli._options import AsJson, Yes, clean_option, confirm, serve_app, show_progress
from contacts_mcp.cli._output import print_line, print_list, print_result
from contacts_mcp.directory import DEFAULT_RATE_LIMIT, NO_DIRECTORY, Location
from contacts_mcp.settings import load_settings
from contacts_mcp.wording import count, local_time

directory_cli = CommandLine(help="Serve a directory to other programs, and maintain it.")


@directory_cli.command()
def serve(
    directory: DirectoryOption = None,
    host: Annotated[str, typer.Option(callback=clean_option, help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 is any free port.", min=0, max=65_535)] = 8080,
    rate: Annotated[int, typer.Option(help="Requests per key and minute; 0 is unlimited.", min=0)] = DEFAULT_RATE_LIMIT,
) -> None:
    """Serve the Contacts API over HTTP, to callers with keys.

    It ends on SIGTERM or SIGINT.
    """
    from contacts_mcp.app import configure_logging, forbid_core_dumps
    from contacts_mcp.directory import Directory

    forbid_core_dumps()
    settings = load_settings()
    location = locate(directory)
    keys = sum(key.revoked_at is None for key in run_on(location, lambda opened: opened.list_keys(), create=True))
    if not keys:
        raise ValueError(
            f"the directory at {location} has no API key; create one with {advise('keys create NAME', location)}"
        )
    configure_logging(settings, default="json")
    undo_secrets = [key.get_secret_value() for key in settings.state_keys]
    served = Directory(location, keys=True, rate=rate, undo_secrets=undo_secrets)
    serve_app(served.app, f"Contacts API for {count(keys, 'key')}", host, port, "", served.reload_keys)


@directory_cli.command()
def stats(directory: DirectoryOption = None, as_json: AsJson = False) -> None:
    """Count contacts, groups and keys of each tenant.

    Live, deleted and erased contacts are counted apart. Memberships and receipts are those of all tenants.
    """
    location = locate(directory)
    counts: Mapping[str, Any] = run_on(location, lambda opened: opened.maintenance.count_records())
    totals = (count(counts["memberships"], "membership"), count(counts["receipts"], "receipt"))
    lines = [f"schema {counts['schema']}, {', '.join(totals)}"]
    lines += [
        f"{each['tenant']}: {count(each['contacts'], 'contact')}, {each['deleted']:,} deleted,"
        f" {each['erased']:,} erased, {count(each['groups'], 'group')}, {count(each['keys'], 'key')}"
        for each in counts["tenants"]
    ]
    print_result(lines, {"directory": str(location), **counts}, as_json)


@directory_cli.command()
def check(directory: DirectoryOption = None, as_json: AsJson = False) -> None:
    """Check integrity, counts, search index and receipts.

    It also finds orphans. The exit code is 1 if anything is wrong.
    """
    with show_progress("checked", 100) as report:
        faults = run_on(locate(directory), lambda opened: opened.maintenance.check(report))
    print_result(faults or ["No faults found."], {"faults": faults}, as_json)
    raise typer.Exit(1 if faults else 0)


@directory_cli.command()
def receipts(
    directory: DirectoryOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify the hash chain. The exit code is 1 if it is broken.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the receipts of erasures, or verify their chain.

    A chain is broken if a receipt was changed, removed or inserted.
    """
    location = locate(directory)
    if not verify:
        rows = run_on(location, lambda opened: opened.maintenance.list_receipts())
        lines = [
            f"{row['seq']}  {local_time(row['erased_at'])}  {row['contact_id']}  {row['actor']}: {row['reason']}"
            for row in rows
        ]
        print_list(lines or ["There are no receipts."], [dict(row) for row in rows], as_json)
        return
    number, last, faults = run_on(location, lambda opened: opened.maintenance.verify_receipts())
    intact = f"The chain of {count(number, 'receipt')} is unbroken; the last hash is {last or '(none)'}."
    print_result(faults or [intact], {"receipts": number, "last": last, "faults": faults}, as_json)
    raise typer.Exit(1 if faults else 0)


for _name, _command in (*CONTACT_COMMANDS, ("erase", erase)):
    directory_cli.command(_name)(_command)


@directory_cli.command()
def backup(
    target: Annotated[Path, typer.Argument(callback=clean_option, help="The file to write, which must not exist yet.")],
    directory: DirectoryOption = None,
    as_json: AsJson = False,
) -> None:
    """Write a consistent copy to a SQLite file.

    The directory, SQLite or PostgreSQL, may be in use. The copy contains every contact: keep it as safe as the
    directory, and no longer than erased contacts may be kept.
    """
    with show_progress("copied") as report:
        size = run_on(locate(directory), lambda opened: opened.maintenance.back_up(target, report))
    print_result([f"{target}: {count(size, 'byte')}."], {"file": str(target), "bytes": size}, as_json)


@directory_cli.command()
def restore_backup(
    source: Annotated[
        Path, typer.Argument(callback=clean_option, help="A file that `backup` wrote, of a directory on either engine.")
    ],
    directory: DirectoryOption = None,
    journal: Annotated[
        list[Path] | None,
        typer.Option(
            callback=clean_option,
            help="A further record of erasures to repeat: a file `….receipts`, or the output of `receipts --json`.",
        ),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Replace everything in the directory with a backup.

    This is one transaction. Contacts that were erased since the backup are erased from it before any caller can
    read them, and keys that were revoked since stay revoked.
    """
    location = locate(directory)
    if not yes:
        _show_both_sides(location, source)
    confirm(f"Replace everything in {location} with the contents of {source}?", yes)
    with show_progress("copied") as report:
        result = run_on(
            location, lambda opened: opened.maintenance.restore_backup(source, journal or (), report), create=True
        )
    if result.created:
        report_new(location)
    again = (
        f"erased {count(result.erased_again, 'contact')} and revoked {count(result.keys_revoked_again, 'key')} again"
    )
    print_result([f"Restored {count(result.contacts, 'contact')}; {again}."], asdict(result), as_json)


def _show_both_sides(location: Location, source: Path) -> None:
    """Print what a backup and the directory that it would replace hold, and which of them is newer."""
    backup = run_on(location, lambda opened: opened.maintenance.summarize_backup(source))
    print_line(f"The backup {source}: {_format_summary(backup)}", err=True)
    try:
        current = run_on(location, lambda opened: opened.maintenance.summarize())
    except ValueError as exc:
        if NO_DIRECTORY not in str(exc):
            raise
        print_line(f"The directory {location} does not exist yet.", err=True)
        return
    print_line(f"The directory {location}: {_format_summary(current)}", err=True)
    if (current.changed_at or "") > (backup.changed_at or ""):
        print_line("The directory was changed later than the backup: these changes will be lost.", err=True)


def _format_summary(found: Any) -> str:
    numbers = (
        count(found.contacts, "contact"),
        f"{found.deleted:,} deleted",
        count(found.groups, "group"),
        count(found.keys, "key"),
        count(found.receipts, "receipt"),
    )
    changed = local_time(found.changed_at) if found.changed_at else "never"
    return f"{', '.join(numbers)}; last changed {changed}"


@directory_cli.command()
def migrate(
    directory: DirectoryOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Migrate and undo it, to see that it works.")] = False,
    copy: Annotated[bool, typer.Option(help="Write a copy of the directory first.")] = True,
    as_json: AsJson = False,
) -> None:
    """Migrate an older directory to the current schema.

    This is one transaction. A missing directory is created. The copy is a backup in this user's folder, or beside
    the directory's file. It contains every contact.
    """
    location = locate(directory)
    with show_progress("contacts done") as report:
        done = run_on(location, lambda opened: opened.maintenance.migrate(report, copy=copy, dry_run=dry_run))
    if done.before is None and not dry_run:
        report_new(location)
    shown = {"from": done.before, "to": done.after, "contacts": done.contacts, "copy": done.copy and str(done.copy)}
    print_result(
        _describe_migration(done, location, dry_run), {"directory": str(location), "dry_run": dry_run, **shown}, as_json
    )


def _describe_migration(done: Any, location: Location, dry_run: bool) -> list[str]:
    """Return what a migration did to a directory, or would do, as lines for a person."""
    if done.before == done.after:
        return [f"Schema {done.after} of {location} is current."]
    if done.before is None:
        return [f"This would create a new directory at {location}." if dry_run else f"Schema {done.after} is current."]
    counted = f"{location} from schema {done.before} to {done.after}: {count(done.contacts, 'contact')}"
    if dry_run:
        return [f"This would migrate {counted}. Nothing was changed."]
    copy = [f"A copy of it as it was is in {done.copy}; delete it once you no longer need it."] if done.copy else []
    return [*copy, f"Migrated {counted}."]


@directory_cli.command()
def import_sample(
    number: Annotated[int, typer.Argument(min=1, max=10_000_000, help="How many contacts to make up.")],
    seed: Annotated[
        int, typer.Option(help="Number that selects the contacts to make up; another number gives other contacts.")
    ] = 1,
    directory: DirectoryOption = None,
    as_json: AsJson = False,
) -> None:
    """Add made-up contacts, to try the directory out.

    Their phone numbers may be real: do not write to them.
    """
    with show_progress("contacts created", number) as report:
        run_on(locate(directory), lambda opened: opened.maintenance.add_samples(number, seed, report), create=True)
    print_result([f"Added {count(number, 'made-up contact')}."], {"contacts": number}, as_json)
