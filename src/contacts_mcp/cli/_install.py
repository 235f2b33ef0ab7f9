"""`contacts-mcp install` and `uninstall`: put the server into the files of hosts, or remove it."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from getpass import getpass
from pathlib import Path

import typer

from contacts_mcp.cli._options import confirm, interruptible
from contacts_mcp.cli._output import format_table, one_line, print_json, print_line
from contacts_mcp.client import Credential
from contacts_mcp.config_file import DEFAULT_PROFILE, default_config_path, require_profile_name
from contacts_mcp.directory import default_path
from contacts_mcp.install import (
    INSTALL_HOSTS,
    Backups,
    Change,
    ForeignEntry,
    InvalidHostFile,
    Launch,
    Places,
    ProfileStore,
    entry_name,
    find_launch,
    is_installed,
    plan_install,
    plan_uninstall,
    put_entry,
    read_host_entries,
    read_launch,
    running_command,
    starts_this_server,
)
from contacts_mcp.setting_values import is_not_set, is_placeholder_key, strip_key_noise, strip_noise
from contacts_mcp.settings import load_settings
from contacts_mcp.wording import unknown_name

_KEYS = ("WAYSCLOUD_API_KEY", "WAYSCLOUD_TOKEN")
_DIRECTORY, _FILES, _REGION = "CONTACTS_MCP_DIRECTORY", "CONTACTS_MCP_FILES", "CONTACTS_MCP_DEFAULT_REGION"
_PROFILE, _CONFIG = "CONTACTS_MCP_PROFILE", "CONTACTS_MCP_CONFIG"
_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
"""What the server needs to open a page in a browser on Linux. Hosts with a short list of variables leave it out."""


@dataclass(frozen=True)
class Wishes:
    """What a person asked for with flags; None or empty if they did not say."""

    profile: str = DEFAULT_PROFILE
    key: str | None = None
    directory: str | None = None
    files: Path | None = None
    region: str | None = None
    yes: bool = False
    force: bool = False

    def to_environment(self) -> dict[str, str]:
        """Return the settings that flags give."""
        given = {
            _DIRECTORY: None if self.directory is None else _absolute(self.directory),
            _FILES: None if self.files is None else _absolute(str(self.files)),
            _REGION: self.region and self.region.upper(),
        }
        return {name: value for name, value in given.items() if value}


@dataclass
class _Setup:
    """Places and stores of the user."""

    wishes: Wishes
    places: Places = field(default_factory=lambda: Places(Path.home()))
    backups: Backups = field(default_factory=lambda: Backups(default_path().with_name("installed")))

    @property
    def name(self) -> str:
        return entry_name(self.wishes.profile, DEFAULT_PROFILE)

    @property
    def profiles(self) -> ProfileStore:
        given = os.environ.get(_CONFIG)
        return ProfileStore(Path(_absolute(given)) if given and not is_not_set(given) else default_config_path())


def read_key_option(given: str | None) -> str | None:
    """Return the key of `--key`, which is read from standard input for `-`; None if it is not set."""
    text = sys.stdin.readline() if given == "-" and sys.stdin else given
    return None if text is None or is_not_set(text) else strip_key_noise(text)


def list_hosts(profile: str, *, as_json: bool) -> int:
    """Print each host, whether this user has it, whether the server is installed there, and its file."""
    setup = _Setup(Wishes(require_profile_name(profile)))
    rows = [
        {"host": name, "title": host.title, "state": _state(setup, name), "file": str(host.locate(setup.places))}
        for name, host in INSTALL_HOSTS.items()
    ]
    if as_json:
        print_json(rows)
        return 0
    for line in format_table(["HOST", "STATE", "FILE"], [[row["host"], row["state"], row["file"]] for row in rows]):
        print_line(line)
    return 0


def _state(setup: _Setup, name: str) -> str:
    host = INSTALL_HOSTS[name]
    try:
        entry = read_host_entries(host, setup.places).get(setup.name)
    except (InvalidHostFile, OSError):
        return "its file cannot be read"
    if entry is not None:
        return "installed" if starts_this_server(read_launch(entry)) else "has another program of this name"
    return "not installed" if is_installed(host, setup.places) else "host not found"


def run_install(hosts: Sequence[str], wishes: Wishes) -> int:
    """Install the server in hosts, by default in all that this user has; return 1 if one of them failed."""
    setup = _Setup(wishes)
    _check_wishes(setup)
    names = _known(hosts) or _found_hosts(setup)
    old = _old_launches(setup, names)
    key = wishes.key or _key_of(old.values())
    defaults = wishes.to_environment()
    if any(launch is None for launch in old.values()):
        key, defaults = _ask_for_missing(setup, key, defaults)
    changes = _plan_all(setup, names, old, key, defaults)
    wanted = _show([each for each in changes.values() if each and not each.is_empty])
    if wanted and not wishes.yes:
        confirm("Write this?", yes=False)
    if key:
        print_line(f"The key is stored in {setup.profiles.store(wishes.profile, key)}.")
    elif wanted:
        setup.profiles.ensure(wishes.profile)
    return _apply_all(setup, changes, is_there=True)


def print_entry(hosts: Sequence[str], wishes: Wishes) -> int:
    """Print the entry for a host, or for any other one, and write no host's file."""
    setup = _Setup(wishes)
    _check_wishes(setup)
    if wishes.key:
        print_line(f"The key is stored in {setup.profiles.store(wishes.profile, wishes.key)}.", err=True)
    else:
        setup.profiles.ensure(wishes.profile)
    for name in _known(hosts) or ("cursor",):  # most hosts write an entry as Cursor does
        host = INSTALL_HOSTS[name]
        launch = _launch(setup, name, {}, wishes.key, wishes.to_environment())
        text = put_entry(host.file_format, "", host.section, setup.name, host.shape(setup.name, launch))
        if hosts:
            print_line(f"{host.title}: {host.locate(setup.places)}", err=True)
        typer.echo(text.rstrip())
    return 0


def run_uninstall(hosts: Sequence[str], wishes: Wishes, *, forget_key: bool) -> int:
    """Remove the server from hosts; return 1 if one of them failed."""
    setup = _Setup(wishes)
    require_profile_name(wishes.profile)
    changes = {
        name: _plan(partial(plan_uninstall, name, setup.places, setup.name, setup.backups, replace=wishes.force))
        for name in _known(hosts)
    }
    wanted = _show([each for each in changes.values() if each and not each.is_empty])
    if wanted and not wishes.yes:
        confirm("Write this?", yes=False)
    code = _apply_all(setup, changes, is_there=False)
    if forget_key:
        print_line("The key was deleted." if setup.profiles.forget(wishes.profile) else "No key was stored.")
    elif wanted and setup.profiles.has_key(wishes.profile):
        print_line("The key of this profile is kept; `contacts-mcp uninstall HOST --forget-key` deletes it.")
    return code


def _check_wishes(setup: _Setup) -> None:
    """Raise ValueError for a setting that the server would refuse."""
    wishes = setup.wishes
    require_profile_name(wishes.profile)
    if wishes.key and wishes.directory:
        raise ValueError("--key is for the WAYSCloud platform, and --directory for a directory; leave one of them out")
    if wishes.key:
        Credential.key(wishes.key, "--key")
    _require_valid(wishes.to_environment())


def _require_valid(settings: Mapping[str, str]) -> None:
    """Raise ValueError if the server would not start with these settings."""
    flags = {"directory": _DIRECTORY, "files": _FILES, "default_region": _REGION}
    load_settings(**{name: settings.get(variable) for name, variable in flags.items()}, profile=DEFAULT_PROFILE)
    if _FILES in settings and not Path(settings[_FILES]).is_dir():
        raise ValueError(f"--files: {settings[_FILES]} is not a folder; create it first")


def _known(hosts: Sequence[str]) -> list[str]:
    """Return each name once. Raises ValueError for one that is not a host's."""
    for name in hosts:
        if name not in INSTALL_HOSTS:
            raise ValueError(unknown_name("host", name, INSTALL_HOSTS))
    return list(dict.fromkeys(hosts))


def _found_hosts(setup: _Setup) -> list[str]:
    names = [name for name, host in INSTALL_HOSTS.items() if is_installed(host, setup.places)]
    if not names:
        raise ValueError(f"no host was found here; name one of {', '.join(INSTALL_HOSTS)}, or use --print")
    return names


def _old_launches(setup: _Setup, names: Sequence[str]) -> dict[str, Launch | None]:
    """Return how each host starts this server now; a file that cannot be read is reported when it is planned."""
    old: dict[str, Launch | None] = {}
    for name in names:
        try:
            old[name] = find_launch(INSTALL_HOSTS[name], setup.places, setup.name)
        except (InvalidHostFile, OSError):
            old[name] = Launch("", (), {})
    return old


def _key_of(launches: Iterable[Launch | None]) -> str | None:
    """Return the key that stands in hosts' files; it is moved out of them. Raises ValueError if there are several."""
    found = {
        strip_key_noise(launch.env[name])
        for launch in launches
        for name in _KEYS
        if launch and name in launch.env and _is_key(launch.env[name]) and _DIRECTORY not in launch.env
    }
    if len(found) > 1:
        raise ValueError("the hosts have different keys; name one host, and use --profile for the other account")
    return found.pop() if found else None


def _is_key(value: str) -> bool:
    return not is_not_set(value) and not is_placeholder_key(strip_key_noise(value))


def _ask_for_missing(setup: _Setup, key: str | None, given: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """Ask for what flags do not say, unless nothing is to be asked; return the key and the settings."""
    settings = dict(given)
    if setup.wishes.yes:
        return key, settings
    if not key and _DIRECTORY not in settings and not setup.profiles.has_key(setup.wishes.profile):
        key = (
            strip_key_noise(_ask("WAYSCloud key (Enter: an embedded directory on this computer): ", hidden=True))
            or None
        )
    if _FILES not in settings and (
        answer := strip_noise(_ask("Folder for files to import and export (Enter: none): "))
    ):
        settings[_FILES] = _absolute(answer)
    if _REGION not in settings and (
        answer := strip_noise(_ask("Region of phone numbers without country code, such as NO (Enter: none): "))
    ):
        settings[_REGION] = answer.upper()
    _require_valid(settings)
    if key:
        Credential.key(key, "the answer")
    return key, settings


def _ask(question: str, *, hidden: bool = False) -> str:
    """Ask at the terminal; abort if there is none."""
    if not (sys.stdin and sys.stdin.isatty()):
        print_line("Nothing was done. There is no terminal to ask at: --yes asks nothing.", err=True)
        raise typer.Abort
    try:
        with interruptible():
            if hidden:
                return getpass(one_line(question))
            typer.echo(one_line(question), nl=False, err=True)
            return sys.stdin.readline()
    except (KeyboardInterrupt, EOFError):
        raise typer.Abort from None


def _plan_all(
    setup: _Setup, names: Sequence[str], old: Mapping[str, Launch | None], key: str | None, given: Mapping[str, str]
) -> dict[str, Change | None]:
    changes: dict[str, Change | None] = {}
    for name in names:
        before = old[name]
        launch = _launch(setup, name, before.env if before else {}, key, given)
        plan = partial(plan_install, name, setup.places, setup.name, launch, replace=setup.wishes.force)
        changes[name] = _plan(plan)
    return changes


def _launch(setup: _Setup, name: str, old: Mapping[str, str], key: str | None, given: Mapping[str, str]) -> Launch:
    """Return how a host starts the server: settings in its file, and a key never."""
    command, args = running_command(os.environ)
    env = {variable: value for variable, value in old.items() if variable not in _KEYS} | dict(given)
    profile, profiles = setup.wishes.profile, setup.profiles
    if key:
        env.pop(_DIRECTORY, None)
    elif _DIRECTORY not in env and not profiles.has_key(profile):
        env[_DIRECTORY] = str(_default_directory(profile))
    if profile != DEFAULT_PROFILE:
        env[_PROFILE] = profile
    if _DIRECTORY not in env or profile != DEFAULT_PROFILE:
        env |= _config_variable(setup)
    if setup.places.platform == "linux" and not INSTALL_HOSTS[name].has_full_environment:
        env = {**{each: os.environ[each] for each in _DESKTOP if os.environ.get(each)}, **env}
    return Launch(command, (*args, "serve"), env)


def _config_variable(setup: _Setup) -> dict[str, str]:
    """Return where the configuration file is, if a host without the variables of the shell would not find it."""
    is_usual = _CONFIG not in os.environ and not os.environ.get("XDG_CONFIG_HOME")
    return {} if is_usual else {_CONFIG: str(setup.profiles.path)}


def _default_directory(profile: str) -> Path:
    path = default_path()
    return path if profile == DEFAULT_PROFILE else path.with_stem(f"{path.stem}-{profile}")


def _plan(plan: Callable[[], Change]) -> Change | None:
    """Compute a change; report why if that fails."""
    try:
        return plan()
    except ForeignEntry as exc:
        print_line(f"✗ {exc}; --force replaces it, or --profile NAME adds another entry", err=True)
    except InvalidHostFile as exc:
        print_line(f"✗ {exc}. Nothing was written to it.", err=True)
    except OSError as exc:
        print_line(f"✗ {exc}", err=True)
    return None


def _show(changes: Sequence[Change]) -> bool:
    """Print what would change in each file, and return whether anything would."""
    for change in changes:
        print_line(f"{INSTALL_HOSTS[change.host].title}: {change.file.path}")
        for line in change.lines():
            print_line(f"  {line}")
    return bool(changes)


def _apply_all(setup: _Setup, changes: Mapping[str, Change | None], *, is_there: bool) -> int:
    """Write the changes, one host after the other, and report each of them."""
    failed = None in changes.values()
    for name, change in changes.items():
        if change is None:
            continue
        title = INSTALL_HOSTS[name].title
        if change.is_empty:
            print_line(f"✓ {title}: {'already installed' if is_there else 'it was not installed'}")
            continue
        try:
            copy = change.apply(setup.backups)
        except (InvalidHostFile, OSError) as exc:
            print_line(f"✗ {title}: {exc}", err=True)
            failed = True
            continue
        step = INSTALL_HOSTS[name].next_step.replace("NAME", change.entry)
        done = f"installed; {step}" if is_there else "removed"
        print_line(f"✓ {title}: {done}" + (f" (the file before: {copy})" if copy else ""))
    return 1 if failed else 0


def _absolute(path: str) -> str:
    """Return a path that means the same in every folder; an address stays as it is."""
    return path if "://" in path else str(Path(path).expanduser().absolute())
