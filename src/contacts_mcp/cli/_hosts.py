"""What each host does with questions to a person, and which way a deletion takes there, by the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contacts_mcp.app import choose_rungs, has_network_pages
from contacts_mcp.guard import GuardMode, Rung
from contacts_mcp.install import INSTALL_HOSTS
from contacts_mcp.panel import EXTENSION, MIME_TYPE
from contacts_mcp.settings import Auth, Settings, env_name


class HostForms(StrEnum):
    """What a host does with the forms of a server."""

    SHOWN = "shows forms"
    NONE = "shows no forms"
    DECLINED = "declares forms and declines them by itself, which the server notices"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host, as far as it can reach a person.

    Attributes:
        opens_addresses: whether it opens the address of a page that a server gives it (URL mode).
        is_local: whether it runs on the computer of the person who uses it.
        shows_panel: whether it shows the panel beside a call (MCP Apps).
    """

    title: str
    forms: HostForms
    opens_addresses: bool = False
    is_local: bool = True
    shows_panel: bool = False


HOSTS: Mapping[str, KnownHost] = {
    "claude-desktop": KnownHost(INSTALL_HOSTS["claude-desktop"].title, HostForms.NONE, shows_panel=True),
    "claude-code": KnownHost("Claude Code (terminal)", HostForms.SHOWN),
    "claude-code-editor": KnownHost("Claude Code in an editor", HostForms.DECLINED),
    "vscode": KnownHost(INSTALL_HOSTS["vscode"].title, HostForms.SHOWN, opens_addresses=True, shows_panel=True),
    "cursor": KnownHost(INSTALL_HOSTS["cursor"].title, HostForms.SHOWN, shows_panel=True),
    "windsurf": KnownHost(INSTALL_HOSTS["windsurf"].title, HostForms.NONE),
    "codex": KnownHost(INSTALL_HOSTS["codex"].title, HostForms.SHOWN),
    "gemini": KnownHost(INSTALL_HOSTS["gemini"].title, HostForms.NONE),
    "zed": KnownHost(INSTALL_HOSTS["zed"].title, HostForms.NONE),
    "goose": KnownHost(INSTALL_HOSTS["goose"].title, HostForms.SHOWN, shows_panel=True),
    "lm-studio": KnownHost(INSTALL_HOSTS["lm-studio"].title, HostForms.NONE),
    "chatgpt": KnownHost("ChatGPT", HostForms.SHOWN, is_local=False, shows_panel=True),
    "n8n": KnownHost("n8n", HostForms.NONE, is_local=False),
}
"""The hosts whose behaviour is known. Others are asked by what they declare."""

FILE_OF: Mapping[str, str] = {**{name: name for name in INSTALL_HOSTS}, "claude-code-editor": "claude-code"}
"""The hosts with a file that this program reads, and whose file it is."""


def capabilities_of(host: KnownHost) -> dict[str, object]:
    """Return what a host declares to a server."""
    panel: dict[str, object] = {"extensions": {EXTENSION: {"mimeTypes": [MIME_TYPE]}}} if host.shows_panel else {}
    if host.forms is HostForms.NONE:
        return panel
    return {"elicitation": {"form": {}, "url": {}} if host.opens_addresses else {"form": {}}, **panel}


TAKEN: Mapping[Rung, str] = {
    Rung.FORM: "this host shows the person a form",
    Rung.APP: "this host shows the person a panel in the chat",
    Rung.PAGE: "the server opens a page in the browser of this computer, and the person decides there",
    Rung.URL: "this host gives the person the address of a page, where they log in and decide",
    Rung.TERMINAL: "the person decides in a terminal, with `contacts-mcp approvals`",
    Rung.APPROVER: "an approver decides, on the server's page or in a terminal; the call is repeated until then",
}
"""How a person is reached in each way."""


@dataclass(frozen=True, slots=True)
class DeletionWay:
    """The way that a deletion takes.

    Attributes:
        rung: the first way that is there; None if there is none.
        result: what happens, for a person.
        passed_over: the allowed ways that are tried or passed over before, each with the reason.
        advice: what to change if the deletion is refused.
    """

    rung: Rung | None
    result: str
    passed_over: Mapping[Rung, str]
    advice: str = ""


def find_way(host: KnownHost, settings: Settings, *, has_browser: bool) -> DeletionWay:
    """Return the way that a deletion takes in a host with these settings."""
    if settings.read_only or settings.guard is GuardMode.BLOCK:
        name = env_name("read_only" if settings.read_only else "guard")
        return DeletionWay(None, f"it is refused, because of {name}", {}, f"change {name} if that is not intended")
    passed_over: dict[Rung, str] = {}
    for rung in choose_rungs(settings):
        reason = _why_not(rung, host, settings, has_browser=has_browser)
        if not reason:
            return DeletionWay(rung, f"{rung}: {TAKEN[rung]}", passed_over)
        passed_over[rung] = reason
    if settings.guard is GuardMode.TWO_STEP:
        result = "two-step: the assistant shows a preview and repeats the call; nothing proves that a person saw it"
        return DeletionWay(None, result, passed_over)
    return DeletionWay(None, "it is refused: no person can be asked", passed_over, _advise(host, settings))


def _why_not(rung: Rung, host: KnownHost, settings: Settings, *, has_browser: bool) -> str:
    """Return why a way does not reach a person in a host; empty if it does."""
    if rung is Rung.FORM:
        return "" if host.forms is HostForms.SHOWN else f"this host {host.forms}"
    if rung is Rung.APP:
        return "" if host.shows_panel else "this host shows no panel in the chat"
    if rung is Rung.PAGE:
        if settings.auth is not Auth.NONE or not host.is_local:
            return "the person is not at the computer of the server"
        return "" if has_browser else "no browser was found on this computer"
    return _why_no_address(host, settings) if rung is Rung.URL else ""


def _why_no_address(host: KnownHost, settings: Settings) -> str:
    """Return why a host is given no address of a page; empty if it is."""
    if not has_network_pages(settings, [Rung.URL]):
        return "it needs a server over a network with a page on which callers log in"
    return "" if host.opens_addresses else "this host opens no addresses for a server"


def _advise(host: KnownHost, settings: Settings) -> str:
    """Name a way that would reach a person."""
    if settings.auth is not Auth.NONE or not host.is_local:
        return f"add approver to {env_name('approval')}: another person decides"
    missing = "terminal" if Rung.PAGE in choose_rungs(settings) else "page or terminal"
    return f"add {missing} to {env_name('approval')}"
