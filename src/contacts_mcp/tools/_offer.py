"""What the service offers to a caller: the risks that the key allows, and extensions of the documented API."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from contacts_mcp.contract import ContactsError, Risk

if TYPE_CHECKING:
    from contacts_mcp.tools._tool import Sender

_TIMEOUT_SECONDS = 2.0
_RISKS_BY_SCOPE = {"read": frozenset({Risk.READ}), "write": frozenset({Risk.WRITE, Risk.DESTROY, Risk.ERASE})}
"""What the scopes of a directory service's key allow."""


@dataclass(frozen=True, slots=True)
class ServiceOffer:
    """What the service offers to a caller.

    Attributes:
        risks: the risks that the key for the service allows.
        extensions: what the service offers beyond the documented API; None if that is not known.
    """

    risks: frozenset[Risk] = frozenset(Risk)
    extensions: frozenset[str] | None = frozenset()

    def has(self, extension: str | None) -> bool:
        """Whether the service may offer what a tool needs: the extension, or None for the documented API."""
        return extension is None or self.extensions is None or extension in self.extensions


async def ask_offer(client: "Sender") -> ServiceOffer:
    """Ask a directory service what it offers; all that it does not tell in time counts as offered."""
    scopes, extensions = None, None
    with anyio.move_on_after(_TIMEOUT_SECONDS), suppress(ContactsError):
        extensions = await client.extensions()
        scopes = await client.scopes()
    if scopes is None:
        return ServiceOffer(extensions=extensions)
    allowed = frozenset(risk for scope, risks in _RISKS_BY_SCOPE.items() if scope in scopes for risk in risks)
    return ServiceOffer(allowed, extensions)
