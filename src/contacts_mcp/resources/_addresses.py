"""The addresses of what can be read: contacts, groups, the members of a group, and what was exported."""

import re
from typing import NamedTuple

from contacts_mcp.contract import UUID
from contacts_mcp.tools import DOWNLOAD_URI_TEMPLATE

CONTACT = "contacts://contacts/{id}"
GROUP = "contacts://groups/{id}"
MEMBERS = "contacts://groups/{id}/members"

_PATTERNS = {
    template: re.compile(re.escape(template).replace(r"\{id\}", f"({UUID.pattern})"))
    for template in (CONTACT, GROUP, MEMBERS, DOWNLOAD_URI_TEMPLATE)
}


class Address(NamedTuple):
    """A template, and the id that fills it."""

    template: str
    id: str

    @property
    def folded(self) -> "Address":
        """The same for every way to write the id."""
        return self._replace(id=self.id.lower())


def parse_address(uri: str) -> Address | None:
    """What an address names; None where it is none of ours, or holds no id."""
    for template, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(uri):
            return Address(template, found[1])
    return None
