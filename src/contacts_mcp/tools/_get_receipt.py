"""get_receipt: the receipt of an erasure, with the proof that no receipt was changed or removed."""

from pydantic import Field

from contacts_mcp.contract import MAX_RECEIPT_NUMBER, NotFound, ReadReceipt, invalid_field
from contacts_mcp.contract.models import Timestamp
from contacts_mcp.tools._answers import PanelAnswer
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._tool import Backend, read_tool

_RECEIPTS = "receipts"  # the extension with which a directory shows receipts
_NO_RECEIPTS = "cannot be read here: this service shows no receipts of erasures"
_ASK = "ask the service's operator for a confirmation, with the contact's id and the time of the erasure"


class GetReceipt(Arguments):
    """Read the receipt of an erasure, and verify the chain of all receipts."""

    number: int = Field(ge=1, le=MAX_RECEIPT_NUMBER, description="The receipt that gdpr_delete_contact answered.")


class ErasureReceipt(PanelAnswer):
    """The receipt of an erasure. It has no personal data of the contact."""

    number: int
    contact_id: str
    erased_at: Timestamp
    erased_by: str = Field(description="Who erased the contact, as the directory knows them.")
    reason: str
    fields: list[str] = Field(description="The fields that had a value.")
    hash: str
    previous_hash: str = Field(description="The hash of the receipt before; empty for the first.")
    chain_is_intact: bool = Field(description="Whether no receipt was changed, removed or inserted later.")
    chain_length: int = Field(description="The number of the last receipt.")
    chain_hash: str = Field(description="The hash of the last receipt.")
    chain_faults: list[str] = Field(description="What is wrong with the chain.")


async def _run(backend: Backend, arguments: GetReceipt) -> ErasureReceipt:
    """Raises ValidationFailed if the service shows no receipts, and NotFound if there is none with this number."""
    if _RECEIPTS not in await backend.client.extensions():
        raise invalid_field("number", _NO_RECEIPTS, _ASK)
    try:
        proof = await backend.send(ReadReceipt(number=arguments.number))
    except NotFound:
        advice = "take the number that gdpr_delete_contact answered"
        raise NotFound(f"there is no receipt {arguments.number:,} of your erasures", advice=advice) from None
    return ErasureReceipt(
        number=proof.number,
        contact_id=proof.contact_id,
        erased_at=proof.erased_at,
        erased_by=proof.actor,
        reason=proof.reason,
        fields=proof.fields,
        hash=proof.hash,
        previous_hash=proof.previous,
        chain_is_intact=not proof.chain.faults,
        chain_length=proof.chain.length,
        chain_hash=proof.chain.hash,
        chain_faults=proof.chain.faults,
    )


get_receipt = read_tool("get_receipt", GetReceipt, ErasureReceipt, _run, for_panel=True)
