"""The webhook of approvers: a message without personal data when a call waits for one of them."""

import asyncio
import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import anyio

from contacts_mcp.client import is_loopback
from contacts_mcp.guard import Approval
from contacts_mcp.settings import InvalidSettings, env_name
from contacts_mcp.tools import TOOLS

TIMEOUT_SECONDS = 5.0
RETRY_PAUSES_SECONDS = (1.0, 5.0)
_RISKS = {tool.name: tool.risk.value for tool in TOOLS}
_TRANSIENT = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)

_log = logging.getLogger(__name__)


class _NotDelivered(Exception):
    """An attempt failed; `is_final` means that another one would fail, too."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class ApprovalWebhook:
    """Posts a message about each approval to a URL, in the background: a call neither waits for it nor fails with it.

    Raises InvalidSettings if the message could be read on its way. The URL may hold a secret, so it is never logged.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            self._host, _ = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host = urlsplit(""), ""
        self._is_https = parts.scheme == "https"
        if not self._host or not (self._is_https or (parts.scheme == "http" and is_loopback(self._host))):
            raise InvalidSettings(f"{env_name('approval_webhook')} should be an https URL; http is only for loopback")
        self._url = url
        self._deliveries: set[asyncio.Task[None]] = set()

    async def announce(self, approval: Approval) -> None:
        """Start to deliver the message, and return at once."""
        delivery = asyncio.create_task(self._deliver(_message_of(approval)))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(self, message: dict[str, str]) -> None:
        """Try up to three times; a failure is one line in the log."""
        reason = ""
        for pause in (0.0, *RETRY_PAUSES_SECONDS):
            await anyio.sleep(pause)
            try:
                await self._post(message)
            except _NotDelivered as exc:
                reason = str(exc)
                if exc.is_final:
                    break
            except Exception as exc:  # noqa: BLE001 - its message may quote the URL, and no call depends on it
                reason = type(exc).__name__
            else:
                return
        _log.warning("approvers were not told of %s: %s answered: %s", message["id"], self._host, reason)

    async def _post(self, message: dict[str, str]) -> None:
        import httpx

        try:
            # A proxy from the environment must not see what stays on this machine.
            with anyio.fail_after(TIMEOUT_SECONDS):
                async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=self._is_https) as client:
                    response = await client.post(self._url, json=message)  # which follows no redirect
        except (TimeoutError, httpx.TimeoutException):
            raise _NotDelivered(f"nothing within {TIMEOUT_SECONDS:.0f} seconds") from None
        except (httpx.HTTPError, OSError) as exc:
            raise _NotDelivered(f"nothing ({type(exc).__name__})") from None
        if not response.is_success:
            is_transient = response.is_server_error or response.status_code in _TRANSIENT
            raise _NotDelivered(f"status {response.status_code}", is_final=not is_transient)


def _message_of(approval: Approval) -> dict[str, Any]:
    """Return what a webhook gets: no arguments, no caller and no directory, which can name a person."""
    times = {"asked_at": approval.asked_at, "expires": approval.expires}
    return {
        "event": "approval.pending",
        "id": approval.id,
        "tool": approval.tool,
        "risk": _RISKS[approval.tool],
        **{name: f"{datetime.fromtimestamp(each, UTC):%Y-%m-%dT%H:%M:%SZ}" for name, each in times.items()},
    }
