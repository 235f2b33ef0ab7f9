"""What can go wrong below the routes. Validation faults never get here: FastAPI answers them.

Exception
├── DirectoryNotFound                the id names nothing that can be seen: 404
├── Conflict               the request contradicts an earlier one: 409
└── DirectoryUnavailable   the database cannot be used: 503, or 507 where the disk is full
"""


class DirectoryNotFound(Exception):
    """404: the id names no contact, group or member, or one that was deleted or erased."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class Conflict(Exception):
    """409: an `Idempotency-Key` comes again with another body."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body; send a new one")


class DirectoryUnavailable(Exception):
    """503 or 507: the database cannot be used; `str()` is one line with its path and what to do.

    Nothing was changed by the request that met it, unless the server fell silent at its very end; and what was erased
    stays so where only the journal of it could not be written.
    """

    def __init__(self, message: str, *, status: int = 503) -> None:
        super().__init__(message)
        self.status = status
