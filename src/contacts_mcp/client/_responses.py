"""From a call to its request, and from a response to the contract's records or errors. Does no I/O.

Two shapes of error bodies are in use: the documented `{"error": {"code", "message", "details": {"field",
"expected"}}}` and FastAPI's `{"detail": "…"}` or `{"detail": [{"loc", "msg"}]}`. Values that the service quotes back
are left out.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, cast

from pydantic import ValidationError

from contacts_mcp.contract import UUID, AnswerT, Call, ContactsError, FieldFault, Request, calls, errors

READ_BACK = "the change may have been made: read the record back before repeating it"
SEARCH_FIRST = "the record may have been created: search for it before creating it again"
SUCCESS = range(200, 300)

Quote = Callable[[str], str]
"""Makes the service's text safe to show in a message; see `quote_without_keys`."""

_REDIRECTION = range(300, 400)
_MAX_FAULTS = 10
_REQUEST_PARTS = ("body", "query", "path", "header")
_ERROR_BY_STATUS: dict[int, type[ContactsError]] = {
    HTTPStatus.UNAUTHORIZED: errors.AuthenticationFailed,
    HTTPStatus.FORBIDDEN: errors.PermissionDenied,
    HTTPStatus.NOT_FOUND: errors.NotFound,
    HTTPStatus.CONFLICT: errors.Conflict,
}
_INVALID = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """A response, read completely."""

    status: int
    body: bytes
    location: str | None = None
    retry_after: str | None = None
    nothing_changed: bool = False
    """The directory says so, because it could not use its database."""


_NUMBER_FIELD = "number"
"""The only field of a path that is not an id."""
_NUMBER = re.compile("[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The content of an error body: a code such as INVALID_PARAMETER, a quoted message, and faults by field."""

    code: str = ""
    message: str = ""
    faults: tuple[FieldFault, ...] = ()


class EmptyAnswer(errors.UnreadableAnswer):
    """Success without a body, although the call's answer is a record."""


def build_request(call: Call[AnswerT]) -> Request:
    """Build a call's request and check again that its ids lead to no other route.

    The call validates its ids, but `model_construct` bypasses that: a DELETE of `groups` or `x/../y` must not be sent.
    Raises ValidationFailed if an id is no UUID, or a number no positive one.
    """
    request = call.request()
    if _path_pattern(call.path).fullmatch(request.path) is None:
        invalid = [name for name in call.path_fields if not _pattern_of(name).fullmatch(str(getattr(call, name)))]
        expected = {name: "a positive number" if name == _NUMBER_FIELD else "an id (UUID)" for name in invalid}
        faults = tuple(FieldFault(name, f"must be {what}") for name, what in expected.items())
        raise errors.ValidationFailed("; ".join(map(str, faults)), faults=faults)
    return request


@lru_cache(maxsize=64)
def _path_pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{(\w+)}", lambda field: _pattern_of(field[1]).pattern, path))


def _pattern_of(field: str) -> re.Pattern[str]:
    return _NUMBER if field == _NUMBER_FIELD else UUID


def read_answer(call: Call[AnswerT], response: ServiceResponse, quote: Quote) -> AnswerT:
    """Read the call's answer from a response, or raise the error that the response means."""
    status, method = response.status, call.method
    if status in _REDIRECTION:
        raise unreadable_answer(method, f"status {status} is not expected", status=status)
    if status not in SUCCESS:
        raise error_for_status(method, status, response.body, quote)
    if call.answer_type is None:
        return cast("AnswerT", None)
    advice = SEARCH_FIRST if isinstance(call, calls.CreateContact | calls.CreateContactGroup) else READ_BACK
    if not response.body.strip():
        raise unreadable_answer(method, "it is empty", advice=advice, status=status, error=EmptyAnswer)
    try:
        return cast("AnswerT", call.answer_type.model_validate_json(response.body))
    except ValidationError as exc:
        raise unreadable_answer(method, _mismatch(exc), advice=advice, status=status) from None


def _mismatch(exc: ValidationError) -> str:
    """Describe how an answer differs from the contract, without its values: they may be personal data."""
    mismatch = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    if mismatch["type"] == "json_invalid":
        return "it is not JSON"
    path = ".".join(map(str, mismatch["loc"]))
    return f"its `{path}` is missing or has the wrong type" if path else "it has the wrong structure"


def unreadable_answer(
    method: str,
    reason: str,
    *,
    advice: str = READ_BACK,
    status: int | None = None,
    error: type[errors.UnreadableAnswer] = errors.UnreadableAnswer,
) -> errors.UnreadableAnswer:
    """Make the error for an unusable response; after a write, `advice` says that the write may have been made."""
    message = f"the service's answer cannot be used: {reason}"
    return error(message, advice=None if method == "GET" else advice, status=status)


def error_for_status(
    method: str, status: int, body: bytes, quote: Quote, *, retry_after: float | None = None
) -> ContactsError:
    """Make the error that a status outside 2xx and its body mean."""
    reported = parse_error_body(body, quote)
    details = "; ".join(map(str, reported.faults)) or reported.message
    message = f"the service answered {status}" + f" {reported.code}".rstrip() + (f": {details}" if details else "")
    if status in _ERROR_BY_STATUS:
        return _ERROR_BY_STATUS[status](message, status=status)
    if status in _INVALID:
        return errors.ValidationFailed(message, faults=reported.faults, status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return errors.RateLimited(message, retry_after=retry_after, status=status)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        message += " (an unexpected status)"
    advice = None if retry_after is None else f"try again in {retry_after:.0f} seconds"
    return errors.ServerFault(message, status=status, advice=advice if method == "GET" else READ_BACK)


def directory_unavailable(response: ServiceResponse, quote: Quote) -> errors.DirectoryUnavailable:
    """Make the error for a directory that could not use its database; its message says what to do."""
    reason = parse_error_body(response.body, quote).message or "it cannot be used now"
    return errors.DirectoryUnavailable(f"the directory answered {response.status}: {reason}", status=response.status)


def parse_error_body(body: bytes, quote: Quote) -> ErrorBody:
    """Read an error body of either shape; any other body, such as a gateway's page, is not shown to callers."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody()
    if not isinstance(content, dict):
        return ErrorBody()
    if isinstance(error := content.get("error"), dict):
        return _documented_body(error, quote)
    detail = content.get("detail")
    if isinstance(detail, list):
        return ErrorBody(faults=tuple(_fastapi_faults(detail[:_MAX_FAULTS], quote)))
    message = next((text for text in (detail, error, content.get("message")) if isinstance(text, str)), "")
    return ErrorBody(message=quote(message) if message else "")


def _documented_body(error: dict[str, Any], quote: Quote) -> ErrorBody:
    code, text, details = (error.get(name) for name in ("code", "message", "details"))
    message = quote(text) if isinstance(text, str) else ""
    faults: tuple[FieldFault, ...] = ()
    if isinstance(details, dict) and isinstance(details.get("field"), str):
        expected = details.get("expected")
        reason = message + (f", expected {quote(str(expected))}" if expected else "")
        faults = (FieldFault(_field_path(details["field"].split(".")), reason),)
    is_code = re.fullmatch(r"[A-Z][A-Z_]{1,40}", str(code))
    return ErrorBody(str(code) if is_code else "", message, faults)


def _fastapi_faults(detail: list[Any], quote: Quote) -> Iterator[FieldFault]:
    for item in detail:
        if isinstance(item, dict):
            loc = item.get("loc")
            yield FieldFault(_field_path(loc if isinstance(loc, list) else []), quote(str(item.get("msg", ""))))


def _field_path(steps: list[Any]) -> str:
    """Join a field's path, such as `tags.0`; keeps only what can be a field's name or an index."""
    steps = steps[1:] if steps and steps[0] in _REQUEST_PARTS else steps
    return ".".join(str(step) for step in steps if re.fullmatch(r"[a-z_]{1,30}|[0-9]{1,6}", str(step)))
