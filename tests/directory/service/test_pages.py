"""The pages that need no API key, and the request id of every response."""

import logging
import re

import pytest

from contacts_mcp.directory import Directory, store
from contacts_mcp.directory.service._openapi import openapi_document

OPEN = ("/openapi.json", "/docs", "/healthz", "/readyz")
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


@pytest.mark.parametrize("page", OPEN)
async def test_open_pages_need_no_key(service, page):
    assert (await (await service.client()).get(page)).status_code == 200


@pytest.mark.parametrize("page", OPEN)
async def test_embedded_directory_has_no_open_pages(http, page):
    assert (await http.get(page)).status_code == 404


@pytest.mark.parametrize("page", OPEN)
async def test_open_pages_allow_only_get(service, page):
    answer = await (await service.client()).post(page)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"


async def test_health_reflects_the_state_of_the_database(open_service, tmp_path):
    service = await open_service(tmp_path / "folder" / "contacts.db")
    client = await service.client()
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready", "parts": {"directory": "ok"}}

    await service.directory.aclose()

    answer, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    fault = "directory_unavailable"
    assert ready.status_code == 503
    assert ready.json() == {"status": "not ready", "reason": fault, "parts": {"directory": fault}}


async def test_location_of_an_unusable_database_is_only_logged(open_service, tmp_path, caplog):
    (tmp_path / "taken").write_text("")
    service = await open_service(tmp_path / "taken" / "contacts.db")
    client = await service.client({"X-API-Key": f"wayscloud_contacts_abcdefgh_{'x' * 40}"})

    with caplog.at_level(logging.ERROR):
        answer = await client.get("/v1/contacts")

    assert answer.status_code == 503
    assert "taken" not in answer.text
    assert "taken" in caplog.text


async def test_503_of_a_closed_database_does_not_name_its_location(open_service, path, caplog):
    service = await open_service(path)
    client = await service.caller()
    assert (await client.get("/v1/contacts")).status_code == 200
    await service.directory.aclose()

    answer = await client.get("/v1/contacts")

    assert answer.status_code == 503
    assert answer.json() == {"detail": "The directory cannot be used now, and nothing was changed"}


@pytest.mark.parametrize("given", ["x", VISIBLE, "y" * 128, "a1b2-c3"])
async def test_valid_request_id_of_the_caller_is_kept(service, given):
    client = await service.client()

    assert (await client.get("/healthz", headers={"X-Request-ID": given})).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", [[b""], [b"a b"], [b"z" * 129], [b"\xe9"], [b"one", b"two"]])
async def test_invalid_request_id_is_replaced(service, given):
    client = await service.client()

    answer = await client.get("/healthz", headers=[(b"X-Request-ID", value) for value in given])

    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])


async def test_every_response_has_its_own_request_id(service, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(store, "create_contact", fail)
    client, unauthenticated = await service.caller(), await service.client()

    answers = [
        await client.get("/v1/contacts"),
        await client.get("/v1/nothing"),
        await client.put("/v1/contacts"),
        await client.post("/v1/contacts", json={}),
        await client.post("/v1/contacts", json={"name": "a", "unknown": "x" * 1024 * 1024}),
        await unauthenticated.get("/v1/contacts"),
        await client.post("/v1/contacts", json={"name": "Ola"}),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 405, 422, 413, 401, 500]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)
    assert answers[-1].headers["X-Request-ID"] in caplog.text


async def test_docs_page_shows_every_endpoint_with_an_example(service):
    page = (await (await service.client()).get("/docs")).text

    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            assert f'<section id="{operation["operationId"]}">' in page
            assert f"{method.upper()} {path}" in page
            assert operation["summary"] in page
    assert page.count("curl ") == page.count("<section id=")
    assert "wayscloud_" not in page


async def test_docs_page_has_no_scripts_and_loads_nothing(service):
    answer = await (await service.client()).get("/docs")

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|\sstyle=|\son\w+=|https?://", answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert len(answer.content) < 100_000


async def test_building_a_service_creates_no_file(tmp_path):
    async with Directory(tmp_path / "contacts.db", keys=True):
        pass

    assert not list(tmp_path.iterdir())
