"""What can go wrong with a call.

ContactsError
├── AuthenticationFailed   401: the credential is missing, wrong or expired
├── PermissionDenied       403: the credential may not do this
├── NotFound               404: no such contact or group
├── ValidationFailed       400, 413, 422 or refused here: `faults` name the fields
├── Conflict               409: the record is not in a state that allows this
├── RateLimited            429: `retry_after` says for how long, in seconds
├── ServerFault            any other 5xx, or a status that has no meaning here
├── Unreachable            no connection, or no answer in time, and nothing can have been changed
├── UnreadableAnswer       an answer that is no JSON, cut off, of another shape, or a redirect elsewhere
├── FilterIgnored          a list that does not honour what was asked
└── OutcomeUnknown         a write whose answer was lost: it may or may not have taken effect
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field the service (or the contract) refused: its path, such as `tags.0`, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class ContactsError(Exception):
    """A call that did not succeed. `str()` is one line: code, what happened, what to do next.

    `status` is the HTTP status that the service answered, or None where it answered nothing.
    """

    code: ClassVar[str] = "error"
    advice: ClassVar[str] = ""

    def __init__(self, message: str, *, advice: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.next_step = self.advice if advice is None else advice

    def __str__(self) -> str:
        what = f"{self.code}: {self.message}"
        return f"{what}; {self.next_step}" if self.next_step else what


class AuthenticationFailed(ContactsError):
    """401: the credential is missing, wrong or expired."""

    code = "authentication_failed"
    advice = "the operator has to check the WAYSCloud key (`contacts-mcp doctor` shows which one is used)"


class PermissionDenied(ContactsError):
    """403: the credential is valid, but may not do this."""

    code = "permission_denied"
    advice = "the operator has to use a WAYSCloud key that may do this"


class NotFound(ContactsError):
    """404: there is no such contact or group, or it was deleted."""

    code = "not_found"
    advice = "look the id up again; it may have been deleted"


class ValidationFailed(ContactsError):
    """400, 413, 422, or refused before anything was sent. `faults` name the fields."""

    code = "invalid"
    advice = "correct it and call again"

    def __init__(
        self,
        message: str,
        *,
        faults: tuple[FieldFault, ...] = (),
        advice: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, advice=advice, status=status)
        self.faults = faults


class Conflict(ContactsError):
    """409: the record is not in a state that allows this."""

    code = "conflict"
    advice = "read the record again before trying another change"


class RateLimited(ContactsError):
    """429, after the retries that fit. `retry_after` is in seconds, or None where it was not said."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        wait = "a minute" if retry_after is None else f"{retry_after:.0f} seconds"
        super().__init__(message, advice=f"nothing was changed; wait {wait} before the next call", status=status)
        self.retry_after = retry_after


class ServerFault(ContactsError):
    """Another 5xx, or a status that has no meaning here."""

    code = "server_fault"
    advice = "try again later"


class Unreachable(ContactsError):
    """No connection, or no answer in time. Nothing can have been changed."""

    code = "unreachable"
    advice = "nothing was changed; check the network and the service's address, then try again"


class UnreadableAnswer(ContactsError):
    """An answer that is no JSON, cut off, of another shape, too large, or a redirect elsewhere."""

    code = "unreadable_answer"
    advice = "the operator has to check the service's address"


class FilterIgnored(ContactsError):
    """A list that does not honour what was asked, and is therefore not shown."""

    code = "filter_ignored"
    advice = "leave the filter out and page through the list"


class OutcomeUnknown(ContactsError):
    """A write whose answer was lost. Only reading the record back tells whether it took effect."""

    code = "outcome_unknown"
    advice = "read the record back before repeating the change, or it may be made twice"
