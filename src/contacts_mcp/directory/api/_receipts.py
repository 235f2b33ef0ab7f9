"""The route for a receipt of an erasure, with the proof that no receipt was changed or removed."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from contacts_mcp.directory import store
from contacts_mcp.directory.api._requests import CurrentTenant
from contacts_mcp.directory.api._responses import returns
from contacts_mcp.directory.database import Database
from contacts_mcp.hash_chain import ChainEnd, ChainRecord, ChainVerifier

receipts_router = APIRouter(prefix="/v1/directory", tags=["Extensions"])

_MAX_NUMBER = 2**62
_PAGE_SIZE = 1_000  # receipts that are read, and then verified in a thread, at a time
_MAX_FAULTS = 5

ReceiptNumber = Annotated[int, Path(ge=1, le=_MAX_NUMBER)]


@receipts_router.get("/receipts/{number}", summary="Read receipt of an erasure")
@returns("ReceiptProof")
async def read_receipt(tenant: CurrentTenant, number: ReceiptNumber) -> JSONResponse:
    """Read a receipt of an erasure by its number, and verify the hash chain of all receipts of the directory.

    Without `faults`, no receipt was changed, removed or inserted since it was written. Only receipts of the caller's
    own contacts are found.
    """
    receipt = await tenant.database.read(store.read_receipt, tenant.id, number)
    end, faults = await _verify_chain(tenant.database, including=receipt["seq"])
    names = ("contact_id", "erased_at", "fields", "actor", "reason", "previous", "hash")
    chain = {"length": end.seq, "hash": end.hash, "faults": faults[:_MAX_FAULTS]}
    return JSONResponse({"number": receipt["seq"], **{name: receipt[name] for name in names}, "chain": chain})


async def _verify_chain(database: Database, *, including: int) -> tuple[ChainEnd, list[str]]:
    """Verify the receipts up to the last one, or up to `including`, which was read before and must be part of them.

    Return the last one, and what is wrong with the receipts, a sentence for each fault.
    """
    end = await database.read(store.receipt_chain_end)
    verifier, faults = ChainVerifier(noun="receipt"), list[str]()
    after, last = 0, max(end.seq, including)
    while after < last and (rows := await database.read(partial(_read_page, after=after))):
        after = rows[-1]["seq"]
        # Receipts that were added meanwhile are not part of the chain up to `end`.
        faults += await asyncio.to_thread(_check, verifier, [row for row in rows if row["seq"] <= last])
    return end, [*faults, *store.check_receipt_end(verifier.end, end)]


def _read_page(connection: Connection, *, after: int) -> list[ChainRecord]:
    return list(store.read_receipts(connection, after, _PAGE_SIZE))


def _check(verifier: ChainVerifier, rows: Sequence[ChainRecord]) -> list[str]:
    return [fault for row in rows for fault in verifier.check(row)]
