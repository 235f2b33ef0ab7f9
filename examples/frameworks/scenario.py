"""What the examples share: where the server is, a scripted model, and the person who answers the server's questions.

Each example runs an agent of one framework. Without arguments it starts the server over stdio, on a temporary
directory; an address (`http://127.0.0.1:8000/mcp`) or a command as arguments names another server. It prints a line of
JSON for the tools that the model gets, for each call with the result that the model sees, and for each question with
its answer.

The scripted model replaces a real one, so that the examples run without a key. Each example says where to put yours.
"""

import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

STEPS: list[tuple[str, dict[str, Any]]] = json.loads(Path(__file__).with_name("scenario.json").read_text())
"""The calls of the scripted model. One of them fails; the person declines the first deletion."""
CONTACT = "<created contact>"
"""Replaced in the steps by the id that the first result shows."""
NEUTRAL = ("any", "unchanged", "auto")
"""Values of optional enums that mean the same as leaving the argument out."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def report(**line: Any) -> None:
    """Print a line of JSON."""
    print(json.dumps(line, ensure_ascii=False, default=str), flush=True)


@dataclass(frozen=True)
class Server:
    """The address of a server over HTTP, or the command that starts one over stdio."""

    url: str | None
    command: str = ""
    args: list[str] = field(default_factory=list)


def server() -> Server:
    """Read the server from this program's arguments. Without any, start one on a temporary directory."""
    words = sys.argv[1:]
    if words and words[0].startswith(("http://", "https://")):
        return Server(words[0])
    installed = Path(__file__).parents[2] / ".venv" / "bin" / "contacts-mcp"  # by `uv sync` in a clone
    contacts_mcp = str(installed) if installed.exists() else "contacts-mcp"
    command, *args = words or [contacts_mcp, "serve", "--directory", str(Path(mkdtemp()) / "contacts.db")]
    return Server(None, command, args)


@dataclass(frozen=True)
class Call:
    """A tool call of the model: the tool's name as the framework offers it, and the arguments."""

    tool: str
    arguments: dict[str, Any]


class Script:
    """The scripted model. It gives every argument that a tool requires, as models do in strict mode."""

    def __init__(self) -> None:
        self.person = Person()
        self._steps = iter(STEPS)
        self.export = ""
        """The address of the exported file."""
        self._contact = ""
        self._call: Call | None = None

    def next(self, tools: Mapping[str, Mapping[str, Any]], result: Any = None) -> Call | None:
        """Return the next call, or None at the end. `tools` has the parameters of each; `result` is the last call's."""
        if self._call is None:
            report(tools=tools)
        else:
            self._hear(self._call, result if isinstance(result, str) else json.dumps(result, default=str))
        self._call = next((self._prepare(tools, *step) for step in self._steps), None)
        if self._call is None:
            report(end=True)
        return self._call

    def read(self, text: str) -> None:
        """Report the exported file, in clients that can read resources."""
        report(export=text)

    def _hear(self, call: Call, text: str) -> None:
        report(call=call.tool, arguments=call.arguments, result=text)
        self.export = next(iter(re.findall(r"contacts://exports/[0-9a-f-]+", text)), self.export)
        found = _UUID.search(text)
        self._contact = self._contact or (found[0] if found else "")

    def _prepare(self, tools: Mapping[str, Mapping[str, Any]], name: str, arguments: dict[str, Any]) -> Call:
        tool = next(offered for offered in tools if offered.endswith(name))  # some frameworks put a prefix before it
        given = {key: self._contact if value == CONTACT else value for key, value in arguments.items()}
        properties = tools[tool].get("properties", {})
        required = [key for key in tools[tool].get("required", ()) if key not in given]
        return Call(tool, given | {key: neutral(properties[key]) for key in required})


def neutral(schema: Mapping[str, Any]) -> Any:
    """Return the value for an argument that the model does not need, but has to give."""
    if schema.get("default") is not None:
        return schema["default"]
    kinds = [schema, *schema.get("anyOf", ())]
    types = [kind.get("type") for kind in kinds]
    if "null" in types or any(isinstance(kind, list) and "null" in kind for kind in types) or schema.get("nullable"):
        return None
    if choices := schema.get("enum"):
        return next((choice for choice in choices if choice in NEUTRAL), choices[0])
    return {"string": "", "array": [], "object": {}, "boolean": False}.get(str(schema["type"]).lower(), 1)


READING_SECONDS = 1.2
"""A person reads a question before they decline it. The server takes a form that is declined within a second for one
that was never shown."""


class Person:
    """Replaces the person at the screen: says no to the first question and yes to all later ones."""

    def __init__(self) -> None:
        self._asked = 0

    def answer(self, message: str, form: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the filled-in form, or None if the person declines. A real client shows the message and waits."""
        self._asked += 1
        ((name, choice),) = form["properties"].items()
        agrees = self._asked > 1
        content = {name: next(value for value in choice["enum"] if value != "keep")} if agrees else None
        report(question=message, answer=content)
        if not agrees:
            time.sleep(READING_SECONDS)
        return content
