"""The search on the platform for what is already there, before a contact and after a group is created."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contacts_mcp.tools._duplicate_check import NOT_CHECKED
from support.hosts import Host, host_of_service, host_of_writer
from support.services import UnreliableService

OLA = {"name": "Ola Nordmann", "phone_number": "+4799999999", "email": "ola@example.com"}
CREATIONS = pytest.mark.parametrize(
    ("tool", "arguments"),
    [("create_contact", OLA), ("create_contact_group", {"name": "Customers"})],
    ids=["contact", "group"],
)


class Platform:
    """The documented API; records the searches, which `fault` may replace by something else."""

    def __init__(self, fault: Callable[[], Any] | None = None) -> None:
        self.searches: list[str] = []
        self._fault = fault
        self._service = UnreliableService()

    async def respond(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.path.endswith(("/contacts", "/groups")):
            self.searches.append(request.url.params.get("search", ""))
            if self._fault:
                return await self._fault()
        return await self._service.respond(request)


async def _hang() -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _refuse() -> httpx.Response:
    return httpx.Response(403, json={"error": {"code": "FORBIDDEN", "message": "no"}})


async def _create_twice(host: Host, tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return await host.call(tool, **arguments), await host.call(tool, **arguments)


async def test_platform_is_searched_once_for_each_created_contact() -> None:
    platform = Platform()
    async with host_of_service(platform.respond) as host:
        first = await host.call("create_contact", **OLA)
        line = await host.error("create_contact", **OLA)
        await host.call("create_contact", **OLA, allow_duplicate=True)

    assert platform.searches == [OLA["phone_number"]] * 3
    assert line.startswith(f"duplicate: contact {first['id']} ")


async def test_platform_is_searched_once_for_each_created_group() -> None:
    platform = Platform()
    async with host_of_service(platform.respond) as host:
        first, again = await _create_twice(host, "create_contact_group", {"name": "Customers"})

    assert platform.searches == [""] * 2
    assert "warnings" not in first
    assert [first["id"] in warning and "has the same name" in warning for warning in again["warnings"]] == [True]


@CREATIONS
@pytest.mark.parametrize("fault", [_hang, _refuse])
async def test_search_that_hangs_or_fails_does_not_prevent_the_creation(
    monkeypatch: pytest.MonkeyPatch, tool: str, arguments: dict[str, Any], fault: Callable[[], Any]
) -> None:
    for module in ("_duplicate_check", "_group_calls"):
        monkeypatch.setattr(f"contacts_mcp.tools.{module}.SEARCH_SECONDS", 0.05)
    platform = Platform(fault)
    async with host_of_service(platform.respond) as host:
        _, again = await _create_twice(host, tool, arguments)

    assert len(platform.searches) == 2
    assert again["name"] == arguments["name"]
    assert again.get("warnings", []) == ([NOT_CHECKED] if tool == "create_contact" else [])


@CREATIONS
async def test_nothing_is_searched_for_a_caller_who_may_not_read(tool: str, arguments: dict[str, Any]) -> None:
    platform = Platform()
    async with host_of_writer(platform.respond) as service:
        _, again = await _create_twice(service, tool, arguments)

    assert platform.searches == []
    assert again.keys().isdisjoint({"warnings", "likely_duplicates"})
