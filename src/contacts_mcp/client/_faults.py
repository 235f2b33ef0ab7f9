"""From a status and a body to a typed error; pure.

Two body shapes are in use: the documented `{"error": {"code", "message", "details": {"field", "expected"}}}` and
FastAPI's `{"detail": "…"}` or `{"detail": [{"loc", "msg"}]}`. Values the service quotes back are left out.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from contacts_mcp.client._quoting import Quoter
from contacts_mcp.contract import (
    AuthenticationFailed,
    Conflict,
    ContactsError,
    FieldFault,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerFault,
    UnreadableAnswer,
    ValidationFailed,
)

READ_BACK = "the change may have been made: read the record back before repeating it"
SEARCH_FIRST = "the record may have been created: search for it before creating it again"

_MOST_FAULTS = 10
_REQUEST_PARTS = ("body", "query", "path", "header")
_PLAIN: dict[int, type[ContactsError]] = {
    HTTPStatus.UNAUTHORIZED: AuthenticationFailed,
    HTTPStatus.FORBIDDEN: PermissionDenied,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
}
_INVALID = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says: a code such as INVALID_PARAMETER, quoted words, and faults by field."""

    code: str = ""
    words: str = ""
    faults: tuple[FieldFault, ...] = ()


def unreadable(method: str, why: str, *, advice: str = READ_BACK, status: int | None = None) -> UnreadableAnswer:
    """An answer that is of no use; after a write, `advice` says that it may have been made all the same."""
    message = f"the service's answer cannot be used: {why}"
    return UnreadableAnswer(message, advice=None if method == "GET" else advice, status=status)


def fault(method: str, status: int, body: bytes, quoted: Quoter, *, retry_after: float | None = None) -> ContactsError:
    """The error that a status other than 2xx means."""
    complaint = read_complaint(body, quoted)
    said = "; ".join(map(str, complaint.faults)) or complaint.words
    message = f"the service answered {status}" + f" {complaint.code}".rstrip() + (f": {said}" if said else "")
    if status in _PLAIN:
        return _PLAIN[status](message, status=status)
    if status in _INVALID:
        return ValidationFailed(message, faults=complaint.faults, status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(message, retry_after=retry_after, status=status)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerFault(f"{message} (a status that has no meaning here)", status=status, advice=_advice(method))
    return ServerFault(message, status=status, advice=_advice(method, retry_after))


def _advice(method: str, retry_after: float | None = None) -> str | None:
    if method != "GET":
        return READ_BACK
    return None if retry_after is None else f"try again in {retry_after:.0f} seconds"


def read_complaint(body: bytes, quoted: Quoter) -> Complaint:
    """Read an error body of either shape; one of no shape says nothing that was meant for callers."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return Complaint()
    if not isinstance(content, dict):
        return Complaint()
    if isinstance(error := content.get("error"), dict):
        return _documented(error, quoted)
    detail = content.get("detail")
    if isinstance(detail, list):
        return Complaint(faults=tuple(_fastapi(detail[:_MOST_FAULTS], quoted)))
    words = next((said for said in (detail, error, content.get("message")) if isinstance(said, str)), "")
    return Complaint(words=quoted(words) if words else "")


def _documented(error: dict[str, Any], quoted: Quoter) -> Complaint:
    code, words, details = (error.get(name) for name in ("code", "message", "details"))
    said = quoted(words) if isinstance(words, str) else ""
    faults: tuple[FieldFault, ...] = ()
    if isinstance(details, dict) and isinstance(details.get("field"), str):
        expected = details.get("expected")
        reason = said + (f", expected {quoted(str(expected))}" if expected else "")
        faults = (FieldFault(_path(details["field"].split(".")), reason),)
    is_code = re.fullmatch(r"[A-Z][A-Z_]{1,40}", str(code))
    return Complaint(str(code) if is_code else "", said, faults)


def _fastapi(detail: list[Any], quoted: Quoter) -> Iterator[FieldFault]:
    for item in detail:
        if isinstance(item, dict):
            loc = item.get("loc")
            yield FieldFault(_path(loc if isinstance(loc, list) else []), quoted(str(item.get("msg", ""))))


def _path(steps: list[Any]) -> str:
    """A field's path, such as `tags.0`. Only what can be a field's name is kept."""
    within = steps[1:] if steps and steps[0] in _REQUEST_PARTS else steps
    return ".".join(str(step) for step in within if re.fullmatch(r"[a-z_]{1,30}|[0-9]{1,6}", str(step)))
