"""/files: a file is received whole or not at all, by the link alone, and attackers get nothing."""

import asyncio
import gzip
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from contacts_mcp.file_links import FileLinks, LinkNotFound
from contacts_mcp.http_protocol import LimitedProtocol
from contacts_mcp.server import ActiveCalls
from contacts_mcp.transports.http import http_app
from contacts_mcp.transports.http.access import ApiKeyAccess
from support.hosts import server_over
from support.processes import wait_until
from support.services import serve_app

CONTENT = b"name,phone_number\nOla Nordmann,+4799999999\n"
LIMIT = 100_000
FOREIGN_QUERIES = [
    *("", "?link=", "?link=../../etc/passwd", f"?link={'a' * 43}", f"?link={'a' * 5_000}", "?link=%2e%2e%2f"),
    *("?other=TOKEN", "?link=TOKEN&link=TOKEN", "?link=TOKEN/..", "?link=ID", "?link=TOKEN%00"),
]


async def refuse_key(_credential):
    raise AssertionError("a link needs no key")


async def is_ready():
    """Always."""


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def links(tmp_path: Path, now: list[float]) -> Iterator[FileLinks]:
    links = FileLinks(tmp_path / "links", clock=lambda: time.time() + now[0])
    yield links
    shutil.rmtree(tmp_path / "links", ignore_errors=True)


@asynccontextmanager
async def serving(links, **options):
    """A server whose callers need keys, over real sockets."""
    access = ApiKeyAccess(refuse_key)
    app = http_app(
        server_over(None), access, checks={"directory": is_ready}, calls=ActiveCalls(), links=links, **options
    )
    async with (
        asyncio.timeout(30),  # nothing waits for ever
        serve_app(app, http=LimitedProtocol, lifespan="on") as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        yield http


def left(tmp_path):
    """The states of the files in the folder."""
    return sorted(path.suffix[1:] for path in (tmp_path / "links").iterdir() if not path.name.startswith("."))


def place(token):
    return f"/files?link={token}"


def write(links, name="contacts.csv", content=CONTENT):
    link, writer = links.create_download("ada", name, "text/csv")
    writer.file.write(content)
    writer.commit()
    return link


async def parts_of(content):
    """A body without a length, in two parts."""
    yield content[: len(content) // 2]
    yield content[len(content) // 2 :]


async def begin(http, link):
    """A connection on which the first bytes of a file were sent."""
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(f"PUT {place(link.token)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nname".encode())
    return reader, writer


async def test_file_is_sent_once_without_a_key(links, tmp_path):
    """A replay is refused, and the file stays what it was."""
    async with serving(links) as http:
        link = links.create_upload("ada")
        sent = await http.put(place(link.token), content=CONTENT)
        again = await http.put(place(link.token), content=b"name\nMallory\n")

        assert (sent.status_code, again.status_code) == (201, 409)
        assert link.id in sent.text
        assert sent.headers["cache-control"] == "no-store"
        assert again.text.startswith("used: ")
        assert again.text.count("\n") == 1
        assert links.read_upload(link.id, "ada") == CONTENT
        with pytest.raises(LinkNotFound):
            links.read_upload(link.id, "bob")
    assert left(tmp_path) == []


async def test_file_without_a_length_is_received_whole(links):
    async with serving(links) as http:
        link = links.create_upload("ada")
        answer = await http.put(place(link.token), content=parts_of(CONTENT * 20_000))

        assert answer.status_code == 201
        assert links.read_upload(link.id, "ada") == CONTENT * 20_000


async def test_guessed_or_changed_link_finds_nothing(links, tmp_path):
    async with serving(links) as http:
        link = links.create_upload("ada")
        for query in [each.replace("TOKEN", link.token).replace("ID", link.id) for each in FOREIGN_QUERIES]:
            for method in ("PUT", "GET", "HEAD"):
                answer = await http.request(method, f"/files{query}", content=CONTENT)

                assert answer.status_code == 404, query
                assert method == "HEAD" or answer.text.startswith("not_found: ")
                assert link.token not in answer.text
        assert left(tmp_path) == ["open"]


async def test_expired_links_find_nothing(links, tmp_path, now):
    async with serving(links) as http:
        upload, download = links.create_upload("ada"), write(links)
        now[0] = 901
        answers = [await http.put(place(upload.token), content=CONTENT), await http.get(place(download.token))]

        assert [answer.status_code for answer in answers] == [404, 404]
        assert left(tmp_path) == []


async def test_refused_file_leaves_nothing_and_can_be_sent_again(links, tmp_path, monkeypatch):
    monkeypatch.setattr("contacts_mcp.transports.http._files.MAX_FILE_BYTES", LIMIT)
    refused = [
        (b"x" * (LIMIT + 1), {}, 413, "too_large"),
        (parts_of(b"x" * (LIMIT + 1)), {}, 413, "too_large"),
        (b"", {}, 400, "empty"),
        (CONTENT, {"Content-Range": "bytes 0-41/100"}, 400, "invalid"),
        (gzip.compress(CONTENT), {"Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
    ]
    async with serving(links) as http:
        link = links.create_upload("ada")
        for content, headers, status, code in refused:
            answer = await http.put(place(link.token), content=content, headers=headers)

            assert answer.status_code == status
            assert answer.text.startswith(f"{code}: ")
            assert left(tmp_path) == ["open"]
        assert (await http.put(place(link.token), content=CONTENT)).status_code == 201


async def test_upload_that_breaks_off_leaves_nothing_and_can_be_sent_again(links, tmp_path):
    async with serving(links) as http:
        link = links.create_upload("ada")
        _, writer = await begin(http, link)
        await wait_until(lambda: "part" in left(tmp_path))
        writer.close()
        await wait_until(lambda: "part" not in left(tmp_path))

        assert left(tmp_path) == ["open"]
        assert (await http.put(place(link.token), content=CONTENT)).status_code == 201
        assert links.read_upload(link.id, "ada") == CONTENT


async def test_second_upload_at_the_same_time_is_refused(links, tmp_path):
    """The first one is not disturbed."""
    async with serving(links) as http:
        link = links.create_upload("ada")
        reader, writer = await begin(http, link)
        await wait_until(lambda: "part" in left(tmp_path))
        second = await http.put(place(link.token), content=CONTENT)
        writer.write(b"x" * 996)
        first = await reader.readline()
        writer.close()

        assert second.status_code == 409
        assert first == b"HTTP/1.1 201 Created\r\n"
        assert links.read_upload(link.id, "ada") == b"name" + b"x" * 996


@pytest.mark.parametrize(
    "limit", [("IDLE_TIMEOUT_SECONDS", 0.02), ("_SLOW_START_SECONDS", -1.0)], ids=["stalled", "slow"]
)
async def test_slow_upload_is_cut_off_and_leaves_nothing(links, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(f"contacts_mcp.transports.http._files.{limit[0]}", limit[1])
    monkeypatch.setattr("contacts_mcp.middleware._LINGER_SECONDS", 0.0)
    async with serving(links) as http:
        link = links.create_upload("ada")
        reader, writer = await begin(http, link)
        answer = await reader.read()
        writer.close()

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"\r\n\r\ntoo_slow: " in answer
        assert left(tmp_path) == ["open"]


async def test_caller_with_too_many_transfers_waits_and_others_do_not(links):
    async with serving(links) as http:
        writers = [links.create_download("ada", "a", "text/csv")[1] for _ in range(4)]
        waiting = await http.put(place(links.create_upload("ada").token), content=parts_of(CONTENT))
        other = await http.put(place(links.create_upload("bob").token), content=parts_of(CONTENT))
        for writer in writers:
            writer.discard()

    assert (waiting.status_code, other.status_code) == (503, 201)
    assert waiting.headers["retry-after"] == "60"


async def test_file_is_fetched_any_number_of_times_and_kept_by_no_cache(links):
    """A preview of the link uses nothing up. The name cannot end its header."""
    async with serving(links) as http:
        link = write(links, 'Kjære "venner"\r\nX: y.csv')
        first, second = await http.get(place(link.token)), await http.get(place(link.token))
        head = await http.head(place(link.token))

    assert first.content == second.content == CONTENT
    assert (head.status_code, head.content) == (200, b"")
    for answer in (first, head):
        assert answer.headers["content-length"] == str(len(CONTENT))
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"] == (
            "attachment; filename*=UTF-8''Kj%C3%A6re%20%22venner%22%0D%0AX%3A%20y.csv"
        )
        assert "x" not in answer.headers


async def test_large_file_is_fetched_whole(links):
    async with serving(links) as http:
        answer = await http.get(place(write(links, content=CONTENT * 30_000).token))

    assert answer.content == CONTENT * 30_000


async def test_link_of_one_kind_is_no_link_of_the_other(links):
    async with serving(links) as http:
        upload, download = links.create_upload("ada"), write(links)
        answers = [
            await http.get(place(upload.token)),
            await http.put(place(download.token), content=b"name\nMallory\n"),
            await http.post(place(upload.token), content=CONTENT),
            await http.delete(place(download.token)),
        ]

        assert [answer.status_code for answer in answers] == [404, 404, 405, 405]
        assert answers[2].headers["allow"] == "PUT, GET, HEAD"
        assert (await http.get(place(download.token))).content == CONTENT


async def test_link_works_only_for_hosts_and_origins_of_the_server(links):
    """A page of another site can neither send nor read a file, also with its own name for the server."""
    page = "https://app.example.com"
    async with serving(links, origins=[page]) as http:
        upload, download = links.create_upload("ada"), write(links)
        foreign = {"Origin": "https://evil.example"}
        answers = [
            await http.put(place(upload.token), content=CONTENT, headers={"Host": "evil.example"}),
            await http.get(place(download.token), headers={"Host": "evil.example"}),
            await http.put(place(upload.token), content=CONTENT, headers=foreign),
            await http.get(place(download.token), headers=foreign),
        ]
        asked = {"Origin": page, "Access-Control-Request-Method": "PUT"}
        preflight = await http.options(place(upload.token), headers=asked)
        allowed = await http.put(place(upload.token), content=CONTENT, headers={"Origin": page})

    assert [answer.status_code for answer in answers] == [421, 421, 403, 403]
    assert (preflight.status_code, allowed.status_code) == (200, 201)
    assert allowed.headers["access-control-allow-origin"] == page


async def test_log_has_each_request_without_its_link(links, caplog):
    caplog.set_level(logging.DEBUG)
    async with serving(links) as http:
        link, download = links.create_upload("ada"), write(links)
        await http.put(place(link.token), content=CONTENT)
        await http.put(place(link.token), content=CONTENT)
        await http.get(place(download.token))
        await http.get(place("a" * 43))

    lines = [record.msg for record in caplog.records if record.name == "contacts_mcp.access"]
    seen = [(line["method"], line["route"], line["status"]) for line in lines]
    assert seen == [("PUT", "/files", 201), ("PUT", "/files", 409), ("GET", "/files", 200), ("GET", "/files", 404)]
    ours = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("http", "uvicorn"))
    )
    assert link.token not in ours
    assert download.token not in ours
    assert "a" * 43 not in ours


async def test_folder_that_is_gone_is_reported_without_its_path(links, tmp_path):
    async with serving(links) as http:
        link = links.create_upload("ada")
        shutil.rmtree(tmp_path / "links")
        answer = await http.put(place(link.token), content=CONTENT)

        assert answer.status_code == 507
        assert answer.text.startswith("no_storage: ")
        assert str(tmp_path) not in answer.text


async def test_server_without_links_serves_no_files(tmp_path):
    async with serving(None) as http:
        answer = await http.put(place("a" * 43), content=CONTENT)

    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("not_found: ")


async def test_each_replica_accepts_the_links_of_the_other(links, tmp_path):
    """They share the folder; the second to end removes the files."""
    other_links = FileLinks(tmp_path / "links")
    async with serving(other_links) as other:
        async with serving(links):
            link = links.create_upload("ada")
            assert (await other.put(place(link.token), content=CONTENT)).status_code == 201
            assert links.read_upload(link.id, "ada") == CONTENT
        assert left(tmp_path) == ["upload"]
    assert left(tmp_path) == []
