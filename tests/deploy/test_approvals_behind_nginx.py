"""Two replicas behind nginx: asked on one, decided on whichever shows the page, run once."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import mcp_types as types
import pytest

from deploy.files import HOST
from deploy.servers import Fleet, needs_nginx, run_compose_redis, run_fleet
from support.hosts import MODERN, answer_of, deleted
from support.processes import API_KEY, needs_redis

pytestmark = [needs_nginx, needs_redis, pytest.mark.system]
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two replicas that share Redis, and give people the address of a page."""
    with ExitStack() as running:
        redis = running.enter_context(run_compose_redis())
        variables = {"CONTACTS_MCP_REDIS_URL": redis, "CONTACTS_MCP_APPROVAL": "url"}
        yield running.enter_context(run_fleet(tmp_path_factory.mktemp("fleet"), **variables))


class PersonWithBrowser:
    """The person at the host: opens the address in a browser, logs in with the key, and presses a button."""

    def __init__(self, fleet: Fleet, button: str, key: str = API_KEY) -> None:
        self._fleet, self._button, self._key = fleet, button, key
        self.shown = ""

    async def __call__(self, _context: object, params: Any) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        assert params.url.startswith(f"https://{HOST}/approvals/")
        async with self._fleet.proxy.client() as browser:
            self.shown = await self.decide(browser, params.url)
        return types.ElicitResult(action="accept")

    async def decide(self, browser: httpx2.AsyncClient, address: str) -> str:
        origin = {"Origin": f"https://{HOST}"}
        assert "password" in (await browser.get(address)).text
        page = await browser.post(address, data={"key": self._key}, headers=origin, follow_redirects=True)
        token = _TOKEN.search(page.text)
        if token is None:
            return page.text
        form = {"token": token[1], "decision": self._button}
        return (await browser.post(address, data=form, headers=origin)).text


async def delete_ola(fleet: Fleet, person: PersonWithBrowser) -> tuple[dict[str, str], dict[str, Any], bool]:
    """Delete a contact; return it, the answer of the call, and whether it is still there."""
    async with fleet.host(MODERN, person) as host:  # type: ignore[arg-type]
        ola = await host.create()
        answer = answer_of(await host.raw("delete_contact", **ola))
        return ola, answer, await host.has(ola)


async def test_person_agrees_on_a_page_of_any_replica_and_the_call_runs(fleet: Fleet) -> None:
    fleet.proxy.answered.clear()
    for _ in range(4):
        ola, answer, is_there = await delete_ola(fleet, PersonWithBrowser(fleet, "approve"))

        assert answer == deleted(ola["contact_id"], "Ola Nordmann")
        assert not is_there

    assert set(fleet.replicas_called("delete_contact")) == set(fleet.addresses())


async def test_person_who_keeps_the_contact_is_reported_as_declining(fleet: Fleet) -> None:
    _, answer, is_there = await delete_ola(fleet, PersonWithBrowser(fleet, "keep"))

    assert answer["reason"].startswith("the person declined")
    assert is_there


async def test_agreed_call_that_is_sent_many_times_at_once_runs_once(fleet: Fleet) -> None:
    async with fleet.host(MODERN, PersonWithBrowser(fleet, "approve")) as host:  # type: ignore[arg-type]
        ola = await host.create()
        asked = await host.client.session.call_tool("delete_contact", ola, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        (request,) = (asked.input_requests or {}).values()
        await PersonWithBrowser(fleet, "approve")(None, request.params)
        calls = [host.raw("delete_contact", **ola) for _ in range(20)]
        results = await asyncio.gather(*calls)
        done = [result for result in results if not result.is_error and (result.structured_content or {}).get("done")]

        assert len(done) == 1
        assert not await host.has(ola)
