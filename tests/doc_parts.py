"""The generated parts of README.md and docs/: settings, commands, tools, host configurations, the library's example.

A part stands between `<!-- name -->` and `<!-- end -->`.
`UPDATE_README=1 pytest -n0 -m "" tests/test_readme.py tests/docs` writes every part again.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from typer.main import get_command

from contacts_mcp.cli._commands import cli
from contacts_mcp.cli._hosts import HOSTS, find_way
from contacts_mcp.contract import CALLS, Risk
from contacts_mcp.settings import Settings, env_name
from contacts_mcp.tools import ENDPOINTS, TOOLS, WORKFLOWS, Tool
from doc_examples import Example, stable
from frameworks.clients import CLIENTS, Client

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "contacts_mcp"
UPDATE = bool(os.environ.get("UPDATE_README"))
_CODE = r"[a-z]+(?:_[a-z]+)*"
_TYPE_NAMES = {"string": "text"}
_CONSENT = {
    Risk.READ: "",
    Risk.WRITE: "",
    Risk.DESTROY: "a person chooses `delete`",
    Risk.ERASE: "a person types the name",
}


def part_of(text: str, name: str) -> str | None:
    """The content of a part, without its markers."""
    found = _pattern(name).search(text)
    return found[2].strip("\n") if found else None


def with_part(text: str, name: str, content: str) -> str:
    """The text with a part replaced; the blank lines keep Markdown from joining the markers to a table."""
    return _pattern(name).sub(lambda found: f"{found[1]}\n{content}\n\n{found[3]}", text)


def check_part(page: str, name: str, content: str) -> None:
    """Compare a generated part with its page; with UPDATE_README=1 write it first."""
    path = DOCS / page
    text = path.read_text()
    expected = with_part(text, name, content)
    if UPDATE:
        path.write_text(expected)

    assert part_of(text, name) is not None
    assert path.read_text() == expected


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {re.escape(name)} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table(header: str, rows: list[str]) -> str:
    return "\n".join([header, re.sub(r"[^|]+", "---", header), *rows])


def host_ways_table() -> str:
    """The way that a deletion takes in each host with the default settings, as `doctor --host` reports it."""
    rows = []
    for name, host in HOSTS.items():
        ways = [find_way(host, Settings(), has_browser=each) for each in (True, False)]
        shown = [f"`{way.rung}`" if way.rung else "refused" for way in ways]
        rows.append(f"| {host.title} | `{name}` | {host.forms} | {' | '.join(shown)} |")
    return table("| Host | NAME | Its forms | With a browser | Without a browser |", rows)


def tool_table(page: str = "") -> str:
    """Every tool with its description and the consent that it needs, with a link to its reference on a page."""
    rows = [f"| [`{tool.name}`]({page}#{tool.name}) | {tool.summary} | {_consent(tool)} |" for tool in TOOLS]
    return table("| Tool | What it does | Consent |", rows)


def _consent(tool: Tool) -> str:
    if tool.wording is None:
        return _CONSENT[tool.risk]
    condition = "for 25 contacts or more, or if something is overwritten, " if tool.min_risk else ""
    return f"{condition}a person chooses `{tool.wording.yes}`"


def settings_table() -> str:
    """Every environment variable, with the flag of `serve` that overrides it."""
    flags = {option.name: f"<br>`{option.opts[0]}`" for option in _commands()["contacts-mcp serve"].params}
    rows = []
    for name, info in Settings.model_fields.items():
        description = " ".join(info.description.split())
        rows.append(f"| `{env_name(name)}`{flags.get(name, '')} | {_default(info.default)} | {description} |")
    return table("| Variable, flag | Default | What it does |", rows)


def _default(value: object) -> str:
    value = getattr(value, "value", None if callable(value) else value)
    return f"`{value}`" if value not in (None, [], False) else ""


def _commands() -> dict[str, Any]:
    return dict(_walk("contacts-mcp", get_command(cli)))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield name, command
    for child in children.values():
        yield from _walk(f"{name} {child.name}", child)


def command_reference() -> str:
    return "\n\n".join(_command(name, command) for name, command in _commands().items())


def _command(name: str, command: Any) -> str:
    shown = [param for param in command.params if param.name != "help"]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    usage = " ".join([name, *(param.name.upper() for param in arguments)])
    lines = [f"## {name}", " ".join((command.help or "").split()).replace("<", "&lt;"), f"```sh\n{usage}\n```"]
    rows = [f"| {_flags(param)} | {_default(_written_default(param))} | {param.help or ''} |" for param in options]
    return "\n\n".join([*lines, *([table("| Option | Default | What it does |", rows)] if rows else [])])


def _written_default(option: Any) -> object:
    """The default as a person writes it: of a flag with an opposite, the flag."""
    return option.opts[0] if option.default is True and option.secondary_opts else option.default


def _flags(option: Any) -> str:
    return ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])


def tool_reference(examples: list[Example]) -> str:
    endpoints = {tool.name: call.route for tool, call in zip(ENDPOINTS, CALLS, strict=True)}
    return "\n\n".join(
        [
            "## Endpoint tools",
            *(_tool(tool, endpoints[tool.name], examples) for tool in ENDPOINTS),
            "## Workflow tools",
            *(_tool(tool, None, examples) for tool in WORKFLOWS),
        ]
    )


def _tool(tool: Tool, endpoint: str | None, examples: list[Example]) -> str:
    facts = [f"Risk: {tool.risk}."]
    if endpoint:
        facts.insert(0, f"Endpoint: `{endpoint}`.")
    if consent := _consent(tool):
        facts.append(f"Consent: {consent}.")
    shown = "\n".join(_example(example) for example in examples if example.tool == tool.name)
    return "\n\n".join([f"### {tool.name}", tool.description, " ".join(facts), _arguments(tool), stable(shown).strip()])


def _arguments(tool: Tool) -> str:
    schema = json.loads((ROOT / "tool_schemas" / f"{tool.name}.json").read_text())["inputSchema"]
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(field)} | {'yes' if name in required else ''} | {field.get('description', '')} |"
        for name, field in schema.get("properties", {}).items()
    ]
    return table("| Argument | Type | Required | Meaning |", rows) if rows else "It takes no arguments."


def _type(field: dict[str, Any]) -> str:
    """The type of an argument in words, such as `list of lists of text`."""
    if "items" in field:
        return f"list of {re.sub('^list ', 'lists ', _type(field['items']))}"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    return _TYPE_NAMES.get(field["type"], field["type"])


def _example(example: Example) -> str:
    parts = [f"Call:\n\n```json\n{_json(example.arguments)}\n```\n"]
    if example.question:
        parts.append(f"The person is asked:\n\n```text\n{example.question}\n```\n")
    parts.append(f"Answer:\n\n```json\n{_json(example.answer, indent=2)}\n```\n")
    return "\n".join(parts)


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def host_configuration(file: str) -> str:
    return f"```json\n{(ROOT / 'examples' / 'hosts' / file).read_text()}```"


def library_example() -> str:
    """The part of the example that shows the client at work."""
    source = (ROOT / "examples" / "library.py").read_text()
    imports = "import asyncio\n\nfrom contacts_mcp.client import ContactsClient\nfrom contacts_mcp.contract import "
    names = re.search(r"from contacts_mcp.contract import (.*)", source)
    body = re.search(r'async def use.*?"""\n(.*?)\n\n\nasync def', source, re.DOTALL)
    assert names
    assert body
    main = f"async def main():\n    async with ContactsClient.from_environment() as client:\n{indent(body[1], '    ')}"
    return f"```python\n{imports}{names[1]}\n\n\n{main}\n\n\nasyncio.run(main())\n```"


def client_table() -> str:
    """The clients of the matrix, whose tests check each column."""
    header = "| Client | Version | Example | Asks a person | All arguments | Per call over stdio |"
    return table(header, [_client(client) for client in CLIENTS])


def _client(client: Client) -> str:
    versions = ", ".join(f"`{package}` {client.version(package)}" for package in client.packages)
    facts = (client.asks, client.is_strict, client.starts_per_call)
    return (
        f"| {client.name} | {versions} | `{client.example}` | {' | '.join('yes' if fact else 'no' for fact in facts)} |"
    )


def call_trace() -> str:
    """Every function that the traced calls run, from a run of the benchmark."""
    command = [sys.executable, str(ROOT / "benchmarks" / "call_trace.py"), "--table"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"^(\w+): (.*)$", r"### \1\n\n\2.", printed.strip(), flags=re.MULTILINE)


def error_codes() -> set[str]:
    """Every code at the start of an error line (`code: what happened; what to do next`) in the source."""
    codes = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        names = {each.id: node.value for node in assigned for each in node.targets if isinstance(each, ast.Name)}
        if path.relative_to(SOURCE).parts[0] in {"server", "transports", "console", "middleware.py"}:
            codes.update(code for node in ast.walk(tree) for code in _codes_of_refusals(node, names))
        codes.update(code for node in ast.walk(tree) for code in _codes_of_exceptions(node))
    return codes - {"error"}


def _codes_of_exceptions(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
            yield code


def _codes_of_refusals(node: ast.AST, names: dict[str, ast.expr]) -> Iterator[str]:
    """The codes of `Refusal(HTTPStatus.X, code, text)`, of pairs of code and text, and of `"code: text"`."""
    match node:
        case ast.Call(args=[ast.Attribute(value=ast.Name(id="HTTPStatus")), code, *_]):
            value = getattr(names.get(getattr(code, "id", ""), code), "value", None)
            if isinstance(value, str) and re.fullmatch(_CODE, value):
                yield value
        case ast.Tuple(elts=[ast.Constant(value=str(code)), ast.Constant(value=str()) | ast.JoinedStr()]):
            if re.fullmatch(_CODE, code) and "; " in ast.dump(node):
                yield code
        case ast.Constant(value=str(text)):
            if found := re.match(rf"({_CODE}): (?:[a-z].*)?$", text):
                yield found[1]
