"""Files that callers send and fetch over HTTP by a link, so that no file passes through a model.

A link holds a random token, which is all that a request needs. Callers name a file by its id, a part of the token's
hash. All state is in one private folder, which several processes may share. A name there is ID.OWNER.STATE:

    open      a link to which no file was sent yet
    part      a file that is being written, locked by its writer
    upload    a file that was sent
    about     name and type of a file that can be fetched
    download  the file that can be fetched
"""

from contacts_mcp.file_links._entries import MAX_FILE_BYTES
from contacts_mcp.file_links._errors import LinkError, LinkNotFound, LinkUsed, NoRoom
from contacts_mcp.file_links._links import FileLinks, FileWriter, Link, StoredFile

__all__ = [
    "MAX_FILE_BYTES",
    "FileLinks",
    "FileWriter",
    "Link",
    "LinkError",
    "LinkNotFound",
    "LinkUsed",
    "NoRoom",
    "StoredFile",
]
