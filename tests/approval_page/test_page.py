"""The pages of this computer: what they show, which decisions they take, and who may not."""

import asyncio
import re
from typing import Any

import pytest

from approval_page.scenes import BOOTSTRAP_SECONDS, FORM, ORIGIN, LoopbackScene, Scene
from contacts_mcp.approval_page._app import MAX_BODY_BYTES
from support.hosts import Host


async def test_question_shows_who_asks_what_happens_and_until_when(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete(phone_number="+4790000001", company_name="Fjord AS")
    _, page = await pages.enter(approval)

    assert page.status == 200
    assert page.heading == "Delete person “Ola Nordmann”?"
    assert approval.asked_by in page.text
    assert "(as it calls itself)" in page.text
    for shown in ("Fjord AS", "+4790000001", "removed from all groups", "You can decide until"):
        assert shown in page.text


async def test_first_button_keeps_so_that_the_enter_key_does(scene: Scene, pages: LoopbackScene) -> None:
    _, page = await pages.enter(await scene.ask_to_delete())

    assert re.findall(r'<button [^>]*value="(\w+)"[^>]*>([^<]*)<', page.html) == [
        ("keep", "Keep as it is"),
        ("approve", "Delete"),
    ]


async def test_approved_call_runs_and_the_trail_names_the_page(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, _ = await pages.enter(approval)
    scene.clock.now += 7
    page = await browser.decide(approval, "approve")

    assert (page.status, page.heading) == (200, "Approved")
    assert "The assistant can go on; you can close this page." in page.text
    assert (await scene.model.call("delete_contact", **approval.arguments))["consent"] == "person"
    assert not await scene.model.has(dict(approval.arguments))
    done = [record for record in scene.trail if record["outcome"] == "done" and record["tool"] == "delete_contact"]
    assert [(each["consent"], each["approver"], each["consent_ms"]) for each in done] == [
        ("page", "this computer", 7_000)
    ]


async def test_kept_record_stays_and_the_model_reads_that_the_person_declined(
    scene: Scene, pages: LoopbackScene
) -> None:
    approval = await scene.ask_to_delete()
    browser, _ = await pages.enter(approval)
    page = await browser.decide(approval, "keep")

    assert (page.status, page.heading) == (200, "Kept as it is")
    reason = await scene.model.declined("delete_contact", **approval.arguments)
    assert reason == "the person declined; nothing was changed; do not try again"
    assert await scene.model.has(dict(approval.arguments))


async def ask_to_erase(scene: Scene, **values: Any) -> Any:
    ola = await scene.model.call("create_contact", name="Ola Nordmann", **values)
    return await scene.ask("gdpr_delete_contact", contact_id=ola["id"], reason="request")


async def test_erasure_needs_the_name_typed(scene: Scene, pages: LoopbackScene) -> None:
    approval = await ask_to_erase(scene)
    browser, page = await pages.enter(approval)
    assert "This cannot be undone." in page.text
    assert "To erase, type “ Ola Nordmann ”" in page.text

    wrong = await browser.decide(approval, "approve", typed="ola nordmann <b>")
    assert wrong.status == 422
    assert "The typed text is not the one that was asked for." in wrong.text
    assert 'value="ola nordmann &lt;b&gt;"' in wrong.html
    assert await scene.pending() == [approval]

    assert (await browser.decide(approval, "approve", typed=" Ola  Nordmann ")).heading == "Approved"
    assert (await scene.model.call("gdpr_delete_contact", **approval.arguments))["consent"] == "person"


async def test_erasure_includes_the_records_that_the_person_ticked(scene: Scene, pages: LoopbackScene) -> None:
    number = "+4790000001"
    other = await scene.model.call("create_contact", name="O. Nordmann", phone_number=number)
    left = await scene.model.call("create_contact", name="Kari Moe", phone_number=number)
    approval = await ask_to_erase(scene, phone_number=number)
    browser, page = await pages.enter(approval)
    shown = {name: field for field, name in re.findall(r'name="(also_\d)".*?<bdi>([^<]*)</bdi>', page.html)}
    assert shown.keys() == {"O. Nordmann", "Kari Moe"}

    ticked = {shown["O. Nordmann"]: "on"}
    again = await browser.decide(approval, "approve", typed="Ola", **ticked)
    assert re.findall(r'name="(also_\d)"[^>]* checked', again.html) == list(ticked)
    await browser.decide(approval, "approve", typed="Ola Nordmann", **ticked)
    await scene.model.call("gdpr_delete_contact", **approval.arguments)

    assert not await scene.model.has({"contact_id": other["id"]})
    assert await scene.model.has({"contact_id": left["id"]})


async def test_page_says_what_it_means_if_it_cannot_be_reached(scene: Scene, pages: LoopbackScene) -> None:
    """Some hosts start a server for each call, and end it with the answer; the browser has no text of ours then."""
    _, page = await pages.enter(await scene.ask_to_delete())

    assert "If the browser cannot reach this page when you decide, the program that asked has ended." in page.text


async def test_old_and_new_values_of_an_update_are_told_apart(scene: Scene, pages: LoopbackScene) -> None:
    ola = await scene.model.call("create_contact", name="Ola Nordmann", company_name="<i>Fjord A/S", notes="old")
    change = {"company_name": "<script>Fjord AS", "notes": "hidden words", "email": "ola@fjord.example"}
    approval = await scene.ask("update_contact", contact_id=ola["id"], name="Ola Nordmann", **change)
    browser, page = await pages.enter(approval)
    shown = page.html.partition("<h2>Old and new values</h2>")[2].partition("</ul>")[0]

    assert re.findall("<li>(.*?)</li>", shown) == [
        "company_name: <del>“<bdi>&lt;i&gt;Fjord A/S</bdi>”</del> → <ins>“<bdi>&lt;script&gt;Fjord AS</bdi>”</ins>",
        'email: <span class="muted">(empty)</span> → <ins>“<bdi>ola@fjord.example</bdi>”</ins>',
        "notes: 3 characters → 12 characters",
    ]
    assert "<script" not in page.html
    assert "hidden words" not in page.html
    await browser.decide(approval, "approve")
    assert (await scene.model.call("update_contact", **approval.arguments))["consent"] == "person"


async def test_old_and_new_values_of_a_bulk_update_are_told_apart(scene: Scene, pages: LoopbackScene) -> None:
    await scene.model.call("create_contact", name="Ola Nordmann", company_name="Old AS")
    change = {"search": "Ola", "set_company_name": "New AS"}
    plan = await scene.model.call("update_matching_contacts", **change)
    approval = await scene.ask("update_matching_contacts", **change, apply=True, plan=plan["plan"])
    _, page = await pages.enter(approval)

    assert "<del>“<bdi>Old AS</bdi>”</del> → <ins>“<bdi>New AS</bdi>”</ins>" in page.html


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "&amp;", "שלום עולם", "Ola\u202egnp.exe"]
)
async def test_hostile_name_stays_text(scene: Scene, pages: LoopbackScene, name: str) -> None:
    """Only the elements of the page itself are there, and a change of writing direction ends with the name."""
    _, plain = await pages.enter(await scene.ask_to_delete("Kari Moe"))
    _, page = await pages.enter(await scene.ask_to_delete(name))

    assert re.findall(r"<\w+", page.html) == re.findall(r"<\w+", plain.html)
    assert "\u202e" not in page.html
    assert page.heading.startswith("Delete person “")


async def test_decision_of_the_past_is_shown_instead_of_the_question(scene: Scene, pages: LoopbackScene) -> None:
    """Also after the call has used it."""
    approval = await scene.ask_to_delete()
    browser, _ = await pages.enter(approval)
    await browser.decide(approval, "approve")
    for _ in range(2):
        page = await browser.show(approval)
        assert (page.status, page.heading) == (200, "This was decided before")
        assert "It was approved" in page.text
        await scene.model.raw("delete_contact", **approval.arguments)


async def test_second_tab_cannot_decide_differently(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, first = await pages.enter(approval)
    second = await browser.get(pages.app.make_bootstrap(approval))
    assert (await browser.post(approval, {"token": first.token, "decision": "keep"})).status == 200

    late = await browser.post(approval, {"token": second.token, "decision": "approve"})

    assert (late.status, late.heading) == (409, "This was decided before")
    assert "person declined" in await scene.model.declined("delete_contact", **approval.arguments)


async def test_first_tab_still_decides_after_a_second_one_was_opened(scene: Scene, pages: LoopbackScene) -> None:
    approval, other = await scene.ask_to_delete(), await scene.ask_to_delete("Kari Moe")
    browser, first = await pages.enter(approval)
    await browser.get(pages.app.make_bootstrap(other))

    assert (await browser.post(approval, {"token": first.token, "decision": "keep"})).heading == "Kept as it is"


async def test_expired_question_takes_no_decision(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)
    scene.clock.now += 600

    late = await browser.post(approval, {"token": page.token, "decision": "approve"})

    assert (late.status, late.heading) == (409, "This question is no longer open")
    assert "The question was not answered in time." in late.text


async def test_changed_target_takes_no_decision(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)
    rename_from_elsewhere = Host(scene.model.client)
    await scene.api.send(_rename(approval.arguments["contact_id"]))

    late = await browser.post(approval, {"token": page.token, "decision": "approve"})

    assert (late.status, late.heading) == (409, "This question is no longer open")
    assert "The target was changed after the assistant asked." in late.text
    assert await rename_from_elsewhere.has(dict(approval.arguments))


def _rename(contact_id: str) -> Any:
    from contacts_mcp.contract import UpdateContact

    return UpdateContact(contact_id=contact_id, name="Ola Nordmann Berg")


async def test_list_shows_what_waits_and_a_single_question_is_shown_at_once(scene: Scene, pages: LoopbackScene) -> None:
    first = await scene.ask_to_delete()
    browser, _ = await pages.enter(first)
    assert (await browser.get(f"{pages.base}/")).heading == "Delete person “Ola Nordmann”?"

    scene.clock.now += 1
    second = await scene.ask_to_delete("Kari Moe")
    page = await browser.get(f"{pages.base}/")
    assert page.heading == "2 questions for you"
    assert "Ola" not in page.text
    assert re.findall(r'href="([^"]*)"', page.html) == [f"{pages.base}/{each.id}" for each in (first, second)]

    decided = await browser.decide(first, "keep")
    assert "1 more question for you" in decided.text
    await browser.decide(second, "keep")
    assert (await browser.get(f"{pages.base}/")).heading == "Nothing is waiting"


async def test_many_requests_of_one_person_at_once_are_refused(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, _ = await pages.enter(approval)
    address = f"{pages.base}/{approval.id}"

    statuses = [page.status for page in await asyncio.gather(*(browser.get(address) for _ in range(30)))]

    assert set(statuses) == {200, 429}
    assert (await browser.get(address)).status == 200


async def test_unknown_question_is_not_found(scene: Scene, pages: LoopbackScene) -> None:
    browser, _ = await pages.enter(await scene.ask_to_delete())

    for unknown in ("0" * 32, "x", "../x", "%00"):
        assert (await browser.get(f"{pages.base}/{unknown}")).status == 404


async def test_bootstrap_address_is_valid_once(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    address = pages.app.make_bootstrap(approval)
    assert (await pages.browser().get(address)).status == 200

    for browser in (pages.browser(), pages.browser()):
        again = await browser.get(address)
        assert (again.status, again.heading) == (410, "This address was used before, or is too old")
        assert not browser.client.cookies


async def test_bootstrap_address_is_valid_for_two_minutes(scene: Scene, pages: LoopbackScene) -> None:
    address = pages.app.make_bootstrap(await scene.ask_to_delete())
    scene.clock.now += BOOTSTRAP_SECONDS

    assert (await pages.browser().get(address)).status == 410


async def test_head_request_does_not_use_up_the_bootstrap_address(scene: Scene, pages: LoopbackScene) -> None:
    """Previews of links send such requests."""
    address = pages.app.make_bootstrap(await scene.ask_to_delete())
    browser = pages.browser()

    assert (await browser.client.head(address)).status_code == 405
    assert (await browser.get(address)).status == 200


async def test_browser_without_the_cookie_sees_and_decides_nothing(scene: Scene, pages: LoopbackScene) -> None:
    """Another program on this computer, even one that knows every address."""
    approval = await scene.ask_to_delete()
    _, page = await pages.enter(approval)
    stranger = pages.browser()

    for answer in (
        await stranger.show(approval),
        await stranger.get(f"{pages.base}/"),
        await stranger.post(approval, {"token": page.token, "decision": "approve"}),
    ):
        assert (answer.status, answer.heading) == (403, "This window may not see questions")
        assert "Ola" not in answer.text
    assert await scene.pending() == [approval]


async def test_session_ends_and_its_cookie_is_limited(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser = pages.browser()
    browser.client.follow_redirects = False
    entered = await browser.client.get(pages.app.make_bootstrap(approval))

    assert entered.status_code == 303
    cookie = entered.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", f"Path={pages.base}/"} <= set(cookie.split("; "))
    assert (await browser.show(approval)).status == 200
    scene.clock.now += 900
    assert (await browser.show(approval)).status == 403


async def test_every_server_on_this_computer_has_a_cookie_name_of_its_own(scene: Scene) -> None:
    """A page on another port, for which the browser has the same cookies, cannot know it."""
    approval, names = await scene.ask_to_delete(), set[str]()
    for _ in range(2):
        browser, _ = await LoopbackScene(scene).enter(approval)
        names |= set(browser.client.cookies)

    assert len(names) == 2
    assert all(re.fullmatch(r"contacts-approvals-[0-9a-f]{16}", name) for name in names)


async def test_cookie_of_another_port_does_not_replace_the_session(scene: Scene, pages: LoopbackScene) -> None:
    """It has the name of another server's cookie, or the beginning of the name, and is sent to all ports."""
    approval = await scene.ask_to_delete()
    other, _ = await LoopbackScene(scene).enter(approval)
    browser, page = await pages.enter(approval)
    for name in ("contacts-approvals", "contacts-approvals-", *other.client.cookies):
        browser.client.cookies.set(name, "x", "127.0.0.1", "/")

    assert (await browser.show(approval)).status == 200
    decided = await browser.post(approval, {"token": page.token, "decision": "approve"})
    assert decided.heading == "Approved"


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://127.0.0.1:4243", "http://localhost:4242", "https://127.0.0.1:4242", "http://evil.example"],
)
async def test_form_of_another_origin_is_refused(scene: Scene, pages: LoopbackScene, origin: str | None) -> None:
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)
    content = f"token={page.token}&decision=approve"
    headers = {**FORM, **({"Origin": origin} if origin else {})}

    answer = await browser.client.post(f"{pages.base}/{approval.id}", content=content, headers=headers)

    assert answer.status_code == 403
    assert await scene.pending() == [approval]


@pytest.mark.parametrize("host", ["localhost:4242", "127.0.0.1", "127.0.0.1:4243", "evil.example:4242", ""])
async def test_request_for_another_host_is_refused(scene: Scene, pages: LoopbackScene, host: str) -> None:
    """A web page whose name points to this computer (DNS rebinding) sends its own name."""
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)
    fields = {"token": page.token, "decision": "approve"}

    assert (await browser.get(f"{pages.base}/{approval.id}", headers={"Host": host})).status == 421
    assert (await browser.post(approval, fields, {"Host": host, "Origin": f"http://{host}"})).status == 421
    assert await scene.pending() == [approval]


async def test_token_of_another_form_is_refused(scene: Scene, pages: LoopbackScene) -> None:
    """A token belongs to one session, one question and one state of its target."""
    approval, other = await scene.ask_to_delete(), await scene.ask_to_delete("Kari Moe")
    browser, page = await pages.enter(approval)
    of_other_question = (await browser.show(other)).token
    of_other_session = (await pages.enter(approval))[1].token
    session = pages.app._sessions.find(_request_with(browser.client.cookies))
    assert session
    of_other_state = pages.app._sessions.make_token(session, approval, "another state")

    for token in (of_other_question, of_other_session, of_other_state, "", "x", page.token[:-4] + "AAAA"):
        answer = await browser.post(approval, {"token": token, "decision": "approve"})
        assert (answer.status, answer.heading) == (403, "This form is outdated")
    assert len(await scene.pending()) == 2


def _request_with(cookies: Any) -> Any:
    from starlette.requests import HTTPConnection

    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = [(b"host", ORIGIN.removeprefix("http://").encode()), (b"cookie", header.encode())]
    return HTTPConnection({"type": "http", "path": "/", "query_string": b"", "headers": headers, "scheme": "http"})


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Content-Type": "application/json"}, b'{"token": "%(token)s", "decision": "approve"}'),
        ({"Content-Type": "text/plain"}, b"token=%(token)s&decision=approve"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--"),
        (FORM, b""),
        (FORM, b"\xff\xfe"),
        (FORM, b"token=%(token)s&decision=keep&decision=approve"),
        (FORM, b"&".join(b"a%d=1" % number for number in range(100))),
    ],
)
async def test_body_that_no_form_sends_is_refused(
    scene: Scene, pages: LoopbackScene, headers: dict[str, str], content: bytes
) -> None:
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)
    body = content.replace(b"%(token)s", page.token.encode())

    answer = await browser.client.post(
        f"{pages.base}/{approval.id}", content=body, headers={**headers, "Origin": ORIGIN}
    )

    assert answer.status_code == 400
    assert await scene.pending() == [approval]


async def test_form_without_a_button_decides_nothing(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)

    for fields in ({}, {"decision": ""}, {"decision": "delete"}, {"decision": "APPROVE"}):
        answer = await browser.post(approval, {"token": page.token, **fields})
        assert answer.status == 422
        assert "Nothing was decided." in answer.text
    assert await scene.pending() == [approval]


async def test_large_body_is_refused(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)

    answer = await browser.post(approval, {"token": page.token, "decision": "keep", "typed": "x" * MAX_BODY_BYTES})

    assert answer.status == 413
    assert await scene.pending() == [approval]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE"])
async def test_other_methods_are_refused(scene: Scene, pages: LoopbackScene, method: str) -> None:
    approval = await scene.ask_to_delete()
    browser, _ = await pages.enter(approval)

    answer = await browser.client.request(method, f"{pages.base}/{approval.id}")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


async def test_every_response_is_protected(scene: Scene, pages: LoopbackScene) -> None:
    """No script, frame or other site, no copy, and a referrer that lets browsers send the origin with a form."""
    approval = await scene.ask_to_delete()
    browser, page = await pages.enter(approval)
    stranger = pages.browser()
    stranger.client.follow_redirects = False
    for each in (
        page.response,
        *page.response.history,
        (await stranger.show(approval)).response,
        (await stranger.get("/")).response,
        (await browser.post(approval, {"token": "x" * MAX_BODY_BYTES})).response,
        (await browser.get("/", headers={"Host": "x"})).response,
    ):
        assert each.headers["Cache-Control"] == "no-store"
        assert each.headers["Referrer-Policy"] == "same-origin"
        assert each.headers["X-Content-Type-Options"] == "nosniff"
        assert each.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        policy = dict(part.split(" ", 1) for part in each.headers["Content-Security-Policy"].split("; "))
        assert policy.pop("style-src").startswith("'sha256-")
        assert policy == {
            "default-src": "'none'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }


async def test_title_names_no_record(scene: Scene, pages: LoopbackScene) -> None:
    """A browser keeps titles in its history."""
    _, page = await pages.enter(await scene.ask_to_delete())

    assert "<title>Delete? · WAYSCloud Contacts</title>" in page.html


async def test_unreadable_directory_is_reported_without_a_decision(scene: Scene, pages: LoopbackScene) -> None:
    approval = await scene.ask_to_delete()
    browser, _ = await pages.enter(approval)
    await scene.api.aclose()

    page = await browser.show(approval)

    assert (page.status, page.heading) == (503, "This does not work now")
