"""Which addresses a tool's change touches."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from contacts_mcp.resources._addresses import CONTACT, GROUP, MEMBERS, Address, parse_address
from contacts_mcp.tools import Tool


class Touched(NamedTuple):
    """What a change touched: single addresses, whole kinds of them, and whether the list of groups differs."""

    addresses: frozenset[Address] = frozenset()
    kinds: frozenset[str] = frozenset()
    listing: bool = False

    def concerns(self, uri: str) -> bool:
        """Whether what this address shows may differ now."""
        address = parse_address(uri)
        return address is not None and (address.template in self.kinds or address.folded in self.addresses)


class _Touch(NamedTuple):
    """What a tool touches: `own` kinds at the ids of its arguments, `any_` kinds wherever the record appears."""

    own: frozenset[str] = frozenset()
    any_: frozenset[str] = frozenset()
    listing: bool = False


# Rows of members show a contact's fields, and a deleted contact leaves its groups; which groups it is in, nothing
# tells. So these touch every group that somebody watches: told once too often is harmless, told too seldom is not.
TOUCHES: Mapping[str, _Touch] = {
    "create_contact": _Touch(),  # in no group yet, and nobody knew its address
    "update_contact": _Touch(own=frozenset({CONTACT}), any_=frozenset({MEMBERS})),
    "delete_contact": _Touch(own=frozenset({CONTACT}), any_=frozenset({GROUP, MEMBERS})),
    "gdpr_delete_contact": _Touch(own=frozenset({CONTACT}), any_=frozenset({GROUP, MEMBERS})),
    "create_contact_group": _Touch(listing=True),
    "update_contact_group": _Touch(own=frozenset({GROUP}), listing=True),
    "delete_contact_group": _Touch(own=frozenset({GROUP, MEMBERS}), listing=True),
    "add_group_members": _Touch(own=frozenset({GROUP, MEMBERS})),
    "remove_group_member": _Touch(own=frozenset({GROUP, MEMBERS})),
    # Which of many contacts they change, and which groups these are in, nothing tells either.
    "import_contacts": _Touch(any_=frozenset({CONTACT, GROUP, MEMBERS})),
    "merge_contacts": _Touch(any_=frozenset({CONTACT, GROUP, MEMBERS})),
    "update_matching_contacts": _Touch(any_=frozenset({CONTACT, MEMBERS})),
    "add_matching_to_group": _Touch(own=frozenset({GROUP, MEMBERS})),
}
"""Every tool that changes something."""

_NOTHING = Touched()
_ID = {CONTACT: "contact_id", GROUP: "group_id", MEMBERS: "group_id"}


def touched(tool: Tool, arguments: BaseModel, answer: BaseModel) -> Touched:
    """What a call that succeeded touched: nothing, where its answer lists no changed field or is a mere plan."""
    touch = TOUCHES.get(tool.name)
    if touch is None or getattr(answer, "changed", None) == [] or getattr(answer, "applied", True) is False:
        return _NOTHING
    return Touched(frozenset(_address(kind, arguments) for kind in touch.own), touch.any_, touch.listing)


def _address(kind: str, arguments: Any) -> Address:
    identifier: str = getattr(arguments, _ID[kind])
    return Address(kind, identifier).folded
