"""Writing several contacts in one transaction, each of them for itself."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from contacts_mcp.directory import store
from contacts_mcp.directory.api.bodies import IdentifiedChanges, NewContact

Outcome = dict[str, Any]
"""`status` as in HTTP, with the `id` where a contact was written, else a `detail` without what was sent."""

_NEW, _CHANGES = TypeAdapter(NewContact), TypeAdapter(IdentifiedChanges)
_MOST_FAULTS = 5


class Checked:
    """The items of a batch that can be written, and why the others can not; made outside of the transaction."""

    def __init__(self, creates: Sequence[Any], updates: Sequence[Any]) -> None:
        self.outcomes: list[Outcome] = [{} for _ in (*creates, *updates)]
        self.creates = self._passing(_NEW, creates, 0)
        self.updates = self._passing(_CHANGES, updates, len(creates))

    def _passing(self, model: TypeAdapter[Any], items: Sequence[Any], first: int) -> dict[int, Any]:
        passing: dict[int, Any] = {}
        for place, item in enumerate(items, first):
            try:
                passing[place] = model.validate_python(item)
            except ValidationError as exc:
                self.outcomes[place] = {"status": 422, "detail": _faults(exc)}
        return passing


def write_batch(connection: Connection, tenant: int, batch: Checked) -> list[Outcome]:
    """Write what can be written; the outcomes of all, creates first. All of it takes effect, or nothing."""
    outcomes = list(batch.outcomes)  # the transaction may run again
    new = store.create_contacts(connection, tenant, [body.model_dump() for body in batch.creates.values()])
    for place, row in zip(batch.creates, new, strict=True):
        outcomes[place] = {"status": 201, "id": row["id"]}
    changes = [(body.id, body.model_dump(exclude_unset=True, exclude={"id"})) for body in batch.updates.values()]
    there = store.update_contacts(connection, tenant, changes)
    for place, body in batch.updates.items():
        outcomes[place] = {"status": 200, "id": body.id} if body.id in there else _MISSING
    return outcomes


_MISSING: Outcome = {"status": 404, "detail": "Contact not found"}


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_FAULTS]
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
