"""Errors of the layers below the routes. FastAPI handles invalid requests before they get here.

Exception
└── DirectoryError             `str()` is one line for a person
    ├── DirectoryNotFound      the id names no visible record: 404
    ├── Conflict               the request contradicts an earlier one: 409
    ├── DirectoryUnavailable   the database cannot be used: 503, or 507 if its disk is full
    ├── ContactErased          an erased contact cannot be restored
    └── BackupRefused          a backup cannot be written or restored
"""


class DirectoryError(Exception):
    """A request or an operator's command failed for a reason that `str()` gives in one line.

    Attributes:
        status: the HTTP status of the response to the request.
    """

    status = 500


class DirectoryNotFound(DirectoryError):
    """The id names no contact, group, member or key, or one that was deleted or erased."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class Conflict(DirectoryError):
    """An `Idempotency-Key` was used again with another body."""

    status = 409


class DirectoryUnavailable(DirectoryError):
    """The database cannot be used; the message has its path and what to do.

    The failed request changed nothing, except in two cases: a server that stops responding during a commit may have
    carried it out, and an erasure stands even if only its journal could not be written.
    """

    def __init__(self, message: str, *, status: int = 503) -> None:
        super().__init__(message)
        self.status = status


class ContactErased(DirectoryError):
    """The contact was erased, so there is nothing left to restore."""


class BackupRefused(DirectoryError):
    """A backup cannot be written or restored; the message says what to do. Nothing was changed."""
