"""`contacts-mcp directory keys`: who may use the service."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contacts_mcp.cli.directory._place import At, place_of, work_on
from contacts_mcp.settings import load_settings

if TYPE_CHECKING:
    from contacts_mcp.directory.store import ApiKey

keys_cli = typer.Typer(help="Make, list and revoke the keys of the service.", no_args_is_help=True)


class Scope(StrEnum):
    """What a key may be for."""

    READ = "read"
    WRITE = "write"


Name = Annotated[str, typer.Argument(help="What the key is for, such as the program that will use it.")]
Prefix = Annotated[str, typer.Argument(help="The eight characters by which `keys list` names it.")]
Tenant = Annotated[str, typer.Option(help="Whose contacts it opens; a new name makes a new tenant.")]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option("--scope", help="What it may do: read, write, or given twice for both, which is the default."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@keys_cli.command()
def create(
    name: Name, tenant: Tenant = "owner", scopes: Scopes = None, as_json: AsJson = False, directory: At = None
) -> None:
    """Make a key and write it to standard output. It is shown this once, and kept nowhere."""
    place = place_of(directory, load_settings())
    text, key = work_on(place, lambda opened: opened.create_key(name, tenant, scopes or list(Scope)))
    if as_json:
        typer.echo(json.dumps({"key": text, **_shown(key)}))
        return
    typer.echo(text)
    told = f"Key {key.prefix} opens the contacts of {tenant} to {' and '.join(key.scopes)}; it is not shown again."
    typer.echo(told, err=True)


@keys_cli.command("list")
def list_keys(as_json: AsJson = False, directory: At = None) -> None:
    """List every key there is or was; none can be shown again."""
    keys = work_on(place_of(directory, load_settings()), lambda opened: opened.keys())
    if as_json:
        typer.echo(json.dumps([_shown(key) for key in keys]))
        return
    for key in keys:
        state = f"revoked {key.revoked_at}" if key.revoked_at else "works"
        scopes = ",".join(key.scopes)
        typer.echo(f"{key.prefix}  {scopes:<10}  {key.created_at}  {state}  {key.tenant_name}: {key.name}")


@keys_cli.command()
def revoke(
    prefix: Prefix,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    directory: At = None,
) -> None:
    """Have a key work no more, for good: within five seconds, wherever the service runs."""
    place = place_of(directory, load_settings())
    if not yes:
        typer.confirm(f"Revoke the key {prefix}? Whoever uses it is turned away from then on", abort=True, err=True)
    key = work_on(place, lambda opened: opened.revoke_key(prefix))
    typer.echo(f"Key {key.prefix} ({key.name}) of {key.tenant_name} works no more.")


def _shown(key: "ApiKey") -> dict[str, Any]:
    """What may be shown of a key."""
    return {
        "prefix": key.prefix,
        "name": key.name,
        "tenant": key.tenant_name,
        "scopes": list(key.scopes),
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }
