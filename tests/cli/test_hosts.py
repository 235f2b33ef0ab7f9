"""`contacts-mcp doctor --host NAME` without an entry in the host's file: the way that a deletion takes to a person."""

import json

import pytest

from contacts_mcp.cli._hosts import FILE_OF, HOSTS, HostForms, find_way
from contacts_mcp.guard import Rung
from contacts_mcp.settings import Settings
from support.host_profiles import PROFILES, Forms

BROWSER = {"BROWSER": "firefox"}
NO_BROWSER = {"BROWSER": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
TITLES = {host.title: host for host in HOSTS.values()}


def way(name, *, has_browser=True, **settings):
    return find_way(HOSTS[name], Settings(**settings), has_browser=has_browser)


@pytest.mark.parametrize(
    ("settings", "ways"),
    [
        ({}, {"vscode": "form", "claude-desktop": "app", "claude-code-editor": "page", "n8n": None}),
        ({"has_browser": False}, {"vscode": "form", "claude-desktop": "app", "zed": None}),
        ({"approval": ["form", "terminal"]}, {"codex": "form", "gemini": "terminal", "n8n": "terminal"}),
        ({"approval": ["terminal", "page"]}, {"vscode": "terminal", "claude-desktop": "terminal"}),
        ({"four_eyes": True}, {"vscode": "approver", "n8n": "approver"}),
        ({"auth": "key"}, {"vscode": "form", "claude-desktop": "app", "gemini": None, "chatgpt": "form"}),
        ({"auth": "key", "approval": ["url"]}, {"vscode": "url", "claude-code": None}),
        ({"auth": "oauth"}, {"chatgpt": "form", "claude-desktop": "app", "gemini": None}),
        ({"auth": "oauth", "approval": ["url"]}, {"vscode": None}),
        ({"auth": "oauth", "oidc_client_id": "x", "approval": ["url"]}, {"vscode": "url"}),
        ({"guard": "block"}, {"vscode": None}),
        ({"read_only": True}, {"vscode": None}),
        ({"guard": "two-step"}, {"vscode": "form", "claude-desktop": None}),
    ],
    ids=str,
)  # fmt: skip
def test_deletion_takes_the_first_way_that_is_there(settings, ways):
    assert {name: way(name, **settings).rung for name in ways} == ways


def test_refusal_names_each_way_that_is_not_there_and_one_that_would_be():
    refused = way("gemini", has_browser=False)

    assert refused.result == "it is refused: no person can be asked"
    assert refused.passed_over == {
        Rung.FORM: "this host shows no forms",
        Rung.APP: "this host shows no panel in the chat",
        Rung.PAGE: "no browser was found on this computer",
    }
    assert refused.advice == "add terminal to CONTACTS_MCP_APPROVAL"
    assert way("n8n").advice.startswith("add approver")
    assert way("claude-desktop", approval=["form"]).advice == "add page or terminal to CONTACTS_MCP_APPROVAL"


def test_hosts_behave_as_those_of_the_scripted_deletions():
    """The table is the one that the tests of consent in hosts were written from."""
    forms = {Forms.SHOWS: HostForms.SHOWN, Forms.NONE: HostForms.NONE, Forms.DECLINES: HostForms.DECLINED}
    played = {
        profile.name: forms[profile.forms] for profile in PROFILES if profile.forms in forms and profile.name in TITLES
    }

    assert len(played) >= 8
    assert played == {name: TITLES[name].forms for name in played}


@pytest.mark.parametrize("name", HOSTS)
def test_command_says_how_to_install_the_server_and_how_a_person_agrees(command, name):
    finished = command("doctor", "--host", name, **BROWSER)

    assert finished.err == ""
    assert f"deletion in {HOSTS[name].title}: " in finished.out
    assert (f"→ run `contacts-mcp install {FILE_OF.get(name)}`" in finished.out) == (name in FILE_OF)
    assert finished.code == (0 if way(name).rung and name not in FILE_OF else 1)


def test_command_without_a_way_says_what_to_change(command):
    finished = command("doctor", "--host", "gemini", **NO_BROWSER)

    assert finished.code == 1
    assert "✗ deletion in Gemini CLI: it is refused: no person can be asked" in finished.out
    assert "→ add terminal to CONTACTS_MCP_APPROVAL" in finished.out


def test_command_prints_json(command):
    finished = command("doctor", "--host", "n8n", "--json", CONTACTS_MCP_APPROVAL="form,terminal")

    shown = json.loads(finished.out)
    assert shown["ok"] is True
    assert [each["check"] for each in shown["checks"]] == ["passed over", "deletion in n8n"]


def test_misspelled_host_gets_the_nearest_name(command):
    finished = command("doctor", "--host", "claude-dektop")

    assert finished.code == 2
    assert 'did you mean "claude-desktop"?' in finished.err
