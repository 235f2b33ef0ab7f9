"""What commands print cannot steer a terminal, whatever a file, a database, a setting or an option contains."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from rich.text import Text

from contacts_mcp.cli._console import SafeConsole
from contacts_mcp.cli._output import print_line, safe_output
from contacts_mcp.hash_chain import ChainEnd, format_line, link_record
from contacts_mcp.text import escape_invisible
from directory.conftest import serving
from support.processes import clean_environment

HOSTILE = {
    "OSC": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0=\x1b\\",
    "CSI": "\x1b[2J\x1b[31m",
    "C0": "\x00\x08\x0c\x7f",
    "carriage return": "good\rbad",
    "C1": "\x9b2J\x9d0;x\x9c\x85",
    "bidi": "\u202eevil\u202c\u2066x\u2069\u200f",
    "invisible": "\u200b\u00ad\ufeff\u2060\u3164",
    "separators": "\u2028\u2029",
    "tags": "\U000e0041\U000e0042",
}
DANGEROUS = frozenset("".join(HOSTILE.values())) - frozenset("good bad evil x owned 0 ; 2 J [ ] 3 1 m c = 5 \\ E")
ALL = "Ola " + "".join(HOSTILE.values()) + "\nthe chain is unbroken"


def is_safe(shown):
    return not DANGEROUS & set(shown)


def create(path, name=ALL):
    async def work():
        async with serving(path) as http:
            made = await http.post("/v1/contacts", json={"name": "Ola"})
            await http.delete(f"/v1/contacts/{made.json()['id']}")

    asyncio.run(work())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE contacts SET name = ?", [name])
        connection.execute("UPDATE tenants SET name = ?", [name])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_escaped_text_is_visible_and_the_same_in_json(text):
    shown = escape_invisible(json.dumps(text, ensure_ascii=False))

    assert is_safe(shown)
    assert json.loads(shown) == text


@pytest.mark.parametrize("err", [False, True])
def test_line_is_printed_as_one_line_without_control_characters(capsys, err):
    with safe_output():
        print_line(ALL, err=err)

    shown = "".join(capsys.readouterr())
    assert is_safe(shown)
    assert len(shown.splitlines()) == 1
    assert "Ola" in shown


def test_every_write_to_the_streams_is_escaped_until_the_block_ends(capsys):
    with safe_output():
        sys.stdout.writelines([ALL, "\n"])
        sys.stderr.write(ALL)
        assert not hasattr(sys.stdout, "buffer")

    out, err = capsys.readouterr()
    assert is_safe(out + err)
    assert hasattr(sys.stdout, "buffer")


def test_console_with_colors_escapes_its_texts(capsys):
    with safe_output():
        SafeConsole(force_terminal=True, width=500).print(Text(ALL, style="red"))

    out = capsys.readouterr().out
    assert "\x1b[31m" in out  # the style
    assert is_safe(out.replace("\x1b[31m", "").replace("\x1b[0m", ""))


@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize("name", [("deleted",), ("stats",), ("keys", "list"), ("receipts",), ("check",)], ids=" ".join)
def test_names_of_a_database_are_printed_safely(command, tmp_path, name, flags):
    path = tmp_path / "contacts.db"
    create(path)
    command("directory", "keys", "create", ALL, "--directory", str(path))

    done = command("directory", *name, *flags, "--directory", str(path))

    assert is_safe(done.out + done.err)
    assert not any(line.startswith("the chain is unbroken") for line in done.out.splitlines())
    if flags and name == ("deleted",):
        assert json.loads(done.out)[0]["name"] == ALL


def test_record_with_hostile_values_is_printed_safely_by_all_commands(command, tmp_path):
    trail = tmp_path / f"audit{HOSTILE['OSC']}{HOSTILE['bidi']}.jsonl"
    record = link_record({"time": ALL, "tool": ALL, "caller": ALL, ALL: ALL}, ChainEnd())
    trail.write_bytes(format_line(record) + format_line({**record, "seq": 2, "hash": ALL}) + b"\x1b]0;x\x07\n")

    for words in (("verify",), ("verify", "--json"), ("show",), ("show", "--json"), ("tail",)):
        done = command("audit", *words, "--file", str(trail))
        assert is_safe(done.out + done.err), words
        assert not any(line.startswith("the chain is unbroken") for line in done.out.splitlines())
    assert "is not a record" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "verify", "--file", f"/nowhere/{ALL}"),
        ("audit", "show", "--since", ALL),
        ("directory", "stats", "--directory", f"/nowhere/{ALL}"),
        ("directory", "restore-backup", f"/nowhere/{ALL}", "--yes"),
        ("directory", "restore", ALL),
        ("directory", "keys", "revoke", ALL, "--yes"),
        ("directory", "keys", "revoke", ALL),
        ("serve", "--guard", ALL),
        ("serve", "--tools", ALL),
        ("serve", "--default-region", ALL),
        ("doctor", "--audit", f"/proc/{ALL}/x.jsonl"),
        ("doctor", "--directory", f"/proc/{ALL}/x.db"),
        ("schemas", "--out", f"/proc/{ALL}"),
        (ALL,),
        ("serve", f"--{ALL}"),
    ],
    ids=lambda words: " ".join(words[:3]).encode("ascii", "ignore").decode()[:30].replace("\x1b", "").replace("\0", ""),
)
def test_errors_that_quote_an_argument_are_printed_safely(command, words):
    done = command(*(word.replace("\0", "") for word in words))

    assert done.code != 0
    assert is_safe(done.out + done.err)
    assert "Traceback" not in done.err


@pytest.mark.system
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_process_prints_safely_in_any_encoding(tmp_path, encoding):
    """The reason of a start that fails, with a file name from the environment."""
    path = f"/proc/{HOSTILE['OSC']}\u202eØ/contacts.db"
    environment = clean_environment(tmp_path, CONTACTS_MCP_DIRECTORY=path, PYTHONIOENCODING=encoding)

    done = subprocess.run(
        [sys.executable, "-m", "contacts_mcp", "directory", "stats"], capture_output=True, env=environment, check=False
    )

    assert done.returncode == 2
    assert b"\x1b" not in done.stderr + done.stdout
    assert "\u202e".encode() not in done.stderr
    assert b"There is no directory at" in done.stderr


@pytest.mark.system
def test_worker_of_an_asgi_server_prints_its_fault_safely(tmp_path):
    environment = {**clean_environment(tmp_path), "CONTACTS_MCP_TOOLS": f"{HOSTILE['OSC']}{HOSTILE['bidi']}"}

    done = subprocess.run(
        [sys.executable, "-c", "import contacts_mcp.asgi"], capture_output=True, env=environment, check=False
    )

    assert done.returncode == 3
    assert is_safe(done.stderr.decode())
