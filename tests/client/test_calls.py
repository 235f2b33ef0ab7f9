"""Every call is sent as the API documentation shows it, and its documented answer is read."""

import json

import httpx
import pytest

import contacts_mcp.client
from contacts_mcp import contract as api
from contacts_mcp.client import ContactsClient
from endpoint_cases import CASES
from support.hosts import with_ids
from support.services import CONTACT_ID, KEY, OTHER_ID

GROUP_ID = "a1b2c3d4-1234-5678-9abc-def012345678"
IDS = {"ola": CONTACT_ID, "kari": OTHER_ID, "customers": GROUP_ID, "suppliers": GROUP_ID}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_call_is_sent_as_documented_and_its_answer_is_read(played, sample, case):
    """Method, path, query, body and key are the page's; the page's answer becomes the contract's record."""
    call, (method, target, body) = case.call(**with_ids(case.arguments, IDS)), case.sent(IDS)
    documented = None if call.answer_type is None else sample(call.tool_name())
    client = played(lambda _: httpx.Response(204) if documented is None else httpx.Response(200, json=documented))

    answer = await client.send(call)

    (request,) = client.requests
    assert (request.method, request.url.raw_path.decode()) == (method, target)
    assert (json.loads(request.content) if request.content else None) == body
    assert request.headers["X-API-Key"] == KEY
    assert answer == (None if documented is None else call.answer_type.model_validate(documented))


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_create_accepts_any_success_status(played, sample, status):
    client = played(lambda _: httpx.Response(status, json=sample("create_contact")))

    assert (await client.send(api.CreateContact(name="Ola"))).name == "Ola Nordmann"


@pytest.mark.parametrize(
    "response", [{"status_code": 200, "json": {"ok": True}}, {"status_code": 202}, {"status_code": 204}]
)
async def test_delete_accepts_any_success_status_with_or_without_body(played, response):
    """The page documents no answer to a delete."""
    client = played(lambda _: httpx.Response(**response))

    assert await client.send(api.DeleteContact(contact_id=CONTACT_ID)) is None


async def test_filters_are_sent_in_the_query_with_repeated_tags(played):
    """Lists repeat their name; text is percent-encoded."""
    client = played(lambda _: httpx.Response(200, json={"contacts": []}))

    await client.send(api.ListContacts(type="company", search="Bjørn & co", tags=["a", "b"], page=2, per_page=10))

    expected = [("type", "company"), ("search", "Bjørn & co"), ("tags", "a"), ("tags", "b"), ("page", "2")]
    assert sorted(client.requests[0].url.params.multi_items()) == sorted([*expected, ("per_page", "10")])


@pytest.mark.parametrize(
    "wrong", ["groups", "../groups", f"{CONTACT_ID}/gdpr-delete", "", CONTACT_ID + "\n", f"{CONTACT_ID}?x"]
)
async def test_invalid_id_is_not_sent_even_if_validation_is_bypassed(played, wrong):
    """A DELETE of `groups` would be another route."""
    client = played(lambda _: httpx.Response(204))

    with pytest.raises(api.ValidationFailed) as refused:
        await client.send(api.DeleteContact.model_construct(contact_id=wrong))

    assert client.requests == []
    assert [fault.path for fault in refused.value.faults] == ["contact_id"]


class TestPatch:
    """Quirk: `name` is marked required, yet only provided fields are updated."""

    CALLS = (
        api.UpdateContact(contact_id=CONTACT_ID, notes="x"),
        api.UpdateContactGroup(group_id=GROUP_ID, description="x"),
    )

    @pytest.mark.parametrize("call", CALLS)
    async def test_name_required_by_the_service_is_read_and_sent_once(self, played, sample, call):
        """PATCH, 422 about name, GET, PATCH with the current name."""
        record = sample(call.tool_name())

        def respond(request):
            if request.method == "GET" or b'"name"' in request.content:
                return httpx.Response(200, json=record)
            return httpx.Response(422, json={"detail": [{"loc": ["body", "name"], "msg": "Field required"}]})

        client = played(respond)

        await client.send(call)

        assert [request.method for request in client.requests] == ["PATCH", "GET", "PATCH"]
        assert json.loads(client.requests[-1].content)["name"] == record["name"]

    async def test_refused_name_of_the_caller_is_not_replaced(self, played):
        """The caller's own name is invalid."""
        refusal = {"error": {"code": "INVALID_PARAMETER", "message": "too long", "details": {"field": "name"}}}
        client = played(lambda _: httpx.Response(400, json=refusal))

        with pytest.raises(api.ValidationFailed):
            await client.send(api.UpdateContact(contact_id=CONTACT_ID, name="x"))

        assert len(client.requests) == 1

    async def test_refusal_is_raised_if_the_record_has_no_name(self, played):
        """There is no current name to send."""

        def respond(request):
            if request.method == "GET":
                return httpx.Response(200, json={"id": CONTACT_ID})
            return httpx.Response(422, json={"detail": [{"loc": ["body", "name"], "msg": "Field required"}]})

        client = played(respond)

        with pytest.raises(api.ValidationFailed):
            await client.send(self.CALLS[0])

        assert [request.method for request in client.requests] == ["PATCH", "GET"]

    @pytest.mark.parametrize("call", CALLS)
    async def test_update_with_empty_answer_is_read_back(self, played, sample, call):
        """A 204 confirms the update, a GET returns the record."""
        record = sample(call.tool_name())
        client = played(
            lambda request: httpx.Response(204) if request.method == "PATCH" else httpx.Response(200, json=record)
        )

        answer = await client.send(call)

        assert answer == call.answer_type.model_validate(record)

    async def test_update_that_cannot_be_read_back_has_unknown_outcome(self, played):
        """The change was accepted; the error must not deny it."""
        client = played(lambda request: httpx.Response(204 if request.method == "PATCH" else 404))

        with pytest.raises(api.OutcomeUnknown):
            await client.send(self.CALLS[0])


@pytest.mark.parametrize("call", [api.CreateContact(name="Ola"), api.CreateContactGroup(name="VIP")])
async def test_create_with_empty_answer_advises_to_search_first(played, call):
    """The record may have been created, and its id is unknown."""
    client = played(lambda _: httpx.Response(204))

    with pytest.raises(api.UnreadableAnswer, match="search for it before creating it again"):
        await client.send(call)

    assert len(client.requests) == 1


async def test_asgi_application_can_replace_the_network():
    """The embedded directory is called like this; its failure is a server fault."""
    seen = []

    async def application(scope, receive, send):
        if seen:
            raise RuntimeError("bug")
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"groups": []}'})

    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with ContactsClient(base_url="http://directory", transport=transport) as client:
        assert (await client.send(api.ListContactGroups())).groups == []
        with pytest.raises(api.ServerFault):
            await client.send(api.ListContactGroups())

    assert seen == ["/v1/contacts/groups"]


def test_public_names_of_the_client():
    """The names that other packages may import."""
    assert contacts_mcp.client.__all__ == [
        "BASE_URL",
        "ClientOptions",
        "ClientPool",
        "ContactsClient",
        "Credential",
        "InvalidCredential",
        "SyncContactsClient",
        "credential_file",
        "find_credential",
        "is_loopback",
        "parse_base_url",
    ]
