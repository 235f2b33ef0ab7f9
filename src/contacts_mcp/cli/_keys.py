"""`contacts-mcp directory keys`: create, list and revoke the API keys of the directory service."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contacts_mcp.cli._command_line import CommandLine
from contacts_mcp.cli._location import DirectoryOption, locate, run_on
from contacts_mcp.cli._options import AsJson, Yes, confirm
from contacts_mcp.cli._output import format_table, print_json, print_line, print_list, print_result
from contacts_mcp.directory import KEY_CACHE_SECONDS, Location
from contacts_mcp.wording import local_time, nearest, unknown_name

if TYPE_CHECKING:
    from contacts_mcp.directory import ApiKey

keys_cli = CommandLine(help="Create, list and revoke the API keys of the service.")


class Scope(StrEnum):
    """What a key allows."""

    READ = "read"
    WRITE = "write"
    APPROVE = "approve"


KeyName = Annotated[str, typer.Argument(help="What the key is for, such as the program that will use it.")]
KeyPrefix = Annotated[
    str, typer.Argument(help="The first characters of the key's eight, as `keys list` shows them, or the whole key.")
]
TenantOption = Annotated[
    str, typer.Option(help="The tenant whose contacts the key gives access to. A new one is created after a question.")
]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option(
        "--scope",
        help="What the key allows: read, write, or approve (decide on the calls of others). Repeat it for several."
        " Default: read and write.",
    ),
]
_MAX_SHOWN_CHARACTERS = 16
_COLUMNS = ("PREFIX", "SCOPES", "CREATED", "LAST USED", "STATE", "TENANT", "NAME", "CALLER IN AUDIT TRAILS")


@keys_cli.command("create")
def create_key(
    name: KeyName,
    tenant: TenantOption = "owner",
    scopes: Scopes = None,
    yes: Yes = False,
    as_json: AsJson = False,
    directory: DirectoryOption = None,
) -> None:
    """Create a key and write it to standard output.

    It is not stored, so it cannot be shown again.
    """
    from contacts_mcp.directory import Directory

    location, allowed = locate(directory), scopes or [Scope.READ, Scope.WRITE]
    Directory.check_key(name, tenant, allowed)
    _confirm_tenant(location, tenant, yes)
    text, key = run_on(location, lambda opened: opened.create_key(name, tenant, allowed))
    if as_json:
        print_json({"key": text, **_describe(key)})
        return
    print_line(text)
    rights = " and ".join(scope for scope in key.scopes if scope != Scope.APPROVE)
    line = f"Key {key.prefix} can {rights} the contacts of {tenant}"
    if Scope.APPROVE in key.scopes:
        line += ", and decide on the calls of others; give it to a person, and to no assistant"
    print_line(f"{line}. It is not shown again.", err=True)


@keys_cli.command("list")
def list_keys(as_json: AsJson = False, directory: DirectoryOption = None) -> None:
    """List all keys by prefix, revoked ones included.

    It shows when each was created and last used, to the minute or so.
    """
    keys = run_on(locate(directory), lambda opened: opened.list_keys())
    lines = format_table(_COLUMNS, [_to_row(key) for key in keys]) if keys else ["There are no keys."]
    print_list(lines, [_describe(key) for key in keys], as_json)


@keys_cli.command(
    "revoke", help=f"Revoke a key permanently. Every service refuses it within {KEY_CACHE_SECONDS} seconds."
)
def revoke_key(prefix: KeyPrefix, yes: Yes = False, as_json: AsJson = False, directory: DirectoryOption = None) -> None:
    location = locate(directory)
    key = _find_key(location, prefix)
    if key.revoked_at is not None:
        line = f"The key {_name(key)} was already revoked, {local_time(key.revoked_at)}."
        print_result([line], _describe(key), as_json)
        return
    question = f"Revoke the key {_name(key)}, {_last_use(key)}? Programs that use it will be refused"
    confirm(question, yes)
    revoked = run_on(location, lambda opened: opened.revoke_key(key.prefix))
    print_result([f"Revoked the key {_name(revoked)}, {_last_use(revoked)}."], _describe(revoked), as_json)


def _confirm_tenant(location: Location, tenant: str, yes: bool) -> None:
    """Ask before a tenant is created: a misspelled name would give a key to an empty directory."""
    known = run_on(location, lambda opened: opened.list_tenants())
    if tenant not in known:
        near = nearest(tenant, known)
        hint = f' There is "{near}".' if near else ""
        confirm(f'There is no tenant "{tenant}" yet.{hint} Create it?', yes)


def _find_key(location: Location, prefix: str) -> "ApiKey":
    """Return the key that begins with `prefix`. Raises ValueError if there is none, or several."""
    found = run_on(location, lambda opened: opened.find_keys(prefix))
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f'several keys begin with "{prefix}": {"; ".join(map(_name, found))}; give more of it')
    if len(prefix) > _MAX_SHOWN_CHARACTERS:  # perhaps a secret, so it is not repeated
        raise ValueError("this is not a key of this directory; `contacts-mcp directory keys list` lists them")
    keys = run_on(location, lambda opened: opened.list_keys())
    raise ValueError(unknown_name("key", prefix, [key.prefix for key in keys]))


def _name(key: "ApiKey") -> str:
    return f"{key.prefix} ({key.name}) of {key.tenant_name}"


def _last_use(key: "ApiKey") -> str:
    return f"last used {local_time(key.last_used_at)}" if key.last_used_at else "never used"


def _to_row(key: "ApiKey") -> tuple[str, ...]:
    used = local_time(key.last_used_at) if key.last_used_at else "never"
    state = f"revoked {local_time(key.revoked_at)}" if key.revoked_at else "works"
    created = local_time(key.created_at)
    return (key.prefix, ",".join(key.scopes), created, used, state, key.tenant_name, key.name, key.caller)


def _describe(key: "ApiKey") -> dict[str, Any]:
    """Return the fields of a key that may be shown."""
    return {
        "prefix": key.prefix,
        "name": key.name,
        "tenant": key.tenant_name,
        "scopes": list(key.scopes),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "caller": key.caller,
    }
