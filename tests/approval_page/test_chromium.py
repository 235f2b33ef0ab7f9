"""The page of this computer in Chromium: decisions, and what other windows, sites and programs try."""

from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from approval_page.scenes import Scene
from approval_page.windows import Desktop, heading_of, press
from contacts_mcp.contract import UpdateContact
from support.chromium import needs_chromium
from support.services import serve_in_threads

pytestmark = [pytest.mark.system, needs_chromium]


async def test_person_approves(scene: Scene, here: Desktop) -> None:
    approval = await scene.ask_to_delete()
    window = await here.open(approval)
    assert await heading_of(window) == "Delete person “Ola Nordmann”?"

    assert await press(window, "Delete") == "Approved"

    assert (await scene.model.call("delete_contact", **approval.arguments))["consent"] == "person"


async def test_person_keeps(scene: Scene, here: Desktop) -> None:
    approval = await scene.ask_to_delete()

    assert await press(await here.open(approval), "Keep as it is") == "Kept as it is"

    assert "the person declined" in await scene.model.declined("delete_contact", **approval.arguments)
    assert await scene.model.has(dict(approval.arguments))


async def test_typed_erasure(scene: Scene, here: Desktop) -> None:
    ola = await scene.model.create()
    approval = await scene.ask("gdpr_delete_contact", **ola, reason="request")
    window = await here.open(approval)
    await window.get_by_label("To erase, type").fill("Ola")
    assert await press(window, "Erase permanently") == "Erase permanently: person “Ola Nordmann”?"
    assert "Nothing was decided; try again." in await window.get_by_role("alert").inner_text()

    await window.get_by_label("To erase, type").fill("Ola Nordmann")
    assert await press(window, "Erase permanently") == "Approved"

    assert (await scene.model.call("gdpr_delete_contact", **approval.arguments))["consent"] == "person"


async def test_enter_key_keeps_even_if_the_name_was_typed(scene: Scene, here: Desktop) -> None:
    approval = await scene.ask("gdpr_delete_contact", **await scene.model.create(), reason="request")
    window = await here.open(approval)
    await window.get_by_label("To erase, type").fill("Ola Nordmann")
    async with window.expect_navigation():
        await window.keyboard.press("Enter")

    assert await heading_of(window) == "Kept as it is"


async def test_keyboard_reaches_keep_before_the_other_button(scene: Scene, here: Desktop) -> None:
    window = await here.open(await scene.ask_to_delete())
    reached = []
    for _ in range(2):
        await window.keyboard.press("Tab")
        reached.append(await window.evaluate("document.activeElement.innerText"))

    assert reached == ["Keep as it is", "Delete"]


async def test_expired_question(scene: Scene, here: Desktop) -> None:
    approval = await scene.ask_to_delete()
    window = await here.open(approval)
    scene.clock.now += 600

    assert await press(window, "Delete") == "This question is no longer open"


async def test_target_that_changed(scene: Scene, here: Desktop) -> None:
    approval = await scene.ask_to_delete()
    window = await here.open(approval)
    await scene.api.send(UpdateContact(contact_id=approval.arguments["contact_id"], name="Ola Nordmann Berg"))

    assert await press(window, "Delete") == "This question is no longer open"
    assert await scene.model.has(dict(approval.arguments))


async def test_page_opened_twice(scene: Scene, here: Desktop) -> None:
    """Both windows can decide; the first decision counts."""
    approval = await scene.ask_to_delete()
    first = await here.open(approval)
    scene.clock.now += 120
    second = await here.open(approval)

    assert await press(first, "Keep as it is") == "Kept as it is"
    assert await press(second, "Delete") == "This was decided before"


async def test_second_tab(scene: Scene, here: Desktop) -> None:
    """The person copies the address of the page into another tab of the same browser."""
    approval = await scene.ask_to_delete()
    first = await here.open(approval)
    second = await here.visit(first.url)

    assert await press(second, "Delete") == "Approved"
    await first.reload()
    assert await heading_of(first) == "This was decided before"


async def test_replayed_address(scene: Scene, here: Desktop) -> None:
    await here.open(await scene.ask_to_delete())
    await here.browser.clear_cookies()

    window = await here.visit(here.addresses[0])

    assert await heading_of(window) == "This address was used before, or is too old"


async def test_wrong_host(scene: Scene, here: Desktop) -> None:
    """Another name of this computer, as a web page could give it one."""
    window = await here.open(await scene.ask_to_delete())

    other = await here.visit(window.url.replace("127.0.0.1", "localhost"))

    assert await heading_of(other) == "Wrong address"


async def test_local_process_without_the_cookie(scene: Scene, here: Desktop) -> None:
    approval = await scene.ask_to_delete()
    window = await here.open(approval)
    token = await window.locator("input[name=token]").get_attribute("value")
    fields = {"token": token, "decision": "approve"}
    async with httpx.AsyncClient() as program:
        origin = window.url[: window.url.index("/", 8)]
        for answer in (
            await program.get(window.url),
            await program.post(window.url, data=fields, headers={"Origin": origin}),
        ):
            assert answer.status_code == 403
            assert "Ola" not in answer.text
    assert await scene.pending() == [approval]


@pytest.mark.parametrize("fields", ['<input name="token" value="{token}">', ""], ids=["with the token", "without"])
async def test_form_of_another_origin(scene: Scene, here: Desktop, fields: str) -> None:
    """Another port of this computer is the same site, so that the browser sends the cookie with its form."""
    approval = await scene.ask_to_delete()
    window = await here.open(approval)
    token = await window.locator("input[name=token]").get_attribute("value")
    form = f'<form method="post" action="{window.url}">{fields.format(token=token)}'
    page = f'<!doctype html>{form}<button name="decision" value="approve">Win</button></form>'.encode()

    def serve(_request: BaseHTTPRequestHandler, _body: bytes) -> Any:
        return 200, page, {"Content-Type": "text/html"}

    with serve_in_threads(serve) as address:
        other = await here.visit(address)
        await other.get_by_role("button").click()
        refused = await heading_of(other)

    assert refused == "Refused"
    assert await scene.pending() == [approval]


async def test_page_on_another_port_sees_no_cookie_and_shadows_none(scene: Scene, here: Desktop) -> None:
    """The browser has the same cookies for all ports, but sends that of the page only below its own path."""
    approval = await scene.ask_to_delete()
    window = await here.open(approval)
    seen: list[str | None] = []

    def serve(request: BaseHTTPRequestHandler, _body: bytes) -> Any:
        seen.append(request.headers["Cookie"])
        return 200, b"<!doctype html>", {"Content-Type": "text/html"}

    with serve_in_threads(serve) as address:
        other = await here.visit(address)
        await other.evaluate("for (const path of ['/', location.pathname]) "
                             "document.cookie = `contacts-approvals=x; path=${path}`")  # fmt: skip
        assert await other.evaluate("document.cookie") == "contacts-approvals=x"
    await window.reload()

    assert not any(seen)
    assert await press(window, "Delete") == "Approved"


async def test_page_cannot_be_framed(scene: Scene, here: Desktop) -> None:
    """A page around it could lay another button over its own."""
    window = await here.open(await scene.ask_to_delete())
    page = f'<!doctype html><iframe src="{window.url}"></iframe>'.encode()
    with serve_in_threads(lambda _request, _body: (200, page, {"Content-Type": "text/html"})) as address:
        other = await here.visit(address)
        framed = other.frames[1]

        assert not await framed.locator("form").count()


async def test_page_runs_no_script_and_reports_no_fault(scene: Scene, here: Desktop) -> None:
    """Its own style is allowed by its hash; a name that is markup stays a name."""
    faults: list[str] = []
    here.browser.on("weberror", lambda error: faults.append(str(error)))
    here.browser.on("console", lambda message: faults.append(message.text))
    name = '<img src="x" onerror="document.title=1">'
    window = await here.open(await scene.ask_to_delete(name))

    assert await window.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "672px"
    assert await window.title() == "Delete? · WAYSCloud Contacts"
    assert [fault for fault in faults if "favicon" not in fault] == []


@pytest.mark.parametrize(
    "name", ["Ola Nordmann", "שלום עולם", "W" * 80, "Ola " * 20], ids=["short", "rtl", "long", "words"]
)
async def test_narrow_window_does_not_scroll_sideways(scene: Scene, here: Desktop, name: str) -> None:
    approval = await scene.ask("gdpr_delete_contact", **await scene.model.create(name), reason="request")
    window = await here.open(approval)
    await window.set_viewport_size({"width": 320, "height": 640})

    assert await window.evaluate("document.documentElement.scrollWidth") == 320
