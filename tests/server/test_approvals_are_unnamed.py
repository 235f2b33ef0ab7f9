"""Nothing that a model reads names the command with which a person decides: an agent with a shell would run it."""

import json
import re
from functools import partial

import pytest

from contacts_mcp.app import Embedded, open_reviewer
from contacts_mcp.server import Ways
from contacts_mcp.settings import load_settings
from support.hosts import each_era, host, text_of

HINTS = re.compile(
    r"contacts-mcp|terminal|command|shell|approvals?\b(?! by a person)|CONTACTS_MCP|--\w+", re.IGNORECASE
)


@pytest.fixture(autouse=True)
def short_wait(monkeypatch):
    """A call waits a moment for a person instead of 45 seconds."""
    monkeypatch.setattr("contacts_mcp.app._server.Ways", partial(Ways, hold_seconds=0.05))


@each_era
@pytest.mark.parametrize("way", ["terminal", "approver"])
async def test_what_a_model_reads_does_not_name_the_command(tmp_path, era, way):
    settings = {"approval": [way], "state_keys": ["k" * 32], "directory": tmp_path / "contacts.db"}
    async with host(tmp_path / "contacts.db", era, **settings) as model:
        client = model.client
        ola = await model.create("Ola Nordmann")
        answers = [
            await model.raw(tool, **ola, **more)
            for tool, more in (("delete_contact", {}), ("gdpr_delete_contact", {"reason": "asked"}))
        ]
        if way == "terminal":
            async with open_reviewer(load_settings(**settings), tmp_path) as reviewer:
                (deletion, *_) = await reviewer.list_pending()
                await reviewer.keep(deletion)
        answers += [await model.raw("delete_contact", **ola) for _ in range(2)]
        prompts = (await client.list_prompts()).prompts
        listed = [await client.list_tools(), await client.list_resources(), await client.list_resource_templates()]
        read = [client.instructions or "", *(each.model_dump_json() for each in (*listed, *prompts))]

    shown = [text_of(each) for each in answers]
    assert json.loads(shown[0])["reason"].startswith("waiting for ")
    assert [HINTS.findall(text) for text in (*read, *shown) if HINTS.search(text)] == []


async def test_refusal_without_a_way_to_a_person_does_not_name_the_command(tmp_path):
    async with host(Embedded(tmp_path / "contacts.db", "test"), approval=["page"]) as model:
        line = await model.error("delete_contact", **await model.create())

    assert not HINTS.search(line), line
