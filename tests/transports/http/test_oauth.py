"""Callers with OAuth tokens: who is accepted, for what, and how all others are refused."""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from contacts_mcp.contract import Risk
from contacts_mcp.middleware import ErrorMiddleware, Refusal
from contacts_mcp.server import Caller
from contacts_mcp.transports.http._errors import json_rpc_error
from contacts_mcp.transports.http.access import Access
from contacts_mcp.transports.http.access._oauth import EXPIRES_SCOPE_KEY, OAuthAccess
from contacts_mcp.transports.http.access._tokens import Issuer
from transports.http.clients import line_of
from transports.http.issuer import AUDIENCE, RSA_TOO, LoopbackIssuer

METADATA = "https://contacts.example.com/.well-known/oauth-protected-resource/mcp"
EVERYTHING = "contacts:read contacts:write contacts:delete"
RISKS = {
    "get_contact": Risk.READ,
    "create_contact": Risk.WRITE,
    "delete_contact": Risk.DESTROY,
    "gdpr_delete_contact": Risk.ERASE,
}
READER = Caller("oauth:reader", frozenset({Risk.READ}))


@pytest.fixture
def issuer() -> Iterator[LoopbackIssuer]:
    with LoopbackIssuer() as running:
        yield running


@pytest.fixture
def access(issuer: LoopbackIssuer) -> Access:
    return OAuthAccess(Issuer(issuer.url, AUDIENCE), resource=AUDIENCE, risk_of=RISKS.get)


@pytest.fixture
async def http(access: Access) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that authenticates by `access`, and answers with what it knows of the caller."""

    async def endpoint(request: Request) -> Response:
        caller = await access.authenticate(request)
        await access.authorize(caller, await request.body())
        known = {"principal": caller.principal, "risks": sorted(caller.risks), "tenant": caller.tenant}
        known["may_approve"] = caller.may_approve
        left = [name for name, _ in Request(request.scope).headers.items() if name == "authorization"]
        return JSONResponse({**known, "expires": request.scope[EXPIRES_SCOPE_KEY], "left": left})

    routes = [Route("/mcp", endpoint, methods=["GET", "POST"]), *access.routes()]
    transport = httpx.ASGITransport(ErrorMiddleware(Router(routes), json_rpc_error))
    async with httpx.AsyncClient(transport=transport, base_url="http://contacts.example.com") as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def challenge(answer: httpx.Response) -> dict[str, str]:
    """The parameters of the response's only challenge, which holds nothing else."""
    scheme, _, rest = answer.headers["WWW-Authenticate"].partition(" ")
    assert scheme == "Bearer"
    parameters = re.findall(r'(\w+)="([^"\\]*)"', rest)
    assert ", ".join(f'{name}="{value}"' for name, value in parameters) == rest
    return dict(parameters)


def call(tool: str, **members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}, **members}).encode()


class TestAdmitting:
    @pytest.mark.parametrize(
        ("scope", "risks"),
        [
            ("contacts:read", ["read"]),
            ("contacts:write profile", ["write"]),
            ("contacts:delete", ["destroy", "erase"]),
            (EVERYTHING, ["destroy", "erase", "read", "write"]),
        ],
    )
    async def test_scopes_decide_what_a_caller_may_do(self, issuer, http, scope, risks):
        """No scope implies another; unknown scopes grant nothing."""
        answer = await http.post("/mcp", headers=bearer(issuer.token(scope=scope)))

        assert answer.status_code == 200
        assert answer.json()["risks"] == risks

    @pytest.mark.parametrize(("scope", "may"), [("contacts:read contacts:approve", True), (EVERYTHING, False)])
    async def test_scope_makes_an_approver(self, issuer, http, scope, may):
        answer = await http.post("/mcp", headers=bearer(issuer.token(scope=scope)))

        assert answer.json()["may_approve"] is may

    async def test_scope_of_approvers_alone_admits_no_caller_and_is_not_advertised(self, issuer, http):
        """A program that requests every scope that is named would let its model's caller approve."""
        refused = await http.post("/mcp", headers=bearer(issuer.token(scope="contacts:approve")))

        assert refused.status_code == 403
        assert "approve" not in refused.text + (await http.get("/.well-known/oauth-protected-resource")).text

    async def test_token_is_removed_from_the_authenticated_request(self, issuer, http):
        """The server's own credential is used upstream; no later middleware sees the caller's token."""
        expires = int(time.time()) + 60
        answer = await http.post("/mcp", headers=bearer(issuer.token(exp=expires)))

        assert answer.json()["left"] == []
        assert answer.json()["tenant"] == ""
        assert answer.json()["expires"] == expires + 30

    async def test_principal_is_stable_and_holds_nothing_of_the_subject(self, issuer, http):
        """It is the same for all tokens and programs, differs between subjects, and is safe in the audit trail."""
        subjects = [
            "ola@example.com",
            "ola",
            "#",
            "x#y",
            "a\nb",
            "\u202e",
            "\ud800",
            "\udfff",
            "ø",
            "x" * 8_000,
            " ",
            "\0",
        ]
        principals = []
        for subject in subjects:
            first = await http.post("/mcp", headers=bearer(issuer.token(sub=subject)))
            again = await http.post("/mcp", headers=bearer(issuer.token(sub=subject, azp="other", jti="2")))
            assert first.json()["principal"] == again.json()["principal"]
            principals.append(first.json()["principal"])

        assert len(set(principals)) == len(subjects)
        for principal in principals:
            assert re.fullmatch(re.escape(f"oauth:{issuer.url}#") + "[0-9a-f]{32}", principal)

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
    async def test_bearer_scheme_is_accepted_in_any_case(self, issuer, http, scheme):
        """RFC 9110 allows any case and several blanks."""
        answer = await http.post("/mcp", headers={"Authorization": f"{scheme} {issuer.token()}"})

        assert answer.status_code == 200


class TestRefusing:
    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic b2xhOnNlY3JldA==", "Token x", "DPoP x"])
    async def test_challenge_without_a_token_names_the_metadata(self, http, header):
        """The 401 has no error code, because the request had no token (RFC 6750, 3.1)."""
        answer = await http.post("/mcp", headers={} if header is None else {"Authorization": header})

        assert answer.status_code == 401
        assert challenge(answer) == {"resource_metadata": METADATA, "scope": EVERYTHING}
        assert line_of(answer).startswith("unauthorized: ")
        assert METADATA in line_of(answer)

    async def test_api_key_does_not_replace_a_token(self, http):
        """With OAuth, an API key is not accepted."""
        answer = await http.post("/mcp", headers={"X-API-Key": "wayscloud_pat_x"})

        assert answer.status_code == 401
        assert "error" not in challenge(answer)

    async def test_expired_token_is_refused_with_the_reason(self, issuer, http):
        """The message is a fixed text: nothing of the token is in the response."""
        token = issuer.token(exp=int(time.time()) - 3_600, sub="ola@example.com")
        answer = await http.post("/mcp", headers=bearer(token))

        assert answer.status_code == 401
        assert challenge(answer) == {
            "error": "invalid_token",
            "error_description": "the token has expired",
            "resource_metadata": METADATA,
            "scope": EVERYTHING,
        }
        assert line_of(answer).startswith("invalid_token: the token has expired; ")
        for part in ("ola", *token.split(".")):
            assert part not in answer.text + answer.headers["WWW-Authenticate"]

    @pytest.mark.parametrize("token", ["x", "wayscloud_pat_secret", 'a"b', "a, Bearer b", "é", "x" * 20_000])
    async def test_malformed_token_is_refused_and_not_echoed(self, http, token):
        """Nothing of it reaches a header or a message."""
        answer = await http.post("/mcp", headers={"Authorization": f"Bearer {token}".encode("latin-1")})

        assert answer.status_code == 401
        assert challenge(answer)["error"] == "invalid_token"
        assert "secret" not in answer.text

    async def test_forged_token_is_refused(self, issuer, http):
        """It is signed with another key under the ID of one of the issuer's."""
        answer = await http.post("/mcp", headers=bearer(issuer.token(RSA_TOO)))

        assert (answer.status_code, challenge(answer)["error"]) == (401, "invalid_token")

    @pytest.mark.parametrize("scope", [None, "", "profile", "contacts:readall", "CONTACTS:READ", "contacts:*"])
    async def test_token_without_our_scopes_is_refused(self, issuer, http, scope):
        """The 403 names the scope to request."""
        answer = await http.post("/mcp", headers=bearer(issuer.token(scope=scope)))

        assert answer.status_code == 403
        parameters = challenge(answer)
        assert parameters.pop("error_description")
        assert parameters == {"error": "insufficient_scope", "scope": "contacts:read", "resource_metadata": METADATA}
        assert line_of(answer).startswith("insufficient_scope: ")

    @pytest.mark.parametrize("with_header", [True, False])
    @pytest.mark.parametrize("name", ["access_token", "access%5Ftoken"])
    async def test_token_in_the_url_is_refused(self, issuer, http, name, with_header):
        """URLs end up in logs; a valid header beside it does not help."""
        headers = bearer(issuer.token()) if with_header else {}
        answer = await http.post(f"/mcp?{name}={issuer.token()}", headers=headers)

        assert answer.status_code == 400
        assert challenge(answer)["error"] == "invalid_request"
        assert "in the URL" in line_of(answer)

    async def test_two_authorization_headers_are_refused(self, issuer, http):
        """A proxy in front may have checked the other one."""
        token = issuer.token()
        twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
        answer = await http.post("/mcp", headers=twice)

        assert answer.status_code == 400
        assert challenge(answer)["error"] == "invalid_request"

    async def test_token_that_cannot_be_checked_is_answered_with_503(self, issuer, http):
        """A 401 would make clients sign in again, at an issuer that does not answer."""
        issuer.answers["/keys"] = (500, b"", {})
        answer = await http.post("/mcp", headers=bearer(issuer.token()))

        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "WWW-Authenticate" not in answer.headers
        assert line_of(answer).startswith("unreachable: ")
        assert issuer.url not in answer.text

    @pytest.mark.parametrize(
        "resource",
        [
            "contacts.example.com",
            "https://x/#y",
            'https://x/"',
            "https://x/?y",
            "",
            "https://X.example/mcp",
            "https://x.example:443/mcp",
        ],
    )
    def test_resource_that_is_not_a_normal_url_is_refused(self, issuer, resource):
        """It is written into headers, and clients compare it."""
        with pytest.raises(ValueError, match="public URL"):
            OAuthAccess(Issuer(issuer.url, AUDIENCE), resource=resource, risk_of=RISKS.get)


class TestPermitting:
    @pytest.mark.parametrize(
        ("scope", "tool", "asked"),
        [
            ("contacts:read", "create_contact", "contacts:read contacts:write"),
            ("contacts:read", "delete_contact", "contacts:read contacts:delete"),
            ("contacts:read contacts:write", "gdpr_delete_contact", EVERYTHING),
            ("contacts:delete", "get_contact", "contacts:read contacts:delete"),
        ],
    )
    async def test_call_beyond_the_scopes_names_the_scopes_to_request(self, issuer, http, scope, tool, asked):
        """The 403 names the missing scope and those that the token has, so that the client keeps them."""
        answer = await http.post("/mcp", headers=bearer(issuer.token(scope=scope)), content=call(tool))

        assert answer.status_code == 403
        parameters = challenge(answer)
        assert parameters.pop("error_description").startswith("the tool needs contacts:")
        assert parameters == {"error": "insufficient_scope", "scope": asked, "resource_metadata": METADATA}
        assert line_of(answer).endswith(f"request {asked}")

    @pytest.mark.parametrize(
        ("scope", "tool"),
        [
            ("contacts:read", "get_contact"),
            ("contacts:write", "create_contact"),
            ("contacts:delete", "delete_contact"),
            ("contacts:delete", "gdpr_delete_contact"),
            ("contacts:read", "no_such_tool"),
        ],
    )
    async def test_call_within_the_scopes_passes(self, issuer, http, scope, tool):
        """So does a call of an unknown tool, which the protocol answers."""
        answer = await http.post("/mcp", headers=bearer(issuer.token(scope=scope)), content=call(tool))

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "body",
        [
            call("delete_contact").replace(b"tools/call", rb"tools\/call"),
            call("delete_contact").replace(b"tools/call", rb"\u0074ools/cal\u006c"),
            call("delete_contact").replace(b"delete_contact", rb"delete\u005fcontact"),
            call("delete_contact").replace(b'"method"', rb'"m\u0065thod"'),
            b'{"method": "ping", "method": "tools/call", "params": {"name": "delete_contact"}}',
            b'{"method": "tools/call", "method": "ping", "params": {"name": "delete_contact"}}',
            b'{"method": "tools/call", "params": {"name": "get_contact", "name": "delete_contact"}}',
            b'{"method": "tools/call", "params": {"name": "delete_contact", "name": "get_contact"}}',
            b'{"method": "tools/call", "params": {"name": "delete_contact"}, "params": {"name": "get_contact"}}',
            b"[" + call("get_contact") + b"," + call("delete_contact") + b"]",
            b"\xef\xbb\xbf" + call("delete_contact"),
            call("delete_contact").decode().encode("utf-16"),
            call("delete_contact").decode().encode("utf-16-le"),
            call("delete_contact").decode().encode("utf-32"),
            b" \n" * 1_000 + call("delete_contact", id=10**40),
            b'{"id": ' + b"9" * 10_000 + b', "method": "tools/call", "params": {"name": "delete_contact"}}',
        ],
    )
    async def test_disguised_tool_call_is_refused(self, access, body):
        """Escapes, repeated names, batches, encodings that only some parsers read, numbers that only some refuse."""
        with pytest.raises(Refusal) as refusal:
            await access.authorize(READER, body)
        assert refusal.value.status == 403

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"tools/call",
            b'"tools/call"',
            b"[5, null, [], [[]]]\\",
            b'[5, null, "tools/call", [{"method": "tools/call"}]]',
            b'{"method": ["tools/call"], "params": {"name": "delete_contact"}}',
            b'{"method": "tools/call"}',
            b'{"method": "tools/call", "params": ["delete_contact"]}',
            b'{"method": "tools/call", "params": {"name": {"delete_contact": 1}}}',
            b'{"method": "tools/call", "params": {"name": "delete_contact"}',
            b'{"method": "tools/list", "params": {"name": "delete_contact", "note": "tools/call"}}',
            b"\xff\xfe tools/call",
            b"tools/call" + b"\0" * 1_000,
            b"[" * 500_000 + b"tools/call",
            b'{"a":' * 100_000 + b'"tools/call"' + b"}" * 100_000,
        ],
        ids=range(15),
    )
    async def test_message_that_is_not_a_tool_call_passes(self, access, body):
        """Only tool calls are refused here."""
        await access.authorize(READER, body)

    async def test_large_messages_are_not_parsed(self, access):
        """A body of 1 MiB, without and with a reason to parse it, takes little time."""
        began = time.process_time()
        await access.authorize(READER, call("get_contact", padding="x" * 2**20).replace(b"tools/call", b"tools/list"))
        await access.authorize(READER, b"[" + b",".join([call("get_contact")] * 12_000) + b"]")

        assert time.process_time() - began < 1


class TestMetadata:
    @pytest.mark.parametrize("path", ["", "/mcp"])
    async def test_resource_metadata_is_public(self, issuer, http, path):
        """RFC 9728: every web page may read it, and cache it for an hour."""
        answer = await http.get(
            f"/.well-known/oauth-protected-resource{path}", headers={"Origin": "https://any.example"}
        )

        assert answer.status_code == 200
        assert answer.json() == {
            "resource": AUDIENCE,
            "resource_name": "WAYSCloud Contacts",
            "authorization_servers": [issuer.url],
            "scopes_supported": EVERYTHING.split(),
            "bearer_methods_supported": ["header"],
        }
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    async def test_browser_may_fetch_resource_metadata_with_mcp_headers(self, http):
        """MCP clients send headers of their own, so browsers send a preflight request."""
        answer = await http.options(
            "/.well-known/oauth-protected-resource",
            headers={
                "Origin": "https://any.example",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "mcp-protocol-version",
            },
        )

        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "mcp-protocol-version" in answer.headers["Access-Control-Allow-Headers"].lower()

    @pytest.mark.parametrize(
        ("resource", "path"),
        [("https://x.example/a/mcp", "/a/mcp"), ("https://x.example", ""), ("https://x.example/", "")],
    )
    def test_resource_metadata_path_contains_the_resources_path(self, issuer, resource, path):
        """The resource's path is inserted (RFC 9728, 3.1), and the result is served."""
        access = OAuthAccess(Issuer(issuer.url, AUDIENCE), resource=resource, risk_of=RISKS.get)

        assert f"/.well-known/oauth-protected-resource{path}" in {route.path for route in access.routes()}
        assert f"https://x.example/.well-known/oauth-protected-resource{path}" == access._metadata_url
