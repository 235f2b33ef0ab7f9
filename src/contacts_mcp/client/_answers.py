"""From an answer to the contract's records, and from a call to a request that may be sent; pure."""

import re
from functools import lru_cache
from http import HTTPStatus
from typing import cast

from pydantic import ValidationError

from contacts_mcp.client._faults import READ_BACK, SEARCH_FIRST, fault, unreadable
from contacts_mcp.client._http import Answer
from contacts_mcp.client._quoting import Quoter
from contacts_mcp.contract import (
    UUID,
    AnswerT,
    Call,
    CreateContact,
    CreateContactGroup,
    FieldFault,
    Request,
    UnreadableAnswer,
    ValidationFailed,
)


class EmptyAnswer(UnreadableAnswer):
    """Success without a body, where a record is due."""


def request_of(call: Call[AnswerT]) -> Request:
    """Build a call's request, once more certain that no id leads to another route.

    The call's own validation comes first, but does not see a call made by `model_construct`: on DELETE, an id of
    `groups` or `x/../y` must not get past. Raises ValidationFailed.
    """
    request = call.request()
    ids = _route(call.route).fullmatch(request.path)
    if ids is None:
        wrong = [name for name in call.path_fields() if not UUID.fullmatch(str(getattr(call, name)))]
        faults = tuple(FieldFault(name, "must be an id (UUID)") for name in wrong)
        raise ValidationFailed("; ".join(map(str, faults)), faults=faults)
    return request


@lru_cache(maxsize=64)
def _route(http: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+}", UUID.pattern, http.split(" ", 1)[1]))


def read(call: Call[AnswerT], answer: Answer, quoted: Quoter) -> AnswerT:
    """Read what the service answered, or raise the error that it means."""
    method = call.route.split(" ", 1)[0]
    if not is_success(answer.status):
        if answer.status in range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST):
            raise unreadable(method, f"status {answer.status} has no meaning here", status=answer.status)
        raise fault(method, answer.status, answer.body, quoted)
    if call.answer_type is None:
        return cast("AnswerT", None)
    advice = SEARCH_FIRST if isinstance(call, CreateContact | CreateContactGroup) else READ_BACK
    if not answer.body.strip():
        empty = unreadable(method, "it is empty", advice=advice, status=answer.status)
        raise EmptyAnswer(empty.message, advice=empty.next_step, status=empty.status)
    try:
        return cast("AnswerT", call.answer_type.model_validate_json(answer.body))
    except ValidationError as exc:
        raise unreadable(method, _misfit(exc), advice=advice, status=answer.status) from None


def _misfit(exc: ValidationError) -> str:
    """What is wrong with an answer, and nothing of what it says: that may be somebody's data."""
    fault = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        return "it is no JSON"
    where = ".".join(map(str, fault["loc"]))
    return f"its `{where}` is missing or of another type" if where else "it is of another shape"


def is_success(status: int) -> bool:
    """Whether a status is one of the 2xx."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
