"""Who reaches the console of this computer: its own page in the window that the command opened, and nothing else."""

import signal
from pathlib import Path

import httpx
import pytest

from console.conftest import Start
from console.pages import CONSOLE_TOOLS, PORT, Computer, Page, result_of
from contacts_mcp.console._loopback import BOOTSTRAP_SECONDS
from support.processes import wait_until
from support.raw_hosts import CONTENT, modern, routing


async def test_page_lists_and_calls_the_tools_of_the_console(computer: Computer) -> None:
    page = await computer.enter()

    assert await page.tools() >= CONSOLE_TOOLS | {"list_contacts", "import_contacts"}
    assert await page.call("list_approvals") == {"approvals": []}


async def test_page_may_load_nothing_and_be_framed_by_no_site(computer: Computer) -> None:
    page = await computer.enter()
    shown = await page.client.get(page.base)

    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert shown.headers["Cache-Control"] == "no-store"
    assert 'data-place="computer" data-backend="the test"' in shown.text


async def test_view_runs_without_an_origin_and_only_in_the_page(computer: Computer) -> None:
    page = await computer.enter()
    view = await page.client.get(f"{page.base}view/plan.html")

    assert view.status_code == 200
    assert 'data-view="plan"' in view.text
    policy = view.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "frame-ancestors 'self'" in policy
    assert "connect-src" not in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["approvals", "nothing", "..%2fconsole"])
async def test_other_views_do_not_exist(computer: Computer, name: str) -> None:
    page = await computer.enter()

    assert (await page.client.get(f"{page.base}view/{name}.html")).status_code == 404


async def test_address_opens_the_console_once(computer: Computer) -> None:
    await computer.enter()
    again = await computer.client().get(computer.opened)

    assert again.status_code == 410
    assert "used before, or is too old" in again.text


async def test_address_is_too_old_after_two_minutes(computer: Computer) -> None:
    computer.clock.now += BOOTSTRAP_SECONDS

    assert (await computer.client().get(computer.opened)).status_code == 410


async def test_wrong_address_does_not_use_up_the_right_one(computer: Computer) -> None:
    wrong = computer.opened.rpartition("/")[0] + "/" + "x" * 43
    assert (await computer.client().get(wrong)).status_code == 410

    assert (await computer.enter()).base


@pytest.mark.parametrize("path", ["/", "/console/", "/console/mcp", "/mcp", "/sse", "/healthz", "/approvals/"])
async def test_nothing_is_outside_of_the_random_path(computer: Computer, path: str) -> None:
    answer = await computer.client().get(path)

    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:4242", "127.0.0.1:4243", "127.0.0.1", "attacker.example"])
async def test_other_host_is_refused(computer: Computer, host: str) -> None:
    """A web page can give this computer a name of its own (DNS rebinding)."""
    page = await computer.enter()

    assert (await page.send("tools/list", {"Host": host})).status_code == 421
    assert (await page.client.get(page.base, headers={"Host": host})).status_code == 421


async def test_protocol_outside_of_the_console_is_refused_even_with_the_cookie(computer: Computer) -> None:
    page = await computer.enter()
    plain = page.base.removesuffix("console/")
    headers = dict(CONTENT) | dict(routing("tools/list", None)) | page.own_headers

    for method, path in (("POST", "mcp"), ("GET", "mcp"), ("GET", "sse"), ("POST", "messages/")):
        answer = await page.client.request(method, f"{plain}{path}", json=modern(1, "tools/list"), headers=headers)
        assert answer.status_code == 403, (method, path, answer.text)


async def test_request_without_the_cookie_is_refused(computer: Computer) -> None:
    page = await computer.enter()
    other = Page(computer.client(), page.base)

    assert (await other.send("tools/list")).status_code == 401
    assert (await other.client.get(page.base)).status_code == 403
    assert (await other.client.get(f"{page.base}view/plan.html")).status_code == 403
    get = await other.client.get(f"{page.base}mcp", headers=page.own_headers | {"Accept": "text/event-stream"})
    assert get.status_code == 401


async def test_forged_cookie_is_refused(computer: Computer) -> None:
    page = await computer.enter()
    ((name, value),) = page.client.cookies.items()
    other = Page(computer.client(), page.base)
    for forged in (value[:-4] + "AAAA", "", "x" * len(value)):
        other.client.cookies = httpx.Cookies({name: forged})
        assert (await other.send("tools/list")).status_code == 401


async def test_cookie_of_another_console_is_refused(start: Start) -> None:
    """Also under the name that this one expects."""
    page, stranger = await (await start()).enter(), await (await start()).enter()
    ((name, _),), ((_, foreign),) = page.client.cookies.items(), stranger.client.cookies.items()
    page.client.cookies = httpx.Cookies({name: foreign})

    assert (await page.send("tools/list")).status_code == 401


async def test_cookie_has_a_name_and_a_path_that_no_other_port_knows(start: Start) -> None:
    """A browser sends the cookies of a host to all of its ports, and each port can set them."""
    cookies = []
    for _ in range(2):
        made = await start()
        answer = await made.client().get(made.opened)
        cookies.append(answer.headers["Set-Cookie"])

    names = {cookie.partition("=")[0] for cookie in cookies}
    paths = {part for cookie in cookies for part in cookie.split("; ") if part.startswith("Path=")}
    assert len(names) == len(paths) == 2
    assert all(len(path) > 40 and path.endswith("/console/") for path in paths)
    assert all({"HttpOnly", "SameSite=strict"} <= set(cookie.split("; ")) for cookie in cookies)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example"},
        {"Origin": f"http://127.0.0.1:{PORT + 1}"},
        {"Origin": f"http://localhost:{PORT}"},
        {"Origin": "null"},
        {"Origin": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": None, "Origin": None},
        {"X-Contacts-Console": None},
        {"X-Contacts-Console": "0"},
    ],
)
async def test_request_of_another_page_is_refused_even_with_the_cookie(
    computer: Computer, headers: dict[str, str | None]
) -> None:
    page = await computer.enter()

    answer = await page.send("tools/call", headers, name="create_contact", arguments={"name": "Ola Nordmann"})

    assert answer.status_code == 403
    assert (await page.call("list_contacts"))["total"] == 0


async def test_browser_that_sends_no_fetch_metadata_is_known_by_its_origin(computer: Computer) -> None:
    page = await computer.enter()

    assert (await page.send("tools/list", {"Sec-Fetch-Site": None})).status_code == 200


@pytest.mark.parametrize("path", ["logout", "alive"])
async def test_other_page_can_neither_log_out_nor_keep_the_server_running(computer: Computer, path: str) -> None:
    page = await computer.enter()
    computer.clock.now += 60

    answer = await page.client.post(f"{page.base}{path}", headers=page.own_headers | {"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert computer.console.idle_seconds == 60
    assert await page.tools()


async def test_answers_are_readable_by_no_other_origin(computer: Computer) -> None:
    page = await computer.enter()
    asked = {"Origin": "https://attacker.example", "Access-Control-Request-Method": "POST"}
    answer = await page.client.options(
        f"{page.base}mcp", headers=asked | {"Access-Control-Request-Headers": "x-contacts-console"}
    )

    assert answer.status_code == 403
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_key_in_a_header_does_not_change_who_the_caller_is(computer: Computer) -> None:
    page = await computer.enter()

    assert result_of(await page.send("tools/list", {"X-API-Key": "wayscloud_dir_x", "Authorization": "Bearer x"}))
    alone = Page(computer.client(), page.base)
    assert (await alone.send("tools/list", {"Authorization": "Bearer x"})).status_code == 401


async def test_use_of_the_page_keeps_the_server_running(computer: Computer) -> None:
    page = await computer.enter()
    computer.clock.now += 300
    assert computer.console.idle_seconds == 300
    alive = await page.client.post(f"{page.base}alive", headers=page.own_headers)

    assert alive.status_code == 204
    assert computer.console.idle_seconds == 0


async def test_server_ends_when_no_page_was_open_for_a_while(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[int] = []
    monkeypatch.setattr("contacts_mcp.app._open.IDLE_SECONDS", 0.05)
    monkeypatch.setattr("contacts_mcp.app._open.signal.raise_signal", raised.append)
    computer = await start()
    await computer.enter()
    assert raised == []

    computer.clock.now += 1
    await wait_until(lambda: raised)
    assert raised == [signal.SIGINT]


async def test_read_only_console_can_neither_write_nor_decide(start: Start) -> None:
    made = await start(read_only=True)
    page = await made.enter()
    tools = await page.tools()

    assert tools.isdisjoint({"create_contact", "import_contacts", "decide_approval"})
    assert {"list_contacts", "list_approvals", "read_audit_trail"} <= tools
    assert (await page.error("create_contact", name="Ola Nordmann")).startswith("unknown_tool")
    assert (await page.error("decide_approval", id="x", agree=True)).startswith("unknown_tool")
    assert "No decisions are taken" in (await page.call("list_approvals"))["reason"]


async def test_address_is_in_no_audit_record(computer: Computer, tmp_path: Path) -> None:
    page = await computer.enter()
    await page.call("create_contact", name="Ola Nordmann")

    written = (tmp_path / "audit.jsonl").read_text()
    assert "create_contact" in written
    assert computer.opened.rpartition("/")[2] not in written
    assert page.base not in written
