"""import_contacts and export_contacts by link, from end to end over HTTP."""

from contextlib import asynccontextmanager

import httpx
import pytest

from contacts_mcp.app import build_network_app
from contacts_mcp.http_protocol import LimitedProtocol
from contacts_mcp.settings import load_settings
from network.servers import key_of, server_of_tenants
from support.hosts import MODERN, Person, each_era, host
from support.processes import HttpServer
from support.services import serve_app
from transports.http.clients import connected, post

ROWS = 60
PEOPLE = "".join(["name,phone_number,notes\n", *(f"P{n} Berg,+4790{n:06d},{'x' * 18_000}\n" for n in range(ROWS))])


@asynccontextmanager
async def serving(home, **settings):
    """A host on a server without authentication, a client for links, and the server's summary."""
    settings = {"directory": home / "contacts.db", "links": home / "links", **settings}
    network = build_network_app(load_settings(**settings), home)
    async with (
        serve_app(network.asgi, http=LimitedProtocol, lifespan="on") as server,
        connected(server.url, "http", MODERN) as caller,
        httpx.AsyncClient() as http,
    ):
        yield caller, http, network.summary


async def test_file_above_the_limit_of_a_message_is_imported_by_a_link(tmp_path):
    """The model sees only the link. The file is used for one import, and gone afterwards."""
    async with serving(tmp_path) as (caller, http, _):
        link = await caller.call("import_contacts")
        early = await caller.error("import_contacts", upload=link["upload"])
        sent = await http.put(link["url"], content=PEOPLE.encode())
        done = await caller.apply("import_contacts", upload=link["upload"])
        again = await caller.error("import_contacts", upload=link["upload"])
        total = (await caller.call("list_contacts"))["total"]
        uploads = [*(tmp_path / "links").rglob("*.upload")]

    assert len(PEOPLE) > 1024**2
    assert link.keys() == {"upload", "url", "next"}
    assert early.startswith("not_found: no file was sent")
    assert (sent.status_code, done["new_contacts"], total) == (201, ROWS, ROWS)
    assert again.startswith("not_found: ")
    assert "call without upload for a new link" in again
    assert uploads == []


@pytest.mark.system
@each_era
async def test_twenty_thousand_rows_are_imported_by_a_link_with_the_default_settings(tmp_path, era):
    """They are too large for a message, and more changes than an hour allows without a person, who is asked once."""
    number = 20_000
    rows = "".join(f"P{each} Berg,+4790{each:06d},p{each}@example.com,{'x' * 40}\n" for each in range(number))
    person = Person(content={"decision": "change"})
    with HttpServer(tmp_path) as server:
        async with connected(server.url, "http", era, person) as caller, httpx.AsyncClient() as http:
            link = await caller.call("import_contacts")
            sent = await http.put(link["url"], content=f"name,phone_number,email,notes\n{rows}".encode())
            plan = await caller.call("import_contacts", upload=link["upload"])
            done = await caller.call("import_contacts", upload=link["upload"], apply=True, plan=plan["plan"])
            total = (await caller.call("list_contacts"))["total"]

    assert len(rows) > 1024**2
    assert sent.status_code == 201
    assert "a form then asks the person" in plan["next"]
    assert "create 20,000" in person.question
    assert (done["new_contacts"], total) == (number, number)


async def test_file_that_was_not_imported_is_kept_for_another_import(tmp_path):
    """Whoever imports the rest sends nothing again."""
    async with serving(tmp_path, write_budget=2) as (caller, http, _):
        link = await caller.call("import_contacts")
        await http.put(link["url"], content=b"name,phone_number\nOla,+4799999999\nKari,+4799999998\nPer,+4799999997\n")
        plan = await caller.call("import_contacts", upload=link["upload"])
        refused = await caller.error("import_contacts", upload=link["upload"], apply=True, plan=plan["plan"])
        again = await caller.call("import_contacts", upload=link["upload"])

    assert refused.startswith("write_budget: ")
    assert again["plan"] == plan["plan"]


async def test_file_of_another_caller_is_not_found(tmp_path):
    """A caller who learns the id of a file, or its link, cannot import it."""
    async with (
        server_of_tenants(links=tmp_path) as (_, port),
        connected(f"http://127.0.0.1:{port}", "http", MODERN, key=key_of("tenant01zz")) as ada,
        connected(f"http://127.0.0.1:{port}", "http", MODERN, key=key_of("tenant02zz")) as bob,
        httpx.AsyncClient() as http,
    ):
        link = await ada.call("import_contacts")
        await http.put(link["url"], content=b"name,phone_number\nOla Nordmann,+4799999999\n")
        token = link["url"].partition("link=")[2]
        lines = [await bob.error("import_contacts", upload=each) for each in (link["upload"], token, link["url"])]
        exported = await ada.call("export_contacts")
        with pytest.raises(Exception, match="there is no such download"):
            await bob.client.read_resource(exported["uri"])
        assert (await ada.call("import_contacts", upload=link["upload"]))["new_contacts"] == 1

    assert all(line.startswith("not_found: ") for line in lines)


async def test_export_is_fetched_by_a_link(tmp_path, monkeypatch):
    """Also if it is too large to be read as a resource."""
    async with serving(tmp_path) as (caller, http, _):
        await caller.create("Ola Nordmann")
        exported = await caller.call("export_contacts")
        resource = (await caller.client.read_resource(exported["uri"])).contents[0].text
        monkeypatch.setattr("contacts_mcp.tools._links.MAX_DOWNLOAD_BYTES", 10)
        large = await caller.call("export_contacts", format="xlsx")
        fetched, workbook = await http.get(exported["url"]), await http.get(large["url"])
        monkeypatch.setattr("contacts_mcp.tools._export_contacts.MAX_FILE_BYTES", 10)
        too_large = await caller.error("export_contacts")
        unfinished = [*(tmp_path / "links").rglob("*.part")]

    assert fetched.content.decode("utf-8-sig") == resource
    assert "Ola Nordmann" in resource
    assert exported["file"] in fetched.headers["content-disposition"]
    assert "uri" not in large
    assert workbook.content.startswith(b"PK")
    assert len(workbook.content) == large["bytes"]
    assert too_large.startswith("invalid: the export has more than")
    assert unfinished == []


async def test_link_has_the_public_name_and_a_large_message_is_answered_with_advice(tmp_path):
    names = ["contacts.example.com", "other.example.com"]
    async with (
        server_of_tenants(public_host=names, links=tmp_path) as (_, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        headers = {"Host": names[1], "X-API-Key": key_of("tenant01zz")}
        answer = await post(http, "import_contacts", {}, **headers)
        too_large = await post(http, "import_contacts", {"content": PEOPLE}, **headers)

    assert too_large.status_code == 413
    assert "call import_contacts without one, which answers with a link" in too_large.text
    assert "https://contacts.example.com/files?link=" in answer.text, answer.text


async def test_replicas_without_a_shared_folder_make_no_links_and_say_so(tmp_path):
    async with serving(tmp_path, links=None, state_keys=["k" * 32]) as (caller, _, summary):
        line = await caller.error("import_contacts")
        upload = await caller.error("import_contacts", upload="00000000-0000-4000-8000-000000000000")
        exported = await caller.call("export_contacts")

    assert "no upload and download links: set CONTACTS_MCP_LINKS to a folder that all replicas share" in summary
    assert line.startswith("invalid: path: is required")
    assert "this server makes no upload links" in upload
    assert "url" not in exported


async def test_read_only_server_has_no_links(tmp_path):
    settings = load_settings(directory=tmp_path / "contacts.db", links=tmp_path / "links", read_only=True)
    network = build_network_app(settings, tmp_path)
    async with serve_app(network.asgi, lifespan="on") as server, httpx.AsyncClient() as http:
        answer = await http.put(f"{server.url}/files?link={'a' * 43}", content=b"x")

    assert answer.status_code == 404
    assert not (tmp_path / "links").exists()


async def test_server_over_stdio_makes_no_links(tmp_path):
    async with host(tmp_path / "contacts.db") as caller:
        assert (await caller.error("import_contacts")).startswith("invalid: path: is required")
        assert "makes no upload links" in await caller.error("import_contacts", upload="x")
