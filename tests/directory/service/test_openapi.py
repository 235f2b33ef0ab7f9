"""The generated OpenAPI document describes exactly what the service does."""

import json
import subprocess
import sys
from uuid import uuid4

import pytest
from fastapi.openapi.utils import get_openapi
from hypothesis import assume, example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from contacts_mcp import __version__
from contacts_mcp.directory.api import _requests as bodies
from contacts_mcp.directory.service._openapi import openapi_document
from endpoint_cases import CASES, CONTACTS, EXTENSIONS, GROUPS, RECEIPT_EXTENSIONS, UNDO_EXTENSIONS
from support.processes import ContactsService, make_keys

DOCUMENT = openapi_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
SPACES = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())

MAY_REFUSE_A_REASON = """
[[operations]]
include-path-regex = "(gdpr-delete|/erase)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""

pieces = st.sampled_from(
    [*SPACES, "a", "ø", "\U0001f600", "\0", "@", ".", "\u200b", "\ufeff", "  ", "a" * 60, " a" * 30]
)
texts = st.lists(pieces, max_size=12).map("".join)


def validator(schema):
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def is_accepted(model, body):
    """Whether the service accepts a body."""
    try:
        TypeAdapter(model).validate_python(body)
    except ValidationError:
        return False
    return True


def test_document_has_this_version_and_no_fixed_host():
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["version"] == __version__
    assert DOCUMENT["servers"] == [{"url": "/"}]
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"ApiKey", "Bearer"}
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_documented_endpoints_are_those_of_the_api_and_the_rest_are_extensions():
    described = {f"{method.upper()} {path}": said["tags"] == ["Extensions"] for method, path, said in OPERATIONS}

    extensions = (*EXTENSIONS, *RECEIPT_EXTENSIONS, *UNDO_EXTENSIONS)
    assert described == {case.route: False for case in CASES} | {case.route: True for case in extensions}
    assert "Beyond the page" in next(tag for tag in DOCUMENT["tags"] if tag["name"] == "Extensions")["description"]


async def test_every_route_of_the_app_is_described_with_its_parameters_and_body(open_service, path):
    routes = (await open_service(path)).directory.app.routes
    found = get_openapi(title="", version="", routes=routes)
    paths = {path: methods for path, methods in found["paths"].items() if path.startswith("/v1/")}

    def shape(operation):
        parameters = {(each["name"].lower(), each["in"], each["required"]) for each in operation.get("parameters", ())}
        return parameters, operation.get("requestBody", {}).get("content", {}).get("application/json")

    def shapes(paths):
        return {(path, method): shape(said) for path, methods in paths.items() for method, said in methods.items()}

    assert shapes(DOCUMENT["paths"]) == shapes(paths)
    for name in ("NewContact", "ContactChanges", "Erasure", "NewGroup", "GroupChanges", "NewMembers", "Batch"):
        assert set(SCHEMAS[name]["properties"]) == set(found["components"]["schemas"][name]["properties"])
        assert SCHEMAS[name].get("required") == found["components"]["schemas"][name].get("required")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_valid_and_accepts_its_examples(name):
    Draft202012Validator.check_schema(SCHEMAS[name])

    for shown in SCHEMAS[name].get("examples", ()):
        validator(SCHEMAS[name]).validate(shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("NewContact", "name"),
        ("NewContact", "company_name"),
        ("NewContact", "phone_number"),
        ("NewContact", "email"),
        ("NewContact", "notes"),
        ("ContactChanges", "name"),
        ("Erasure", "reason"),
        ("NewGroup", "name"),
        ("NewGroup", "description"),
        ("GroupChanges", "description"),
    ],
)
@given(text=texts)
@example("x" * 10_001)
@example(f"{SPACES}{'x' * 10_000}{SPACES}")
@example("x" * 1_001)
@example("x " * 1_000)
@example("x" * 1_000)
@example("x" * 256)
@example(f" x{' x' * 127}\n")
@example("x" * 65)
@example(f"\t{'x' * 64} ")
@example("")
@example(" \n")
@example("a\0b")
@example("ola@example.com\n")
@example("ola@example.test")
def test_service_accepts_exactly_the_texts_that_match_the_schema(model, field, text):
    needed = {} if model in ("Erasure", "ContactChanges", "GroupChanges") else {"name": "a"}
    body = {**needed, field: text}

    assert validator(SCHEMAS[model]).is_valid(body) == is_accepted(getattr(bodies, model), body), (field, text)


@pytest.mark.slow
@given(  # generating from the pattern of the schema itself would take seconds
    address=st.from_regex(
        r"[A-Za-z0-9]{1,9}([._+-][A-Za-z0-9]{1,9}){0,3}@([A-Za-z0-9](-?[A-Za-z0-9]){0,9}\.){1,3}[A-Za-z]{2,9}",
        fullmatch=True,
    )
)
@example("ola@example.com")
@example(" Ola.Nordmann+x@mail.example-1.no ")
@example(f"{'o' * 64}@{'a' * 61}.{'b' * 61}.{'c' * 61}.no")
def test_service_accepts_every_address_that_matches_the_schema(address):
    body = {"name": "a", "email": address}
    assume(validator(SCHEMAS["NewContact"]).is_valid(body))

    assert is_accepted(bodies.NewContact, body), address


@given(
    text=st.text("0123456789abcdefABCDEFg-\n", max_size=40) | st.uuids().map(str) | st.uuids().map(lambda i: f"{i}\n")
)
def test_service_accepts_exactly_the_ids_that_match_the_schema(text):
    body = {"contact_ids": [text]}
    strict = Draft202012Validator(SCHEMAS["NewMembers"], format_checker=None)

    # Python's `$` also matches before a final line feed; that of JSON Schema does not.
    assert (strict.is_valid(body) and not text.endswith("\n")) == is_accepted(bodies.NewMembers, body)


@pytest.mark.parametrize("size", [0, 1, 50, 51])
def test_number_of_tags_is_limited_as_in_the_schema(size):
    body = {"name": "a", "tags": [f"t{n}" for n in range(size)]}

    assert validator(SCHEMAS["NewContact"]).is_valid(body) == is_accepted(bodies.NewContact, body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"creates": []},
        {"creates": [], "updates": []},
        {"creates": [1]},
        {"updates": [1]},
        {"creates": [1] * 1_000},
        {"creates": [1] * 1_001},
        {"creates": [1] * 1_000, "updates": [1]},
        {"creates": [1] * 1_000, "updates": [1] * 1_000},
        {"creates": [1], "updates": [1] * 1_001},
        {"creates": None},
        [],
    ],
)
def test_size_of_a_batch_is_limited_as_in_the_schema(body):
    assert validator(SCHEMAS["Batch"]).is_valid(body) == is_accepted(bodies.Batch, body)


async def test_responses_have_exactly_the_described_fields(service):
    client = await service.caller()
    for case in (*CASES, *EXTENSIONS):
        method, target, body = case.sent(await create_records(client))
        answer = await client.request(method, target, json=body)
        check_response(DOCUMENT["paths"][case.route.partition(" ")[2]][method.lower()], answer)
    for case in RECEIPT_EXTENSIONS:
        operation = DOCUMENT["paths"][case.route.partition(" ")[2]]["get"]
        check_response(operation, await client.get(case.request.partition(" ")[2].format(number=1)))
    receipt, ids = str(uuid4()), await create_records(client)
    body = {"updates": [{"id": ids["ola"], "notes": "changed by a job"}], "undo": receipt}
    batches = "/v1/directory/contacts"
    check_response(DOCUMENT["paths"][batches]["post"], await client.post(batches, json=body))
    for case in UNDO_EXTENSIONS:
        method, target = case.request.format(receipt=receipt).split()
        operation = DOCUMENT["paths"][case.route.partition(" ")[2]][method.lower()]
        check_response(operation, await client.request(method, target))


@pytest.mark.parametrize("route", ["/v1/contacts/{contact_id}/gdpr-delete", "/v1/directory/persons/{contact_id}/erase"])
async def test_reason_that_names_the_contact_is_refused_as_described(service, route):
    """The schema cannot say what a reason must not contain, so a request that fits it may be answered 422."""
    client = await service.caller()
    ola = (await client.post("/v1/contacts", json={"name": "Ola Nordmann"})).json()["id"]
    body = {"reason": "Ola Nordmann asked"}
    operation = DOCUMENT["paths"][route]["post"]
    refused = await client.post(route.format(contact_id=ola), json=body)

    assert validator(SCHEMAS["Erasure"]).is_valid(body)
    assert refused.status_code == 422
    schema = closed(operation["responses"]["422"]["content"]["application/json"]["schema"])
    Draft202012Validator({**schema, "components": closed(DOCUMENT["components"])}).validate(refused.json())
    assert [fault["loc"] for fault in refused.json()["detail"]] == [["body", "reason"]]
    assert (await client.get(f"/v1/contacts/{ola}")).json()["name"] == "Ola Nordmann"


async def create_records(client):
    """The ids of new records that the cases name."""
    ids = {name: (await client.post("/v1/contacts", json={"name": name})).json()["id"] for name in CONTACTS}
    ids |= {name: (await client.post("/v1/contacts/groups", json={"name": name})).json()["id"] for name in GROUPS}
    await client.post(f"/v1/contacts/groups/{ids['customers']}/members", json={"contact_ids": [ids["ola"]]})
    return ids


def check_response(operation, answer):
    """Assert that a response is a success with exactly the fields that the document describes."""
    assert answer.is_success, answer.text
    said = operation["responses"][str(answer.status_code)]
    assert ("content" in said) is bool(answer.content)
    if answer.content:
        schema = closed(said["content"]["application/json"]["schema"])
        Draft202012Validator({**schema, "components": closed(DOCUMENT["components"])}).validate(answer.json())


def closed(schema):
    """The schema without any field that it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if schema.get("type") == "object" else inner


@pytest.mark.system
@pytest.mark.parametrize(
    ("examples", "location"),
    [
        pytest.param(25, "sqlite", marks=pytest.mark.load),
        pytest.param(25, "postgresql", marks=pytest.mark.load),
        pytest.param(75, "sqlite", marks=[pytest.mark.load, pytest.mark.endurance]),
        pytest.param(75, "postgresql", marks=[pytest.mark.load, pytest.mark.endurance]),
    ],
    indirect=["location"],
)
def test_schemathesis_finds_no_contradiction(tmp_path, location, examples):
    """All of its checks are on, also the one that two tenants do not see each other's records.

    An erasure may refuse a reason that fits the schema, because it names the contact.
    """
    keys = dict(zip(("ola", "kari"), make_keys(location, "ola", "kari"), strict=True))
    callers = [{"name": name, "fixedHeaders": [{"name": "X-API-Key", "value": key}]} for name, key in keys.items()]
    (tmp_path / "callers.json").write_text(json.dumps({"auth": callers}))
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'[auth.wfc]\npath = "callers.json"\npeers = {json.dumps(list(keys))}\n{MAY_REFUSE_A_REASON}')
    with ContactsService(tmp_path, location, "--rate", "0") as service:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
        options = ["--checks", "all", "--max-examples", str(examples), "--no-color", "--generation-database", "none"]
        done = subprocess.run(
            [*command, f"{service.url}/openapi.json", *options],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=tmp_path,
            check=False,
        )
        log = service.written

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert '"level": "ERROR"' not in log
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout, done.stdout
    assert f"Tested: {len(OPERATIONS)}" in done.stdout
