"""A person who answers a form after the call that asked has ended, over HTTP in the legacy era."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.server import Ways
from network.servers import replica_here
from support.raw_hosts import LegacySession, accepted


class SlowPerson(LegacySession):
    """Leaves each form open; `answer` fills it in."""

    forms: list[dict[str, Any]]

    async def _hear(self, data: str) -> None:
        message = json.loads(data or "{}")
        if message.get("method") == "elicitation/create":
            self.forms.append(message)

    async def answer(self, decision: str) -> None:
        await self.post(accepted(self.forms[-1], decision=decision), self._answering)


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits a moment for a person instead of 45 seconds."""
    monkeypatch.setattr("contacts_mcp.app._server.Ways", partial(Ways, hold_seconds=0.3))


@pytest.mark.parametrize(("decision", "is_there"), [("delete", False), ("keep", True)])
async def test_answer_counts_in_the_call_that_is_made_again(tmp_path: Path, decision: str, is_there: bool) -> None:
    async with (
        replica_here(tmp_path, directory=tmp_path / "contacts.db", approval=["form"]) as port,
        SlowPerson(port) as host,
    ):
        host.forms = []
        ola = {"contact_id": (await host.call("create_contact", name="Ola Nordmann")).content["id"]}
        waiting = (await host.call("delete_contact", **ola)).content
        await host.answer(decision)
        answer = (await host.call("delete_contact", **ola)).content
        read = await host.call("get_contact", **ola)

    assert waiting["reason"].startswith("waiting for a person: the question is still open in this host")
    assert len(host.forms) == 1
    assert answer["done"] is not is_there
    assert read.failed is not is_there
