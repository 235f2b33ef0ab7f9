"""The webhook of approvers: what it gets, and that a call neither waits for it nor fails with it."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from functools import partial

import pytest

from contacts_mcp.app import build_app
from contacts_mcp.app._backends import Embedded
from contacts_mcp.app._webhook import ApprovalWebhook
from contacts_mcp.guard import Approval
from contacts_mcp.server import Ways
from contacts_mcp.settings import InvalidSettings, load_settings
from support.hosts import host
from support.processes import free_port, wait_until
from support.services import serve_app

PATH = "/hooks/s3cr3t"
APPROVAL = Approval("0123", "delete_contact", {"contact_id": "ola"}, "", "key:1", "", "a host 1", 1_700_000_000.0, 2e9)
MESSAGE = {
    "event": "approval.pending",
    "id": "0123",
    "tool": "delete_contact",
    "risk": "destroy",
    "asked_at": "2023-11-14T22:13:20Z",
    "expires": "2033-05-18T03:33:20Z",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No pauses between attempts, and a call that waits a moment for a person."""
    monkeypatch.setattr("contacts_mcp.app._webhook.RETRY_PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("contacts_mcp.app._server.Ways", partial(Ways, hold_seconds=0.05))


class Receiver:
    """A web server that answers each message with the next status, or the last one; None is never answered."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.received = []
        self.released = asyncio.Event()

    async def __call__(self, scope, receive, send):
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        self.received.append((scope["method"], scope["path"], json.loads(body)))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            await self.released.wait()
            return
        headers = [(b"location", b"/elsewhere")] if status == 307 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def receiving(*statuses):
    receiver = Receiver(*statuses)
    async with serve_app(receiver) as server:
        yield receiver, f"{server.url}{PATH}"
        receiver.released.set()


async def delivered(webhook):
    """Announce an approval, and wait until it was delivered or not."""
    await webhook.announce(APPROVAL)
    await wait_until(lambda: not webhook._deliveries)


async def test_message_has_no_personal_data():
    """Neither the arguments, nor the caller, the host or the directory."""
    async with receiving(204) as (receiver, url):
        await delivered(ApprovalWebhook(url))

    assert receiver.received == [("POST", PATH, MESSAGE)]


@pytest.mark.parametrize(
    ("statuses", "attempts", "logged"),
    [
        ([500, 200], 2, ""),
        ([429, 503, 200], 3, ""),
        ([500, 500, 500], 3, "status 500"),
        ([404], 1, "status 404"),
        ([307], 1, "status 307"),
    ],
    ids=["recovers", "recovers late", "fails", "not found", "redirect"],
)
async def test_failed_delivery_is_repeated_twice_and_logged_in_one_line(caplog, statuses, attempts, logged):
    """A redirect is not followed, and an address that the receiver does not know is not tried again."""
    caplog.set_level(logging.INFO)
    async with receiving(*statuses) as (receiver, url):
        await delivered(ApprovalWebhook(url))

    ours = [each.getMessage() for each in caplog.records if each.name == "contacts_mcp.app._webhook"]
    assert {path for _, path, _ in receiver.received} == {PATH}
    assert len(receiver.received) == attempts
    assert ours == ([f"approvers were not told of 0123: 127.0.0.1 answered: {logged}"] if logged else [])


async def test_receiver_that_is_away_or_silent_is_given_up(caplog, monkeypatch):
    monkeypatch.setattr("contacts_mcp.app._webhook.TIMEOUT_SECONDS", 0.1)
    with free_port() as port:
        await delivered(ApprovalWebhook(f"http://127.0.0.1:{port}{PATH}"))
    async with receiving(None, None, None) as (_, url):
        await delivered(ApprovalWebhook(url))

    away, silent = (each.getMessage() for each in caplog.records if each.name == "contacts_mcp.app._webhook")
    assert away.endswith("127.0.0.1 answered: nothing (ConnectError)")
    assert "127.0.0.1 answered: nothing within " in silent
    assert "s3cr3t" not in away + silent


@pytest.mark.parametrize(
    "url", ["http://example.com/s3cr3t", "ftp://127.0.0.1/s3cr3t", "s3cr3t", "https://", "http://[s3cr3t", "//x/s3cr3t"]
)
def test_unsafe_address_stops_the_start_and_is_not_repeated(url):
    with pytest.raises(InvalidSettings, match="APPROVAL_WEBHOOK should be an https URL") as raised:
        ApprovalWebhook(url)

    assert "s3cr3t" not in str(raised.value)


def test_webhook_without_approvers_stops_the_start(tmp_path):
    settings = load_settings(approval_webhook="https://example.com/s3cr3t")

    with pytest.raises(InvalidSettings, match="add approver to CONTACTS_MCP_APPROVAL"):
        build_app(settings, Embedded(tmp_path / "contacts.db", "test"))
    assert "s3cr3t" not in repr(settings)


@pytest.mark.parametrize("status", [200, None], ids=["answered", "silent"])
async def test_call_that_waits_for_an_approver_is_announced_once(tmp_path, status):
    """The call is answered also while the receiver is silent."""
    async with receiving(status) as (receiver, url):
        settings = {"approval": ["approver"], "approval_webhook": url}
        async with host(tmp_path / "contacts.db", **settings) as model:
            ola = await model.create()
            reasons = [await model.declined("delete_contact", **ola) for _ in range(2)]
            await wait_until(lambda: receiver.received)

    message, *repeated = (body for _, _, body in receiver.received)
    if status:  # else the delivery is repeated
        assert repeated == []
    assert [reason.startswith("waiting for approval") for reason in reasons] == [True, True]
    assert (message["tool"], message["risk"]) == ("delete_contact", "destroy")
    assert message.keys() == MESSAGE.keys()


async def test_call_that_needs_no_consent_is_not_announced(tmp_path):
    async with receiving(204) as (receiver, url):
        settings = {"approval": ["approver"], "approval_webhook": url}
        async with host(tmp_path / "contacts.db", **settings) as model:
            await model.create()

    assert receiver.received == []
