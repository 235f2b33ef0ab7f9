"""The errors of calls: `ContactsError`, and a subclass for each kind of failure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

_MAX_FAULTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A field that was refused: its path, such as `tags.0`, and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class ContactsError(Exception):
    """A failed call. `str()` is one line: code, what happened, what to do next.

    Attributes:
        code: A stable name for the kind of error.
        message: What happened.
        advice: What to do next; by default that of the class.
        status: The HTTP status of the service's answer; None without an answer.
    """

    code: ClassVar[str] = "error"
    advice: str = ""

    def __init__(self, message: str, *, advice: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        if advice is not None:
            self.advice = advice

    def __str__(self) -> str:
        what = f"{self.code}: {self.message}"
        return f"{what}; {self.advice}" if self.advice else what


class AuthenticationFailed(ContactsError):
    """401: the credential is missing, wrong or expired."""

    code = "authentication_failed"
    advice = "the operator must check the WAYSCloud key (`contacts-mcp doctor` shows which one is used)"


class PermissionDenied(ContactsError):
    """403: the credential is valid, but does not permit this call."""

    code = "permission_denied"
    advice = "the operator must use a WAYSCloud key that permits this call"


class NotFound(ContactsError):
    """404: the contact or group does not exist, or was deleted."""

    code = "not_found"
    advice = "look the id up again; it may have been deleted"


class ValidationFailed(ContactsError):
    """400, 413 or 422, or refused before it was sent. `faults` names the invalid fields."""

    code = "invalid"
    advice = "correct it and call again"

    def __init__(
        self, message: str, *, faults: tuple[FieldFault, ...] = (), advice: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, advice=advice, status=status)
        self.faults = faults


def invalid_field(path: str, reason: str, advice: str | None = None) -> ValidationFailed:
    """Build the error about one field or argument."""
    fault = FieldFault(path, reason)
    return ValidationFailed(str(fault), faults=(fault,), advice=advice)


def invalid_fields(faults: Sequence[FieldFault]) -> ValidationFailed:
    """Build the error about several fields or arguments; its message names the first few."""
    shown = "; ".join(str(fault) for fault in faults[:_MAX_FAULTS_SHOWN])
    more = len(faults) - _MAX_FAULTS_SHOWN
    return ValidationFailed(f"{shown}; and {more} more" if more > 0 else shown, faults=tuple(faults))


class Conflict(ContactsError):
    """409: the record's state does not allow the change."""

    code = "conflict"
    advice = "read the record again before trying another change"


class RateLimited(ContactsError):
    """429 after all retries. `retry_after` is in seconds; None if the service did not say."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        wait = "a minute" if retry_after is None else f"{retry_after:.0f} seconds"
        super().__init__(message, advice=f"nothing was changed; wait {wait} before the next call", status=status)
        self.retry_after = retry_after


class ServerFault(ContactsError):
    """A status that no other error describes, such as 500."""

    code = "server_fault"
    advice = "try again later"


class Unreachable(ContactsError):
    """No connection, or no answer in time. Nothing was changed."""

    code = "unreachable"
    advice = "nothing was changed; check the network and the service's address, then try again"


class DirectoryUnavailable(ContactsError):
    """The service's database cannot be used. Nothing was changed."""

    code = "directory_unavailable"
    advice = "nothing was changed; the operator must do this (`contacts-mcp doctor` checks it)"


class UnreadableAnswer(ContactsError):
    """The answer is not JSON, is truncated, too large or of another shape, or redirects to another origin."""

    code = "unreadable_answer"
    advice = "the operator must check the service's address"


class FilterIgnored(ContactsError):
    """The service ignored the filter or the page number of a list, so the list is not returned."""

    code = "filter_ignored"
    advice = "omit the filter and page through the list"


class OutcomeUnknown(ContactsError):
    """A write whose answer was lost. Only reading the record back shows whether it took effect."""

    code = "outcome_unknown"
    advice = "read the record back before repeating the change, or it may be made twice"
