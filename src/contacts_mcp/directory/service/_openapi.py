"""The OpenAPI document of the service: FastAPI generates it from the routes, and from the response models below.

The routes return responses that are already in their final form, so an embedded directory never loads these models.
"""

from datetime import datetime
from functools import cache
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt
from pydantic.json_schema import SkipJsonSchema

from contacts_mcp import __version__
from contacts_mcp.directory.api import ROUTERS, ContactType

_ABOUT = """\
Shared contact directory for SMS, Email and other services. Manage contacts and groups for batch operations.

This service implements the WAYSCloud Contacts API on a directory of its own. An API key gives access to the contacts \
of one tenant: to read them (GET), to write them (all other methods), or both. Every response has an `X-Request-ID`; \
a request may bring its own."""
_TAGS = [
    {"name": "Contacts"},
    {"name": "Groups"},
    {"name": "Extensions", "description": "Beyond the page of the Contacts API, for jobs on many contacts."},
]
_ID, _OTHER_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479", "b2c3d4e5-6789-0abc-def1-234567890abc"
_GROUP_ID, _TIME = "a1b2c3d4-1234-5678-9abc-def012345678", "2025-01-15T09:30:00Z"
_GROUP = {"id": _GROUP_ID, "name": "Newsletter Subscribers", "member_count": 150, "created_at": _TIME}


def _example(**response: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [response]})


class Contact(BaseModel):
    model_config = _example(
        id=_ID,
        type="person",
        name="Ola Nordmann",
        company_name="ACME AS",
        phone_number="+4799999999",
        email="ola@example.com",
        tags=["vip", "newsletter"],
        notes="Key contact for project X",
        created_at=_TIME,
        updated_at=_TIME,
    )

    id: UUID
    type: ContactType
    name: str
    company_name: str | None
    phone_number: str | None
    email: str | None
    tags: list[str]
    notes: str | None
    created_at: datetime
    updated_at: datetime


class Member(BaseModel):
    id: UUID
    first_name: str
    last_name: str | None
    phone_number: str | None


class ContactRow(Member):
    email: str | None
    contact_type: ContactType
    tags: list[str]


_MEMBER = {"id": _OTHER_ID, "first_name": "Ola", "last_name": "Nordmann", "phone_number": "+4799999999"}
_ROW = {**_MEMBER, "email": "ola@example.com", "contact_type": "person", "tags": ["vip"]}


class ContactPage(BaseModel):
    model_config = _example(contacts=[_ROW], total=1, page=1, per_page=50)

    contacts: list[ContactRow]
    total: NonNegativeInt
    page: PositiveInt
    per_page: int = Field(ge=1, le=100)
    similar: NonNegativeInt = Field(0, description="How many of `total` only have a similar spelling. An extension.")


class Erased(BaseModel):
    model_config = _example(ok=True)

    ok: bool


class GroupRow(BaseModel):
    id: UUID
    name: str
    member_count: NonNegativeInt
    created_at: datetime


class Group(GroupRow):
    model_config = _example(**_GROUP, description="Customers who opted in for newsletter")

    description: str | None


class Groups(BaseModel):
    model_config = _example(groups=[_GROUP])

    groups: list[GroupRow]


class Members(BaseModel):
    model_config = _example(members=[_MEMBER])

    members: list[Member]


class Added(BaseModel):
    model_config = _example(added=2)

    added: NonNegativeInt


class Extensions(BaseModel):
    model_config = _example(extensions=["batch", "scan"])

    extensions: list[str]


class Scan(BaseModel):
    model_config = _example(fields=["id", "name"], rows=[[_ID, "Ola Nordmann"]], next="1")

    fields: list[str]
    rows: list[list[Any]] = Field(description="Values in the order of `fields`.")
    next: str | None = Field(description="The `after` of the next page; null at the end.")


class Result(BaseModel):
    status: Literal[200, 201, 404, 422]
    id: UUID | SkipJsonSchema[None] = None
    detail: str | SkipJsonSchema[None] = None


class Results(BaseModel):
    model_config = _example(results=[{"status": 201, "id": _OTHER_ID}, {"status": 404, "detail": "Contact not found"}])

    results: list[Result]


class Error(BaseModel):
    detail: str


class ValidationFault(BaseModel):
    loc: list[str | int]
    msg: str
    type: str


class ValidationFaults(BaseModel):
    model_config = _example(detail=[{"loc": ["body", "name"], "msg": "must not be empty", "type": "blank"}])

    detail: list[ValidationFault] = Field(min_length=1)


_RESPONSES: dict[str, type[BaseModel]] = {
    "list_contacts": ContactPage,
    "create_contact": Contact,
    "get_contact": Contact,
    "update_contact": Contact,
    "gdpr_delete_contact": Erased,
    "list_contact_groups": Groups,
    "create_contact_group": Group,
    "get_contact_group": Group,
    "update_contact_group": Group,
    "list_group_members": Members,
    "add_group_members": Added,
    "list_extensions": Extensions,
    "scan_contacts": Scan,
    "write_contacts": Results,
}
"""The responses of the routes by name; a route that is not here returns 204 without a body."""

_ERRORS = {
    401: "The API key is missing or not valid.",
    403: "The key does not have the scope.",
    404: "The contact, group or member does not exist (any more).",
    409: "The `Idempotency-Key` was used with another body.",
    413: "The body is too large.",
    422: "The request is not valid; the response does not repeat it.",
    429: "The key has reached its rate limit.",
    500: "The service failed.",
    503: "The directory cannot be used now; nothing was changed.",
    507: "The disk is full; nothing was changed.",
}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names the request in the service's log; the caller's own id if the request brought one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    },
    "Idempotency-Replayed": {
        "description": "Present if the `Idempotency-Key` was used before; the record was created then.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"required": True, "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 1}},
}
_SECURITY = [Security(APIKeyHeader(name="X-API-Key", scheme_name="ApiKey")), Security(HTTPBearer(scheme_name="Bearer"))]


@cache
def openapi_document() -> dict[str, Any]:
    """Generate the OpenAPI document of the service, once."""
    described = APIRouter(dependencies=_SECURITY, generate_unique_id_function=lambda route: route.name)
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            _describe(route, described)
    document = get_openapi(
        title="Contacts API",
        version=__version__,
        description=_ABOUT,
        tags=_TAGS,
        servers=[{"url": "/"}],
        routes=described.routes,
    )
    document["components"]["headers"] = _HEADERS
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                _forbid_null(parameter["schema"])
                if parameter["in"] == "header":
                    parameter["name"] = parameter["name"].title()
    return document


def _describe(route: APIRoute, described: APIRouter) -> None:
    """Add a route with its response model, its headers and the errors that it can return."""
    names = {parameter.name for parameter in get_flat_params(route.dependant)}
    has_body, is_idempotent = route.body_field is not None, "idempotency_key" in names
    possible = {
        404: bool(names & {"contact_id", "group_id", "idempotency_key"}),
        409: is_idempotent,
        413: has_body,
        422: has_body or bool(names),
        507: route.methods != {"GET"},
    }
    status = route.status_code or HTTPStatus.OK
    headers = _refer("X-Request-ID", *(["Idempotency-Replayed"] if is_idempotent else []))
    described.add_api_route(
        route.path,
        route.endpoint,
        methods=sorted(route.methods or ()),
        name=route.name,
        tags=route.tags,
        summary=route.summary,
        status_code=status,
        response_model=_RESPONSES.get(route.name),
        response_description="Created." if status == HTTPStatus.CREATED else "Done.",
        responses={
            status: {"headers": headers},
            **{error: _error(error) for error in _ERRORS if possible.get(error, True)},
        },
    )


def _error(status: int) -> dict[str, Any]:
    headers = {HTTPStatus.UNAUTHORIZED: ["WWW-Authenticate"], HTTPStatus.TOO_MANY_REQUESTS: ["Retry-After"]}
    return {
        "model": ValidationFaults if status == HTTPStatus.UNPROCESSABLE_ENTITY else Error,
        "description": _ERRORS[status],
        "headers": _refer("X-Request-ID", *headers.get(HTTPStatus(status), [])),
    }


def _refer(*headers: str) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _forbid_null(schema: dict[str, Any]) -> None:
    """Remove null from the schema of a parameter: a parameter is absent rather than null."""
    for choice in schema.pop("anyOf", ()):
        if choice != {"type": "null"}:
            schema.update(choice)
