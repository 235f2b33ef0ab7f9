"""The OpenAPI document of the service: FastAPI generates it from the routes, and from the response models below.

A route names its model by `@returns`.
"""

import tomllib
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, create_model
from pydantic.json_schema import SkipJsonSchema

from contacts_mcp import __version__
from contacts_mcp.directory.api import RESPONSE_MODELS, ROUTERS, ContactType

_TEXTS = tomllib.loads(Path(__file__).with_name("openapi.toml").read_text(encoding="utf-8"))
_ERRORS = {int(status): meaning for status, meaning in _TEXTS["errors"].items()}
_SECURITY = [Security(APIKeyHeader(name="X-API-Key", scheme_name="ApiKey")), Security(HTTPBearer(scheme_name="Bearer"))]
_CONFLICTING = ("erase_person", "restore_contact", "write_contacts", "read_undo", "undo_update")
"""Routes without an `Idempotency-Key` that can answer 409."""


class Contact(BaseModel):
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


class ContactPage(BaseModel):
    contacts: list[ContactRow]
    total: NonNegativeInt
    page: PositiveInt
    per_page: int = Field(ge=1, le=100)
    similar: NonNegativeInt = Field(0, description="How many of `total` only have a similar spelling. An extension.")


class GroupRow(BaseModel):
    id: UUID
    name: str
    member_count: NonNegativeInt
    created_at: datetime


class Group(GroupRow):
    description: str | None
    previous_name: str | SkipJsonSchema[None] = Field(None, description="Before the last change. An extension.")
    renamed_at: datetime | SkipJsonSchema[None] = Field(None, description="The last change of the name. An extension.")


class Scan(BaseModel):
    fields: list[str]
    rows: list[list[Any]] = Field(description="Values in the order of `fields`.")
    next: str | None = Field(description="The `after` of the next page; null at the end.")


class StoredContact(BaseModel):
    id: UUID
    status: Literal["live", "deleted", "erased"]
    type: ContactType | None
    name: str | None
    company_name: str | None
    phone_number: str | None
    email: str | None
    updated_at: datetime
    deleted_at: datetime | None
    erased_at: datetime | None
    merged_into: UUID | None = Field(description="The contact that it was merged into.")
    receipt: PositiveInt | None = Field(description="The number of the receipt of its erasure.")


class Person(StoredContact):
    merged: list[StoredContact] = Field(description="The records that were merged into it, also through others.")
    group_ids: list[UUID]


class RestoredContact(StoredContact):
    was_deleted: bool = Field(description="False if the contact was not deleted: nothing was changed.")
    was_merged_into: UUID | None = Field(description="The contact that it was merged into and is separate from now.")


class DeletedPage(BaseModel):
    contacts: list[StoredContact]
    next: str | None = Field(description="The `after` of the next page; null at the end.")


class Receipt(BaseModel):
    number: PositiveInt
    contact_id: UUID
    erased_at: datetime
    fields: list[str] = Field(description="The fields that had a value.")


class ReceiptChain(BaseModel):
    length: PositiveInt = Field(description="The number of the last receipt.")
    hash: str = Field(description="The hash of the last receipt.")
    faults: list[str] = Field(description="What is wrong with the chain; empty if it is intact.")


class ReceiptProof(Receipt):
    actor: str = Field(description="Who erased the contact.")
    reason: str
    previous: str = Field(description="The hash of the receipt before; empty for the first.")
    hash: str
    chain: ReceiptChain


class ChangedFields(BaseModel):
    type: ContactType | SkipJsonSchema[None] = None
    name: str | SkipJsonSchema[None] = None
    company_name: str | None = None
    phone_number: str | None = None
    email: str | None = None
    tags: list[str] | SkipJsonSchema[None] = None
    notes: str | None = None


class UndoneContact(BaseModel):
    id: UUID
    name: str
    status: Literal["unchanged", "changed", "deleted"] = Field(description="What happened to it since the update.")
    before: ChangedFields = Field(description="The values that the update replaced.")
    current: ChangedFields = Field(description="The values of the same fields now.")


class UndoPage(BaseModel):
    contacts: list[UndoneContact]
    next: str | None = Field(description="The `after` of the next page; null at the end.")
    total: NonNegativeInt = Field(description="Contacts of all pages, and those that were erased.")
    erased: NonNegativeInt
    undo_until: datetime


class Undone(BaseModel):
    restored: NonNegativeInt
    changed: NonNegativeInt = Field(description="Contacts that were changed since, and stay as they are.")
    deleted: NonNegativeInt = Field(description="Contacts that were deleted since.")
    remaining: NonNegativeInt = Field(description="Contacts that another request restores.")


class Result(BaseModel):
    status: Literal[200, 201, 404, 422]
    id: UUID | SkipJsonSchema[None] = None
    detail: str | SkipJsonSchema[None] = None


class Results(BaseModel):
    results: list[Result]
    undo_until: datetime | None = Field(None, description="Only if the batch has `undo`; null if it cannot be undone.")


class ValidationFault(BaseModel):
    loc: list[str | int]
    msg: str
    type: str


class ValidationFaults(BaseModel):
    detail: list[ValidationFault] = Field(min_length=1)


Groups = create_model("Groups", groups=list[GroupRow])
Members = create_model("Members", members=list[Member])
Extensions = create_model(
    "Extensions", extensions=list[str], scopes=list[Literal["read", "write", "approve"]], tenant=str
)
Merged = create_model("Merged", merged=list[UUID])
Receipts = create_model("Receipts", receipts=list[Receipt])
Error = create_model("Error", detail=str)


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
        description=_TEXTS["description"],
        tags=_TEXTS["tags"],
        servers=[{"url": "/"}],
        routes=described.routes,
    )
    document["components"]["headers"] = _TEXTS["headers"]
    for name, example in _TEXTS["examples"].items():
        document["components"]["schemas"][name]["examples"] = [example]
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
        404: bool(names & {"contact_id", "group_id", "idempotency_key", "receipt", "number"}),
        409: is_idempotent or route.name in _CONFLICTING,
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
        response_model=_find_model(route.name),
        response_description="Created." if status == HTTPStatus.CREATED else "Done.",
        responses={
            status: {"headers": headers},
            **{error: _error(error) for error in _ERRORS if possible.get(error, True)},
        },
    )


def _find_model(route: str) -> type[BaseModel] | None:
    """Find the model of a route's response: of this module, or made of the fields that the route names."""
    declared = RESPONSE_MODELS.get(route)
    if declared is None:
        return None
    if declared.fields:
        return create_model(declared.name, **declared.fields)
    model: type[BaseModel] = globals()[declared.name]
    return model


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
