"""One run of an example, and what it shows about each step of the scenario."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from contacts_mcp.tools import TOOLS
from frameworks.clients import Client

RUN_TIMEOUT_SECONDS = 240
"""For the slowest client, which starts eleven servers, on a machine that does other work as well."""
STEPS = ("create", "list", "update", "export", "missing", "refused", "kept", "confirmed", "gone")
"""The calls of `examples/frameworks/scenario.py`, in order."""


@dataclass(frozen=True)
class Run:
    """The lines that an example printed."""

    client: Client
    code: int
    lines: list[dict[str, Any]]
    errors: str

    def values(self, key: str) -> list[Any]:
        return [line[key] for line in self.lines if key in line]

    @property
    def tools(self) -> dict[str, Any]:
        """The parameters of each tool, as the model gets them."""
        return self.values("tools")[0] if self.values("tools") else {}

    @property
    def results(self) -> dict[str, str]:
        """What the model saw after each step, without white space and quotes, which frameworks treat differently."""
        results = [line for line in self.lines if "call" in line]
        return {step: re.sub(r"[\s\"'\\]", "", line["result"]) for step, line in zip(STEPS, results, strict=False)}

    def faults(self) -> list[str]:
        """A line for each check that failed."""
        wrong = [f"{name}: {fault}" for name, check in CHECKS.items() for fault in check(self)]
        return [*wrong, self.errors[-3_000:]] if wrong else []


def run_example(client: Client, server: list[str]) -> Run:
    """Run the example of a client against a server: its address, or the command that starts it."""
    process = subprocess.Popen(
        [*client.command(), *server],
        env=client.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that the servers which it started end with it
    )
    try:
        out, errors = process.communicate(timeout=RUN_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, errors = process.communicate()
        errors += f"\nnot finished after {RUN_TIMEOUT_SECONDS} s"
    return Run(client, process.returncode, _read(out), errors)


def _read(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"')]


def _check_list(run: Run) -> Iterator[str]:
    missing = [tool.name for tool in TOOLS if not any(name.endswith(tool.name) for name in run.tools)]
    if missing or len(run.tools) != len(TOOLS):
        yield f"the model was offered {list(run.tools)}"


def _check_convert(run: Run) -> Iterator[str]:
    """A model that gives every argument which the converted schema requires changes and finds what it meant."""
    if "NordmannRegnskap" not in run.results.get("list", ""):
        yield f"the contact is not in the list: {run.results.get('list')}"
    if "type:company" not in run.results.get("update", ""):
        yield f"setting the phone number changed more: {run.results.get('update')}"
    if run.tools and all(_requires_everything(schema) for schema in run.tools.values()) != run.client.is_strict:
        yield "the conversion makes every argument required, or does so no longer: change `is_strict`"


def _requires_everything(schema: dict[str, Any]) -> bool:
    return set(schema.get("required", ())) == set(schema.get("properties", ()))


def _check_call(run: Run) -> Iterator[str]:
    for step, shown in {"create": "name:NordmannRegnskap", "update": "phone_number:+4799999999"}.items():
        if shown not in run.results.get(step, ""):
            yield f"{step} returned {run.results.get(step)}"


def _check_export(run: Run) -> Iterator[str]:
    result = run.results.get("export", "")
    if not re.search(r"uri:contacts://exports/[0-9a-f-]{36}", result) or not re.search(r"contacts:[1-9]", result):
        yield f"the model saw {result!r}"
    for text in run.values("export"):
        if "Nordmann Regnskap" not in text:
            yield f"the exported file has {text[:200]!r}"


def _check_error(run: Run) -> Iterator[str]:
    if "not_found:" not in run.results.get("missing", ""):
        yield f"the model saw {run.results.get('missing')!r}"
    if "Received WARNING from server" in run.errors:
        yield "the client got the error a second time, as a log message, and printed it"


def _check_refuse(run: Run) -> Iterator[str]:
    if "nothing was changed".replace(" ", "") not in run.results.get("refused", ""):
        yield f"the model saw {run.results.get('refused')!r}"
    if "NordmannRegnskap" not in run.results.get("kept", ""):
        yield f"the contact was not kept: {run.results.get('kept')!r}"


def _check_confirm(run: Run) -> Iterator[str]:
    """The person is asked twice. A client that cannot ask deletes nothing."""
    questions = run.values("question")
    if ["Nordmann Regnskap" in question for question in questions] != [True, True][: 2 * run.client.asks]:
        yield f"the person was asked {questions}"
    expected = "not_found:" if run.client.asks else "NordmannRegnskap"
    if expected not in run.results.get("gone", ""):
        yield f"after the second question: {run.results.get('gone')!r}, from {run.results.get('confirmed')!r}"


def _check_end(run: Run) -> Iterator[str]:
    if run.code != 0 or not run.values("end"):
        yield f"the run ended with exit code {run.code}, after {list(run.results)}"


CHECKS: dict[str, Callable[[Run], Iterator[str]]] = {
    "list": _check_list,
    "convert": _check_convert,
    "call": _check_call,
    "export": _check_export,
    "error": _check_error,
    "refuse": _check_refuse,
    "confirm": _check_confirm,
    "end": _check_end,
}
