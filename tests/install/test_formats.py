"""Entries are put into hosts' files and removed again; every other byte stays."""

import json
import tomllib

import pytest

from contacts_mcp.install._formats import FileFormat, drop_entry, put_entry, read_entries
from contacts_mcp.install._text import InvalidHostFile

JSON, TOML, YAML = FileFormat
NAME = "wayscloud-contacts"
ENTRY = {"command": "/opt/a b/contacts-mcp", "args": ["serve"], "env": {"CONTACTS_MCP_FILES": "C:\\Kontakter\\æ"}}
SECTIONS = {JSON: "mcpServers", TOML: "mcp_servers", YAML: "extensions"}

CROWDED_JSON = """\
// top
{
  /* servers, "mcpServers": {} */
  "mcpServers": { // mine, {"a": 1},
    // first
    "a": {"command": "b"}, // why
    /* last */
    "c": {"url": "https://x//y", "z": [1, 2,],},
  },
}
// end
"""
CROWDED_TOML = """\
# top
model = "x"

[mcp_servers.a]
command = "b"  # why

[tui]
theme = "d"

# end
"""
CROWDED_YAML = """\
# top
GOOSE_MODEL: 'x'
extensions:
  # mine
  a:
    cmd: b # why
    note: |
      several
      lines

  # other
  c: {x: 1}
after: yes
"""
TEXTS = {
    "json empty section": (JSON, '{"mcpServers": {}}'),
    "json indented": (JSON, '{\n    "theme": "dark",\n    "mcpServers": {\n        "a": {"command": "b"}\n    }\n}\n'),
    "json one line": (JSON, '{"mcpServers":{"a":{"command":"b"}},"x":1}'),
    "json one line with spaces": (JSON, '{ "mcpServers": { "a": {} } }'),
    "json crowded": (JSON, CROWDED_JSON),
    "json windows": (JSON, '{\r\n\t"mcpServers": {\r\n\t\t"a": {}\r\n\t}\r\n}\r\n'),
    "json trailing comma": (JSON, '{\n  "mcpServers": {\n    "a": {},\n  },\n}'),
    "json names like ours": (JSON, '{"mcpServers": {"wayscloud-contacts-work": {}, "x": {"wayscloud-contacts": {}}}}'),
    "toml crowded": (TOML, CROWDED_TOML),
    "toml windows": (TOML, CROWDED_TOML.replace("\n", "\r\n")),
    "toml lookalike": (TOML, f'a = """\n[mcp_servers.{NAME}]\ncommand = 1\n"""\nb = [\n  [1],\n  ["]"], # ]]\n]\n'),
    "toml dotted": (TOML, 'mcp_servers.a.command = "b"\n\n[[x]]\ny = 1\n[[x]]\ny = 2\n'),
    "yaml crowded": (YAML, CROWDED_YAML),
    "yaml windows": (YAML, CROWDED_YAML.replace("\n", "\r\n")),
    "yaml flow": (YAML, "extensions: {a: {cmd: b}}\n"),
    "yaml empty flow": (YAML, "extensions: {}\nx: 1\n"),
    "yaml at the end": (YAML, "extensions:\n  a: {}"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_file_is_the_same_after_an_entry_was_put_and_dropped(name):
    kind, text = TEXTS[name]
    section = SECTIONS[kind]

    put = put_entry(kind, text, section, NAME, ENTRY)

    assert read_entries(kind, put, section) == {**read_entries(kind, text, section), NAME: ENTRY}
    assert drop_entry(kind, put, section, NAME) == text


@pytest.mark.parametrize("name", TEXTS)
def test_replacing_an_entry_leaves_the_rest(name):
    kind, text = TEXTS[name]
    section = SECTIONS[kind]
    other = {"command": "x", "args": []}

    replaced = put_entry(kind, put_entry(kind, text, section, NAME, ENTRY), section, NAME, other)

    assert read_entries(kind, replaced, section)[NAME] == other
    assert put_entry(kind, replaced, section, NAME, ENTRY) == put_entry(kind, text, section, NAME, ENTRY)
    assert drop_entry(kind, replaced, section, NAME) == text


@pytest.mark.parametrize("kind", FileFormat)
@pytest.mark.parametrize("text", ["", "\n"])
def test_entry_in_an_empty_file_makes_a_whole_document(kind, text):
    put = put_entry(kind, text, SECTIONS[kind], NAME, ENTRY)

    assert read_entries(kind, put, SECTIONS[kind]) == {NAME: ENTRY}
    assert read_entries(kind, drop_entry(kind, put, SECTIONS[kind], NAME), SECTIONS[kind]) == {}


@pytest.mark.parametrize("kind", FileFormat)
def test_two_entries_can_be_dropped_in_either_order(kind):
    section = SECTIONS[kind]
    text = {JSON: CROWDED_JSON, TOML: CROWDED_TOML, YAML: CROWDED_YAML}[kind]
    both = put_entry(kind, put_entry(kind, text, section, NAME, ENTRY), section, f"{NAME}-work", ENTRY)

    for first, second in ((NAME, f"{NAME}-work"), (f"{NAME}-work", NAME)):
        assert drop_entry(kind, drop_entry(kind, both, section, first), section, second) == text


def test_entry_that_a_host_moved_to_the_end_takes_its_comma_with_it():
    text = '{\n  "mcpServers": {\n    "a": {}, // why\n    "wayscloud-contacts": {}\n  }\n}'

    dropped = drop_entry(JSON, text, "mcpServers", NAME)

    assert dropped == '{\n  "mcpServers": {\n    "a": {} // why\n  }\n}'


def test_comment_between_an_entry_and_its_comma_is_kept():
    text = '{"mcpServers": {"wayscloud-contacts": {} /* mine */, "a": {}}}'

    dropped = drop_entry(JSON, text, "mcpServers", NAME)

    assert dropped == '{"mcpServers": { /* mine */ "a": {}}}'


def test_subtables_of_an_entry_are_dropped_with_it_and_comments_of_the_next_table_are_not():
    ours = '[mcp_servers."wayscloud-contacts"]\ncommand = "x"\n\n[mcp_servers.wayscloud-contacts.env]\nA = "1"\n\n'
    text = f"{ours}# next\n[z]\n"

    assert drop_entry(TOML, text, "mcp_servers", NAME) == "# next\n[z]\n"


def test_new_entry_has_the_indentation_of_the_file():
    put = put_entry(JSON, '{\n\t"mcpServers": {\n\t\t"a": {}\n\t}\n}', "mcpServers", NAME, {"command": "x"})

    assert put == '{\n\t"mcpServers": {\n\t\t"wayscloud-contacts": {\n\t\t\t"command": "x"\n\t\t},\n\t\t"a": {}\n\t}\n}'


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (JSON, '{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: expected "," or "}"'),
        (JSON, '{"a": "x\ny"}', "line 1, column 9: invalid text, or a quote is missing"),
        (JSON, '{\n  "a": {', "line 2, column 9: expected a name"),
        (JSON, "{'a': 1}", "line 1, column 2: expected a name"),
        (JSON, '{"a": 1} x', "line 1, column 10: expected the end"),
        (JSON, '{"a": undefined}', "line 1, column 7: expected a value"),
        (JSON, "[]", "it holds no JSON object"),
        (JSON, '{"mcpServers": []}', '"mcpServers" is not an object'),
        (JSON, '{"a":' * 100_000, "nested too deeply"),
        (TOML, 'a = 1\nb = "x\n', "line 2"),
        (TOML, "mcp_servers = 3\n", "`mcp_servers` is not a table"),
        (YAML, "a: 1\nb: [1\nc: {\n", "line 3"),
        (YAML, "- a\n", "it is not a list of settings"),
        (YAML, "extensions: 3\n", "`extensions` holds no entries"),
        (YAML, "x: &a {}\nextensions: *a\n", "`extensions`"),
    ],
    ids=str,
)
def test_broken_file_is_refused_with_its_line(kind, text, problem):
    with pytest.raises(InvalidHostFile) as refused:
        put_entry(kind, text, SECTIONS[kind], NAME, ENTRY)

    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (TOML, 'mcp_servers = { a = { command = "b" } }\n'),
        (JSON, '{"mcpServers": {"wayscloud-contacts": {}, "wayscloud-contacts": {}}}'),
        (YAML, "extensions:\n  ? complex\n  : {}\n  wayscloud-contacts: &x {}\nuse: *x\n"),
    ],
    ids=str,
)
def test_unusual_file_is_refused_rather_than_changed_elsewhere(kind, text):
    with pytest.raises(InvalidHostFile):
        put_entry(kind, text, SECTIONS[kind], NAME, ENTRY)


def test_values_of_jsonc_are_those_of_json():
    content = {"mcpServers": {"a": [True, False, None, -1.5e3, 0, 'é\u2028"\\/\n', {}, []]}}

    for text in (json.dumps(content), json.dumps(content, ensure_ascii=False, indent=1)):
        assert read_entries(JSON, text, "mcpServers") == content["mcpServers"]


def test_written_toml_is_read_by_the_standard_library():
    entry = {**ENTRY, "n": 3, "on": True, "x": {"y": {"é": '"'}}}

    assert tomllib.loads(put_entry(TOML, "a = 1", "mcp_servers", NAME, entry)) == {"a": 1, "mcp_servers": {NAME: entry}}
