"""Errors of the layers below the routes. FastAPI handles invalid requests before they get here.

Exception
└── DirectoryError             `str()` is one line for a person
    ├── DirectoryNotFound      the id names no visible record: 404
    ├── PersonalReason         the reason of an erasure holds personal data: 422
    ├── Conflict               the request contradicts an earlier one: 409
    ├── DirectoryUnavailable   the database cannot be used: 503, or 507 if its disk is full
    ├── ContactErased          an erased contact cannot be restored: 409
    └── BackupRefused          a backup cannot be written or restored
"""

from typing import Any

NO_DIRECTORY = "There is no directory at"
"""How the message begins if a directory that does not exist was not to be created."""
NOTHING_CHANGED_HEADER = "X-Nothing-Changed"
_RETRY_LASTING_AFTER_SECONDS = 60


class DirectoryError(Exception):
    """A request or an operator's command failed for a reason that `str()` gives in one line.

    Attributes:
        status: the HTTP status of the response to the request.
        headers: further headers of the response.
        detail: the `detail` of the response's body: a text, or a list of faults for the status 422.
    """

    status = 500

    @property
    def headers(self) -> dict[str, str]:
        return {}

    @property
    def detail(self) -> str | list[dict[str, Any]]:
        return str(self)


class DirectoryNotFound(DirectoryError):
    """The id names no contact, group, member or key, or one that was deleted or erased."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class Conflict(DirectoryError):
    """An `Idempotency-Key` was used again with another body, or other records were merged meanwhile."""

    status = 409


class PersonalReason(DirectoryError):
    """The reason of an erasure, which is kept, holds personal data; `fault` says what it must not contain."""

    status = 422

    def __init__(self, fault: str) -> None:
        super().__init__(f"reason: {fault}")
        self._fault = fault

    @property
    def detail(self) -> list[dict[str, Any]]:
        """The fault as FastAPI reports an invalid field, which is what the OpenAPI document promises for a 422."""
        return [{"loc": ["body", "reason"], "msg": self._fault, "type": "personal_data"}]


class DirectoryUnavailable(DirectoryError):
    """The database cannot be used; the message has its path and what to do.

    Attributes:
        nothing_changed: the failed request has certainly changed nothing. It may have changed something if a commit
            failed, and an erasure stands even if only its journal could not be written.
        is_missing: there is no directory, and it was not to be created.
        is_lasting: trying again soon is of no use: the database cannot be opened, or has been locked for long.
    """

    nothing_changed = False
    is_missing = False
    is_lasting = False

    def __init__(self, message: str, *, status: int = 503) -> None:
        super().__init__(message)
        self.status = status

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response, from which a client learns whether to repeat the request."""
        unchanged = {NOTHING_CHANGED_HEADER: "true"} if self.nothing_changed else {}
        return {**unchanged, "Retry-After": str(_RETRY_LASTING_AFTER_SECONDS)} if self.is_lasting else unchanged


class ContactErased(DirectoryError):
    """The contact was erased, so there is nothing left to restore."""

    status = 409


class BackupRefused(DirectoryError):
    """A backup cannot be written or restored; the message says what to do. Nothing was changed."""
