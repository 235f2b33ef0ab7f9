"""Without authentication, only requests of this machine are served, and none that a proxy may have forwarded."""

import pytest
from starlette.responses import PlainTextResponse

from contacts_mcp.middleware import ErrorMiddleware
from contacts_mcp.transports.http._errors import json_rpc_error
from contacts_mcp.transports.http.access import AuthenticationMiddleware, LoopbackAccess
from transports.http.clients import ask, line_of


def app(**scope_changes):
    served = AuthenticationMiddleware(PlainTextResponse("served"), LoopbackAccess(), {"/mcp": ("POST",)})

    async def changed(scope, receive, send):
        await served({**scope, **scope_changes}, receive, send)

    return ErrorMiddleware(changed, json_rpc_error)


@pytest.mark.parametrize(
    "name",
    [
        *("Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"),
        *("X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Ray", "CDN-Loop", "Fastly-Client-IP", "Fly-Client-IP"),
        *("X-Client-IP", "X-Cluster-Client-IP", "Client-IP", "X-Originating-IP", "X-Remote-Addr", "X-Original-Host"),
        *("X-Original-URL", "X-Envoy-External-Address", "X-Amzn-Trace-Id", "X-Azure-ClientIP", "X-ARR-LOG-ID"),
        *("Proxy-Connection", "WL-Proxy-Client-IP", "X-ProxyUser-Ip", "X-Forwarded", "Forwarded-For", "X-Scheme"),
        *("Front-End-Https", "X-Appengine-User-IP", "X-Vercel-Id", "Ngrok-Trace", "Tailscale-User-Login", "X-Host"),
        *("X-Akamai-Edgescape", "X-Proxied-By", "X-Varnish", "X-Cloud-Trace-Context", "CloudFront-Forwarded-Proto"),
        *("X-Goog-IAP-JWT-Assertion", "X-Goog-Authenticated-User-Email"),
    ],
)
async def test_request_with_a_header_of_a_proxy_is_refused(name):
    answer = await ask(app(), headers={name: "203.0.113.9"})

    assert answer.status_code == 403
    assert line_of(answer).startswith("forbidden: ")
    assert f'header "{name.lower()}"' in line_of(answer)
    assert "203.0.113.9" not in answer.text


@pytest.mark.parametrize("value", ["", "unknown", "127.0.0.1"])
async def test_value_of_a_proxy_header_does_not_matter(value):
    assert (await ask(app(), headers={"X-Forwarded-For": value})).status_code == 403


@pytest.mark.parametrize("version", ["1.0", "0.9"])
async def test_request_in_an_old_http_version_is_refused(version):
    answer = await ask(app(http_version=version))

    assert (answer.status_code, "HTTP/1.0" in line_of(answer)) == (403, True)


@pytest.mark.parametrize(
    "hosts",
    [["contacts.example.com"], ["192.168.1.2:8000"], ["localhost.example.com"], [""], ["a b"], [], ["localhost"] * 2],
)
async def test_request_for_another_host_is_refused(hosts):
    headers = [(b"host", host.encode()) for host in hosts]
    answer = await ask(app(headers=headers))

    assert answer.status_code == 403
    assert "CONTACTS_MCP_AUTH to key or oauth" in line_of(answer)
    assert "--public-host" in line_of(answer)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:8000", "127.0.0.2", "[::1]:80"]
)
async def test_request_for_this_machine_is_served(host):
    assert (await ask(app(headers=[(b"host", host.encode())]))).text == "served"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "User-Agent",
            "Accept",
            "Origin",
            "Referer",
            "Cookie",
            "Content-Type",
            "MCP-Protocol-Version",
            "Mcp-Session-Id",
        ),
        *("Last-Event-ID", "X-API-Key", "X-Request-ID", "Sec-Fetch-Site", "Traceparent", "Baggage", "Connection", "TE"),
        *("X-Requested-With", "Cache-Control", "DNT", "Upgrade-Insecure-Requests", "Expect", "X-Custom-Auth-Headers"),
        "X-Goog-API-Client",
    ],
)
async def test_headers_of_local_clients_are_accepted(name):
    assert (await ask(app(), headers={name: "x"})).text == "served"
