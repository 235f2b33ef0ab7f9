"""What a service, a gateway or a network can do to a request, each as a thing with a name."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.services import ResponseAction, drip, flood, reply, reset, silence

MARKER = "MARKER-of-the-fault"
"""In every body that a fault makes up, where no reader has any business."""

JSON = ["Content-Type: application/json"]


@dataclass(frozen=True)
class Answer:
    """What the service answered to a request that was passed on, and where a redirect could lead."""

    status: int
    body: bytes
    elsewhere: str

    @property
    def content(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Fault:
    """What is done to a request: `action` makes it of the service's answer.

    `done`: the service did what it was asked before. `certain`: whoever asked can tell that it did not. `gone`: the
    service says that there is no such record, which nobody can know better.
    """

    name: str
    action: Callable[[Answer], ResponseAction]
    done: bool = False
    certain: bool = False
    gone: bool = False


def _always(action: ResponseAction) -> Callable[[Answer], ResponseAction]:
    return lambda _: action


def _refusal(status: int, *headers: str) -> Callable[[Answer], ResponseAction]:
    """As the API's page documents it. What was provided is somebody's data, and the rest is nobody's business."""
    details = {"field": "name", "provided": MARKER, "expected": "something else"}
    error = {"code": "SOME_CODE", "message": "Said by the service", "details": details}
    return _always(reply(status, {"error": error, "trace": MARKER}, headers=[*JSON, *headers]))


def _page(status: int) -> Callable[[Answer], ResponseAction]:
    """What a gateway or a portal says to a person with a browser."""
    return _always(reply(status, raw=f"<html>{MARKER}</html>".encode(), headers=["Content-Type: text/html"]))


def _rewritten(rewrite: Callable[[Any], Any]) -> Callable[[Answer], ResponseAction]:
    """The service's answer, made something else."""
    return lambda answer: reply(200, rewrite(answer.content), headers=JSON)


def _wrongly_typed(content: Any) -> Any:
    return {name: {MARKER: [value]} for name, value in content.items()}


def _nulled(content: Any) -> Any:
    """Null for every single value, in rows as well."""
    if isinstance(content, dict):
        return {name: _nulled(value) for name, value in content.items()}
    is_rows = isinstance(content, list) and any(isinstance(each, dict) for each in content)
    return [_nulled(each) for each in content] if is_rows else None


def _grown(content: Any) -> Any:
    """LogFields that nobody knows, in rows as well."""
    if isinstance(content, list):
        return [_grown(each) for each in content]
    if not isinstance(content, dict):
        return content
    grown = {name: _grown(value) for name, value in content.items()}
    return {**grown, "score": MARKER, "nested": {"deep": [MARKER]}}


async def _speak_no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(f"{MARKER}\r\n\r\n".encode())
    await writer.drain()
    writer.close()


REFUSED = Fault("connection refused", _always(reset), certain=True)
"""Nobody listens: nothing that is done to a request, since there is none."""

FAULTS: tuple[Fault, ...] = (
    REFUSED,
    Fault("reset before", _always(reset)),
    Fault("reset after", _always(reset), done=True),
    Fault("time-out", _always(silence), done=True),
    *(Fault(str(status), _refusal(status), certain=True) for status in (400, 401, 403, 409, 422)),
    Fault("404", _refusal(404), certain=True, gone=True),
    Fault("429 and nothing more", _refusal(429), certain=True),
    Fault("429 for now", _refusal(429, "Retry-After: 0"), certain=True),
    Fault("429 for long", _refusal(429, "Retry-After: 60"), certain=True),
    Fault("500", _refusal(500)),
    Fault("503", _page(503)),
    Fault("504, done", _page(504), done=True),
    Fault("no HTTP", _always(_speak_no_http), done=True),
    Fault("200 with HTML", _page(200), done=True),
    Fault(
        "truncated JSON",
        lambda answer: reply(200, raw=answer.body[: len(answer.body) // 2] or b"{", headers=JSON),
        done=True,
    ),
    Fault(
        "cut off", lambda answer: reply(200, raw=answer.body, length=len(answer.body) + 100, headers=JSON), done=True
    ),
    Fault("wrong types", _rewritten(_wrongly_typed), done=True),
    Fault("nulls", _rewritten(_nulled), done=True),
    Fault("unknown fields", _rewritten(_grown), done=True),
    Fault("200 with nothing", _always(reply(200)), done=True),
    Fault("204", _always(reply(204)), done=True),
    Fault("redirect elsewhere", lambda answer: reply(307, headers=[f"Location: {answer.elsewhere}/?{MARKER}"])),
    Fault("50 MB", _always(flood), done=True),
    Fault("slow drip", _always(drip), done=True),
)
