"""Why a link or its file cannot be used."""


class LinkError(Exception):
    """A file cannot be sent, fetched or used; the text says why."""


class LinkNotFound(LinkError):
    """The link or file does not exist, has expired, or belongs to another caller."""


class LinkUsed(LinkError):
    """A file was sent to the link already, or is being sent."""


class NoRoom(LinkError):
    """Too many files are being transferred."""
